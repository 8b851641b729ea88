"""Any sentence-transformers model by name or folder: texts in, unit vectors out. Needs the [models] extra.

Runs on CUDA where there is one, else on the CPU. Vectors are independent of company: on a CPU each text is a call of its own; on a GPU,
where that would be slow, a batch holds texts of one length in tokens and always the same number of rows (short ones are filled up), so
the shapes that a text meets depend on that text alone, nothing is padded, and what little may differ still is rounded away to float16
as far as rounding can. A name is looked up on the hub unless ``HF_HUB_OFFLINE=1``; code from the hub is never run.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from feedback_miner.domain import Vectors
from feedback_miner.embedders.characters import replace_unencodable
from feedback_miner.embedders.protocol import Progress
from feedback_miner.errors import MissingExtraError, WeightsError

__all__ = ["SentenceTransformersEmbedder", "choose_prompt"]

_GPU_ROWS = 32
_SAMPLED_WEIGHTS = 4096

_E5 = re.compile(r"(?:^|[-_/\\])e5(?:[-_/\\]|$)", re.IGNORECASE)
_E5_PROMPT = "query: "
_E5_INSTRUCT_PROMPT = "Instruct: Identify the topic or theme of the customer feedback\nQuery: "


class SentenceTransformersEmbedder:
    """A model of somebody else's, behind our seam. Not safe to share between threads on a GPU."""

    def __init__(self, name: str, *, device: str | None = None) -> None:
        try:
            import torch
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            message = f"encoder {name!r} needs sentence-transformers; run `pip install 'feedback-miner[models]'`, or use 'feedback-small'"
            raise MissingExtraError(message) from error
        self._device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        try:
            self._model = SentenceTransformer(name, device=self._device)
        except (OSError, ValueError, RuntimeError, LookupError, TypeError, AttributeError, ImportError) as error:
            message = (
                f"encoder {name!r} cannot be loaded ({type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no reason'}); "
                f"give a sentence-transformers name or folder, download it first where the hub is out of reach, or use 'feedback-small'"
            )
            raise WeightsError(message) from error
        self.name = name
        self._prompt = choose_prompt(name, self._model.prompts or {}, self._model.default_prompt_name)
        self.version = f"{name}@{_fingerprint(self._model, self._prompt)}"
        self.dimensions = int(self._encode_batch([""]).shape[1])

    def encode(self, texts: Sequence[str], *, progress: Progress | None = None) -> Vectors:
        """Return one unit row for each text; longer texts are cut where the model cuts them."""
        mended = [replace_unencodable(text) for text in texts]
        vectors = np.empty((len(mended), self.dimensions), np.float32)
        done = 0
        for rows in self._batches(mended):
            batch = [mended[row] for row in rows]
            if self._device != "cpu":
                batch += [batch[0]] * (_GPU_ROWS - len(batch))
            vectors[rows] = self._encode_batch(batch)[: len(rows)]
            done += len(rows)
            if progress is not None:
                progress(done)
        return vectors

    def _batches(self, texts: Sequence[str]) -> Iterator[list[int]]:
        """Yield the rows that go together: one by one on a CPU, else up to a full batch of texts with equally many tokens."""
        tokenizer = self._model.tokenizer
        if self._device == "cpu" or not hasattr(tokenizer, "pad_token_id"):
            yield from ([row] for row in range(len(texts)))
            return

        def token_count(row: int) -> int:
            return min(len(tokenizer(self._prompt + texts[row])["input_ids"]), self._model.max_seq_length or 1_000_000)

        counts = [token_count(row) for row in range(len(texts))]
        for _, group in groupby(sorted(range(len(texts)), key=lambda row: (counts[row], row)), key=lambda row: counts[row]):
            rows = list(group)
            yield from (rows[start : start + _GPU_ROWS] for start in range(0, len(rows), _GPU_ROWS))

    def _encode_batch(self, batch: list[str]) -> Vectors:
        raw = self._model.encode(batch, prompt=self._prompt, batch_size=len(batch), show_progress_bar=False, convert_to_numpy=True)
        rows = _unit_rows(np.asarray(raw, np.float32))
        # On one's own on a CPU the bits are reproducible already.
        return rows if self._device == "cpu" else _unit_rows(rows.astype(np.float16).astype(np.float32))


def choose_prompt(name: str, prompts: dict[str, str], default: str | None) -> str:
    """Return what is put before every text: the model's word for clustering or by default, else what its family needs.

    Models of the e5 family are useless without ``query: `` and often do not declare it; they are known by ``e5`` in the name.
    """
    if declared := prompts.get("clustering") or prompts.get(default or ""):
        return declared
    if not _E5.search(name):
        return ""
    return prompts.get("query") or (_E5_INSTRUCT_PROMPT if "instruct" in name.lower() else _E5_PROMPT)


def _unit_rows(vectors: Vectors) -> Vectors:
    """Scale each row to length 1 by itself; a zero row becomes the first axis, which no text is near."""
    lengths = np.array([[np.sqrt(np.dot(row, row))] for row in vectors], np.float32)
    unit = vectors / np.where(lengths > 0, lengths, 1)
    unit[lengths[:, 0] == 0, 0] = 1.0
    return np.asarray(unit, np.float32)


def _fingerprint(model: Any, prompt: str) -> str:
    """Hash the prompt, the length limit and a spread sample of every weight: training anywhere shows, gigabytes are not read."""
    digest = hashlib.sha256(f"{prompt}\0{model.max_seq_length}\0".encode())
    for key, tensor in sorted(model.state_dict().items()):
        flat = tensor.detach().reshape(-1)
        sample = flat[:: max(1, flat.numel() // _SAMPLED_WEIGHTS)].cpu().float().numpy()
        digest.update(f"{key}\0{tuple(tensor.shape)}\0".encode())
        digest.update(np.ascontiguousarray(sample).tobytes())
    return digest.hexdigest()[:12]
