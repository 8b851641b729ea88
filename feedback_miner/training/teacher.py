"""``train encoder``: multilingual-e5-small learns what makes two complaints the same theme, how they feel, and what is a translation.

In: labelled sets by the split rule, or a file of the user's own. Out: ``adapters.npz`` (low-rank updates of every matrix, 3 MB) and
``training.json`` (the configuration and how far the losses fell). Four losses, two batches a step: themes at every step, and one of
sentiment with strength, translation, or memory (its neighbours stay those of the untrained model, so that it forgets nothing it is not
taught).

    feedback-miner train encoder --data ../shared/data --output models/teacher
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from feedback_miner.embedders.e5 import InputEmbeddings
from feedback_miner.embedders.e5_weights import PackedModel, find_packed_file, read_packed_model
from feedback_miner.errors import InputError, WeightsError
from feedback_miner.progress import Progress, report_to_nobody
from feedback_miner.training.backbone import Adapter, Backbone, adapters_off, add_adapters, mean_of_tokens, open_backbone, pad_tokens
from feedback_miner.training.examples import SENTIMENTS, read_examples
from feedback_miner.training.loop import Loop
from feedback_miner.training.losses import contrast, fold, relation, shared_labels, translation
from feedback_miner.training.own_sentences import own_examples
from feedback_miner.training.sets import LEFT_OUT, load_sets
from feedback_miner.training.tasks import Batch, Kind, Tasks

__all__ = ["Reader", "TeacherConfig", "Texts", "load_teacher", "supervised", "train_encoder"]

_OTHERS: tuple[Kind, ...] = ("sentiment", "memory", "sentiment", "translation")
"""What comes beside themes, in turn."""
_READER_RATE = 2.5
"""How much faster than adapters, which start near the answer, readings learn, which start from nothing."""
_REMEMBERED = 1 << 18
"""Texts whose tokens are kept."""
_VECTOR_SCALE = 10.0
"""Unit vectors are spread over hundreds of axes; ten times longer a linear reading of them trains at the usual rates."""


@dataclass(frozen=True, slots=True)
class TeacherConfig:
    """How the teacher is trained; saved with it."""

    steps: int = 2_000
    theme_texts: int = 64
    other_texts: int = 40
    tokens: int = 48
    rank: int = 16
    strength: float = 32.0
    rate: float = 4e-4
    warmup: float = 0.06
    temperature: float = 0.05
    memory_temperature: float = 0.1
    memory_weight: float = 3.0
    translation_weight: float = 0.7
    seed: int = 7
    threads: int = 2


class Reader(nn.Module):
    """Linear readings of a vector that training asks for and serving forgets: sentiment, with each set's own leaning, and strength."""

    def __init__(self, width: int, sources: list[str]) -> None:
        super().__init__()
        self.sources = {source: at for at, source in enumerate(sources)}
        self.sentiment = nn.Linear(width, len(SENTIMENTS))
        self.strength = nn.Linear(width, 1)
        self.leaning = nn.Parameter(torch.zeros(len(sources), len(SENTIMENTS) + 1))

    def loss(self, vectors: Tensor, batch: Batch) -> Tensor:
        """Cross-entropy of the comments' sentiments that are known plus twice the squared error of the strengths that are.

        Opinions are folded as they are when they serve; strength is their mean by the root of their length.
        """
        leaning, comments = self.leaning[self.sources[batch.source]], len(batch.sentiments)
        owners, lengths = torch.from_numpy(batch.owners), torch.tensor([float(len(text)) for text in batch.texts])
        loss = vectors.sum() * 0.0
        known = torch.from_numpy(np.flatnonzero(batch.sentiments >= 0))
        if len(known):
            odds = fold(self.sentiment(vectors * _VECTOR_SCALE), lengths, owners, comments) + leaning[:-1]
            loss = loss + functional.cross_entropy(odds[known], torch.from_numpy(batch.sentiments)[known])
        known = torch.from_numpy(np.flatnonzero(~np.isnan(batch.strengths)))
        if len(known):
            weights = lengths.sqrt() / torch.zeros(comments).index_add(0, owners, lengths.sqrt())[owners]
            read = self.strength(vectors * _VECTOR_SCALE)[:, 0] * weights
            strength = torch.zeros(comments).index_add(0, owners, read)[known] + leaning[-1]
            loss = loss + 2.0 * functional.mse_loss(strength, torch.from_numpy(batch.strengths)[known])
        return loss


def supervised(vectors: Tensor, batch: Batch, reader: Reader, *, temperature: float) -> Tensor:
    """Return the loss of what is known of a batch: shared themes, sentiment and strength, or translations."""
    match batch.kind:
        case "themes":
            return contrast(vectors, shared_labels(torch.from_numpy(batch.labels)), temperature=temperature)
        case "sentiment":
            return reader.loss(vectors, batch)
        case "translation":
            return translation(*vectors.chunk(2), temperature=temperature)
        case "memory":
            raise AssertionError("nothing is known of a batch of memory")


