"""The student's vocabulary: the pieces of XLM-RoBERTa's 250,000 that our users write, every single character it has, and bytes for what it
lacks.

In: the packed model and texts. Out: ``tokenizer.json`` (read by the library `tokenizers`) and the word table of those pieces. Words
keep the vectors they have, four bits a weight: a piece that no training text held means what it meant.
"""

import json
import re
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from feedback_miner.embedders.e5_weights import PackedModel
from feedback_miner.embedders.feedback_small import SHIPPED
from feedback_miner.embedders.unigram import UnigramTokenizer
from feedback_miner.weights import manifest_hashes, model_path

__all__ = ["BEGIN", "BYTES", "END", "SMALL", "TokenReader", "build_tokenizer", "choose_pieces", "shipped_pieces", "table_rows"]

BEGIN, END, _UNKNOWN = 0, 1, 2
BYTES = 3
"""Token of byte 0; the other 255 follow."""
SMALL = BYTES + 256
"""How many tokens are none of the model's pieces; those follow, in its order."""

_MARK = "\u2581"
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")
_KANA = re.compile("[\u3040-\u30ff]")
_NEVER = -1e3
"""Score of the markers' names and of ``<0x41>`` and its kin, so that a customer who types them is read as having typed them."""


def choose_pieces(model: PackedModel, texts: Iterable[str], *, known: Collection[str] = (), most_tokens: int = 192) -> list[int]:
    """Return the places in the model's vocabulary of what is kept, ascending: what occurs or is known, characters, Chinese words."""
    special = frozenset({"<s>", "<pad>", "</s>", "<unk>", "<mask>"})
    tokenizer = UnigramTokenizer(
        model.pieces, model.scores, special=special, unknown_id=model.unknown_id, normalization=model.normalization
    )
    kept = {token for text in texts for token in tokenizer.encode(text, limit=most_tokens)}
    for token, piece in enumerate(model.pieces):
        if len(piece.removeprefix(_MARK)) <= 1 or piece in known or (_HAN.search(piece) and not _KANA.search(piece)):
            kept.add(token)
    return sorted(token for token in kept if model.pieces[token] not in special)


def shipped_pieces() -> frozenset[str]:
    """Return the pieces of the student that ships, none while there is none: a student of a few hundred comments keeps its vocabulary."""
    name = f"{SHIPPED}/tokenizer.json"
    if name not in manifest_hashes():
        return frozenset()
    return frozenset(piece for piece, _ in json.loads(model_path(name).read_text("utf-8"))["model"]["vocab"][SMALL:])


def build_tokenizer(model: PackedModel, kept: Sequence[int]) -> bytes:
    """Return ``tokenizer.json``: Unigram over the kept pieces, unknown characters as their bytes, a marker at either end."""
    pieces = [["<s>", _NEVER], ["</s>", _NEVER], ["<unk>", _NEVER], *([f"<0x{byte:02X}>", _NEVER] for byte in range(256))]
    pieces += [[model.pieces[token], round(model.scores[token], 4)] for token in kept]
    tokenizer: dict[str, Any] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": {"type": "NFKC"},
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "WhitespaceSplit"},
                {"type": "Metaspace", "replacement": _MARK, "prepend_scheme": "always", "split": True},
            ],
        },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [
                {"SpecialToken": {"id": "<s>", "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}},
                {"SpecialToken": {"id": "</s>", "type_id": 0}},
            ],
            "pair": [],
            "special_tokens": {name: {"id": name, "ids": [place], "tokens": [name]} for name, place in (("<s>", BEGIN), ("</s>", END))},
        },
        "decoder": None,
        "model": {"type": "Unigram", "unk_id": _UNKNOWN, "byte_fallback": True, "vocab": pieces},
    }
    return json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":")).encode()


def table_rows(model: PackedModel, kept: Sequence[int]) -> list[int]:
    """Return which of the model's pieces each token of `build_tokenizer` is; a byte is its unknown one."""
    return [model.begin_id, model.end_id, *[model.unknown_id] * (SMALL - 2), *kept]


class TokenReader:
    """Texts in, tokens out, as teacher and student read them."""

    def __init__(self, tokenizer: bytes, *, most_tokens: int) -> None:
        import tokenizers

        self._tokenizer = tokenizers.Tokenizer.from_buffer(tokenizer)
        self._tokenizer.enable_truncation(most_tokens)

    def read(self, texts: Sequence[str]) -> list[list[int]]:
        """Return each text's tokens, markers included, cut at the most."""
        return [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
