"""A Unigram (SentencePiece) tokenizer in plain Python: text in, token ids out. Special tokens are the caller's business.

Written because the `tokenizers` library holds 225 MB for XLM-RoBERTa's 250,000 pieces, this one 60, and because here the words
`<s>` or `<mask>` in a customer's text are text, not commands. Checked against the model's own `tokenizer.json`: the same ids for every
composed text tried, unless it spells such a command. Segmentation is the Viterbi path of Kudo (2018), "Subword Regularization",
https://arxiv.org/abs/1804.10959; ties go to the piece that starts first.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence

from feedback_miner.embedders.characters import replace_unencodable

__all__ = ["UnigramTokenizer"]

_MARK = "\u2581"  # SentencePiece's word mark: stands for the space before a word
_WORDS = re.compile(f"{_MARK}[^{_MARK}]*")
_SPACES = re.compile(" {2,}")

_UNKNOWN_PENALTY = 10.0  # SentencePiece's constant: an unknown character costs this much more than the rarest piece
_CACHED_WORD_LENGTH = 24
_CACHED_WORDS = 20_000


class UnigramTokenizer:
    """Pieces with their log-probabilities, ready to segment. Safe to share between threads."""

    def __init__(
        self, pieces: Sequence[str], scores: Sequence[float], *, special: frozenset[str], unknown_id: int, normalization: Mapping[int, str]
    ) -> None:
        self._pieces = {
            piece: (score, token) for token, (piece, score) in enumerate(zip(pieces, scores, strict=True)) if piece not in special
        }
        self._longest = max(map(len, self._pieces))
        self._unknown_id = unknown_id
        self._unknown_score = min(scores) - _UNKNOWN_PENALTY
        self._normalization = normalization
        self._cache: dict[str, tuple[int, ...]] = {}

    def encode(self, text: str, *, limit: int) -> list[int]:
        """Return the ids of the first ``limit`` tokens of ``text``."""
        ids: list[int] = []
        # No token is longer than the longest piece: what lies beyond cannot be among the first, and a novel costs a page. (One more
        # token's length, because the cut itself may change how the last characters before it are split.)
        within_reach = self._normalize(text)[: (limit + 1) * self._longest]
        for word in _WORDS.findall(within_reach):
            ids.extend(self._encode_word(word))
            if len(ids) >= limit:
                break
        return ids[:limit]

    def _normalize(self, text: str) -> str:
        """Map ``text`` to the alphabet of the pieces: composed, compatibility forms folded, each word behind its mark."""
        # Composing first gives canonically equal texts equal ids; the model's table works character by character.
        text = unicodedata.normalize("NFC", replace_unencodable(text)).translate(self._normalization)
        text = _SPACES.sub(" ", text).replace(" ", _MARK)
        return text if text.startswith(_MARK) else _MARK + text

    def _encode_word(self, word: str) -> tuple[int, ...]:
        ids = self._cache.get(word)
        if ids is None:
            ids = self._segment(word)
            if len(word) <= _CACHED_WORD_LENGTH:
                if len(self._cache) >= _CACHED_WORDS:
                    self._cache = {}
                self._cache[word] = ids
        return ids

    def _segment(self, word: str) -> tuple[int, ...]:
        """Find the most probable segmentation (Viterbi): linear in the word's length."""
        length = len(word)
        best = [-float("inf")] * (length + 1)
        best[0] = 0.0
        came_from: list[tuple[int, int]] = [(0, self._unknown_id)] * (length + 1)
        find = self._pieces.get
        for start in range(length):
            so_far = best[start]
            for end in range(start + 1, min(length, start + self._longest) + 1):
                found = find(word[start:end])
                if found is not None and so_far + found[0] > best[end]:
                    best[end] = so_far + found[0]
                    came_from[end] = (start, found[1])
            if word[start] not in self._pieces and so_far + self._unknown_score > best[start + 1]:
                best[start + 1] = so_far + self._unknown_score
                came_from[start + 1] = (start, self._unknown_id)
        ids: list[int] = []
        end = length
        while end > 0:
            end, token = came_from[end]
            if not (token == self._unknown_id and ids and ids[-1] == token):  # a run of unknown characters is one token
                ids.append(token)
        return tuple(reversed(ids))
