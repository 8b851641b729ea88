"""The log of edits: only ever added to. Taking an edit back adds an entry that names it, and so does putting it on again.

Comes in: entries; goes out: the edits that hold, and whether one may be taken back. Never looks at a theme set.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from feedback_miner.errors import ConflictError, InputError, NotFoundError

__all__ = ["Edit", "active_edits", "check_reversal"]

_REVERSALS = ("undo", "redo")


@dataclass(frozen=True, slots=True)
class Edit:
    """An entry of the log."""

    number: int
    """Its place in the log, rising; what ``undo`` and ``redo`` name, and what the ids of the themes it makes follow from."""
    kind: str
    values: Mapping[str, object]
    """By kind, as ``check_edit`` or ``check_reversal`` returned them. Ids and names; never a customer's words."""
    author: str
    created_at: datetime

    def ids(self, name: str) -> tuple[str, ...]:
        """Return a value that is a list of ids."""
        value = self.values[name]
        return tuple(value) if isinstance(value, list | tuple) else ()

    @property
    def examples(self) -> tuple[tuple[str, ...], ...]:
        """Of a split: the opinions of each part."""
        value = self.values["examples"]
        return tuple(tuple(group) for group in value) if isinstance(value, list | tuple) else ()


def active_edits(log: Sequence[Edit]) -> tuple[Edit, ...]:
    """Return the edits that hold, by number: all but those whose newest reversal is an ``undo``.

    An edit that was put on again holds at its own place, not at that of the ``redo``: undo and redo together change nothing. Raises
    InputError where the log is damaged: a number twice, or a reversal of what is no earlier edit.
    """
    edits: dict[int, Edit] = {}
    seen: set[int] = set()
    off: set[int] = set()
    for entry in sorted(log, key=lambda entry: entry.number):
        if entry.number in seen:
            raise InputError(f"the log of edits is damaged: there are two with number {entry.number}; restore it from a backup")
        seen.add(entry.number)
        if entry.kind not in _REVERSALS:
            edits[entry.number] = entry
            continue
        named = entry.values.get("edit")
        if not isinstance(named, int) or named not in edits:
            raise InputError(f"the log of edits is damaged: {entry.kind} {entry.number} names no earlier edit; restore it from a backup")
        if entry.kind == "undo":
            off.add(named)
        else:
            off.discard(named)
    return tuple(edit for number, edit in edits.items() if number not in off)


def check_reversal(kind: str, values: Mapping[str, object], log: Sequence[Edit]) -> dict[str, object]:
    """Return the values of an ``undo`` or ``redo``, ``{"edit": number}``, if the log allows it.

    Raises InputError where the values are not that, or name a reversal; NotFoundError where there is no such edit; ConflictError where
    it is off, or on, already.
    """
    if kind not in _REVERSALS:
        raise InputError(f"'{kind}' reverses no edit; give undo or redo")
    number = values.get("edit")
    if set(values) != {"edit"} or isinstance(number, bool) or not isinstance(number, int):
        raise InputError(f"{kind} takes the number of an edit; give {{'edit': number}} and nothing else")
    named = next((entry for entry in log if entry.number == number), None)
    if named is None:
        raise NotFoundError(f"there is no edit {number}; the log has {len(log)} entries: name the number of one of them")
    if named.kind in _REVERSALS:
        other = "redo" if named.kind == "undo" else "undo"
        raise InputError(f"edit {number} is itself the {named.kind} of edit {named.values.get('edit')}; to reverse it, {other} that edit")
    holds = any(edit.number == number for edit in active_edits(log))
    if holds == (kind == "redo"):
        raise ConflictError(f"edit {number} is {'on' if holds else 'off'} already; look at the log again: somebody may have been faster")
    return {"edit": number}