class Texts:
    """Texts in, vectors with gradients out. Reads without the prefix that the untrained model wants: 3 tokens of 20."""

    def __init__(self, model: PackedModel, backbone: Backbone, tokens: int) -> None:
        self._backbone = backbone
        # Most texts come again, and this tokenizer is slower than the model is.
        self._bare = lru_cache(_REMEMBERED)(InputEmbeddings(model, max_tokens=tokens, prefix="").token_ids)
        self._prefixed = lru_cache(_REMEMBERED)(InputEmbeddings(model, max_tokens=tokens + 3).token_ids)

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Return a unit row for each text."""
        return self.read_tokens(texts)[0]

    def read_tokens(self, texts: Sequence[str]) -> tuple[Tensor, Tensor, list[list[int]]]:
        """Return a unit row for each text, what the last layer says of each token (tokens of all texts, hidden), and their ids."""
        return self._run(self._bare, texts)

    def encode_untrained(self, texts: Sequence[str]) -> Tensor:
        """Return what the model would have answered before training."""
        with torch.no_grad(), adapters_off():
            return self._run(self._prefixed, texts)[0]

    def _run(self, read: Callable[[str], list[int]], texts: Sequence[str]) -> tuple[Tensor, Tensor, list[list[int]]]:
        tokens = [read(text) for text in texts]
        ids, present = pad_tokens(tokens)
        with torch.autocast("cpu", torch.bfloat16):
            states = self._backbone.states(ids, present)
            return mean_of_tokens(states, present), states, tokens


def train_encoder(
    data: Path, *, output: Path, checkpoints: Path | None = None, config: TeacherConfig | None = None, progress: Progress = report_to_nobody
) -> dict[str, Any]:
    """Train, write ``adapters.npz`` and ``training.json`` into ``output`` and return what the latter holds.

    ``checkpoints``, a folder, makes it resumable: the state is written there every hundred steps, and found again by the same
    configuration.
    """
    config = config or TeacherConfig()
    torch.manual_seed(config.seed)
    torch.set_num_threads(config.threads)
    examples = [*read_examples(load_sets(data, without=LEFT_OUT), progress=progress), *own_examples()]
    tasks = Tasks(examples, seed=config.seed)
    if tasks.draw(0, "themes", config.theme_texts) is None:
        raise InputError(f"{data} has no set with themes to train on: at least 60 rows, two themes that three rows share each")
    model = read_packed_model(find_packed_file())
    backbone = open_backbone(model)
    adapters = list(add_adapters(backbone, rank=config.rank, strength=config.strength))
    reader = Reader(model.hidden, tasks.sources)
    parts = nn.ModuleDict({"backbone": backbone, "reader": reader})
    rates = [(adapters, config.rate), (list(reader.parameters()), _READER_RATE * config.rate)]
    loop = Loop("teacher", parts, rates, config=asdict(config))
    losses = _Losses(config, tasks, Texts(model, backbone, config.tokens), reader)
    loop.run(losses.of_step, checkpoints=checkpoints, progress=progress)
    report = loop.write_report(output, examples)
    np.savez_compressed(output / "adapters.npz", **_adapter_arrays(backbone))
    return report


class _Losses:
    """What a step asks of the teacher."""

    def __init__(self, config: TeacherConfig, tasks: Tasks, texts: Texts, reader: Reader) -> None:
        self._config = config
        self._tasks = tasks
        self._texts = texts
        self._reader = reader

    def of_step(self, step: int) -> Iterator[tuple[str, Tensor]]:
        """Yield the loss of themes, then that of what comes beside them."""
        kinds: dict[Kind, int] = {"themes": self._config.theme_texts, _OTHERS[step % len(_OTHERS)]: self._config.other_texts}
        for batch in self._tasks.draw_step(step, kinds):
            yield batch.kind, self._loss(batch)

    def _loss(self, batch: Batch) -> Tensor:
        config = self._config
        vectors = self._texts.encode(batch.texts)
        if batch.kind == "memory":
            reference = self._texts.encode_untrained(batch.texts)
            return config.memory_weight * relation(vectors, reference, temperature=config.memory_temperature)
        loss = supervised(vectors, batch, self._reader, temperature=config.temperature)
        return config.translation_weight * loss if batch.kind == "translation" else loss


def load_teacher(path: Path) -> tuple[PackedModel, Backbone]:
    """Return multilingual-e5-small with the adapters of ``path`` merged into its matrices, and the packed file it is from."""
    model = read_packed_model(find_packed_file())
    backbone = open_backbone(model)
    with np.load(path, allow_pickle=False) as arrays:
        rank, strength = int(arrays["rank"]), float(arrays["strength"])
        list(add_adapters(backbone, rank=rank, strength=strength))
        state = {name: torch.from_numpy(arrays[name].astype(np.float32)) for name in arrays.files if name not in {"rank", "strength"}}
    unknown = backbone.load_state_dict(state, strict=False).unexpected_keys
    if unknown:
        raise WeightsError(f"{path} has adapters for {unknown[0]}, which this model lacks")
    for layer in backbone.layers:
        for name, part in list(layer.named_children()):
            if isinstance(part, Adapter):
                setattr(layer, name, part.merged())
    return model, backbone.requires_grad_(requires_grad=False)


def _adapter_arrays(backbone: Backbone) -> Mapping[str, Any]:
    adapter = next(part for part in backbone.modules() if isinstance(part, Adapter))
    rank = len(adapter.narrow)
    arrays = {name: p.detach().numpy().astype(np.float16) for name, p in backbone.named_parameters() if p.requires_grad}
    return {"rank": rank, "strength": adapter.scale * rank, **arrays}
