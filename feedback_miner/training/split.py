"""The one split rule: rows that share a text or a person are one component, and a component is either training or validation.

In: rows of any number of labelled sets. Out: one boolean for each row, True for validation (one component in five, by hash). No fit,
threshold or calibration may see a validation row; every reported figure uses only those.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from feedback_miner.stages.clean import text_key

__all__ = ["PERSON_COLUMNS", "calibrates", "validation_mask"]

PERSON_COLUMNS = ("respondent_id", "review_id", "pair_id", "user_id")
"""Columns that tie rows of one set together: the same respondent, the same review, a sentence and its translation."""

VALIDATION_FOLDS = 5
_CALIBRATION_FOLDS = 7


def validation_mask(sets: Mapping[str, Sequence[Mapping[str, str]]], *, text: str = "text") -> dict[str, list[bool]]:
    """Tell for each row of each named set whether it is validation.

    Rows are tied over all sets at once (sets copy from each other), by normalised text across sets and by person within one.
    A component is validation if the sha256 of its smallest text key is 0 modulo 5, so the answer for a row depends only on
    its component, never on the order of rows or sets.
    """
    components = _Components()
    keys: dict[str, list[str]] = {}
    for name in sorted(sets):
        keys[name] = [text_key(row.get(text) or "") for row in sets[name]]
        for row, key in zip(sets[name], keys[name], strict=True):
            components.join(f"text:{key}", _person_nodes(name, row))
    return {name: [_fold(components.smallest(f"text:{key}")) == 0 for key in set_keys] for name, set_keys in keys.items()}


def calibrates(text: str) -> bool:
    """Tell whether a training row is of the seventh, by hash, whose sentiment no encoder is taught: heads are calibrated on it."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[0] % _CALIBRATION_FOLDS == 0


def _person_nodes(name: str, row: Mapping[str, str]) -> list[str]:
    return [f"{name}:{column}:{row[column]}" for column in PERSON_COLUMNS if row.get(column)]


def _fold(key: str) -> int:
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) % VALIDATION_FOLDS


class _Components:
    """Disjoint sets with the smallest text key of each as its representative."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def join(self, node: str, others: Iterable[str]) -> None:
        root = self._root(node)
        for other in others:
            first, second = sorted((root, self._root(other)), key=_rank)
            self._parent[second] = first
            root = first

    def smallest(self, node: str) -> str:
        return self._root(node)

    def _root(self, node: str) -> str:
        self._parent.setdefault(node, node)
        while self._parent[node] != node:
            self._parent[node] = self._parent[self._parent[node]]
            node = self._parent[node]
        return node


def _rank(node: str) -> tuple[bool, str]:
    """Texts before persons, then by the key itself: a root that holds any text is its smallest."""
    return (not node.startswith("text:"), node)
