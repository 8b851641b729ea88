"""The whole log on a theme set, old or new: what holds, what is known of themes beside the set, what is corrected, and what cannot hold.

Comes in: a fitted theme set, the log, and the places of the opinions that it names; goes out: a ``Replay``. An edit that cannot hold stops
no other.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from feedback_miner.domain import Aspect, CauseScore, Coding, FeedbackType, Polarity, ResidualReason, Sentiment, ThemeScore, ThemeSet
from feedback_miner.edits.checks import OPINION_KINDS, THEME_KINDS, check_edit
from feedback_miner.edits.log import Edit, active_edits
from feedback_miner.edits.themes import Places, apply_theme_edit, nearest_part, part_ids, with_version
from feedback_miner.errors import ConflictError, InputError, NotFoundError

__all__ = ["Conflict", "Replay", "ThemeNotes", "apply_to_coding", "named_opinions", "named_themes", "replay", "theme_notes"]

_NOTE_KINDS = ("hide", "pin", "plan")
_CERTAIN = {
    Polarity.NEGATIVE: Sentiment(1.0, 0.0, 0.0),
    Polarity.NEUTRAL: Sentiment(0.0, 1.0, 0.0),
    Polarity.POSITIVE: Sentiment(0.0, 0.0, 1.0),
}


@dataclass(frozen=True, slots=True)
class ThemeNotes:
    """What analysts decided about a theme or a cause, beside what it is."""

    hidden: bool = False
    pinned: bool = False
    owner: str | None = None
    effort: str | None = None
    """``small``, ``medium`` or ``large``."""
    status: str | None = None
    """``open``, ``planned``, ``done`` or ``dismissed``."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """An edit that does not hold here, and why."""

    number: int
    kind: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Replay:
    """A log, replayed."""

    theme_set: ThemeSet
    """With the edits of themes; it has learned nothing yet: ``learn_prototypes(theme_set, moved)``."""
    notes: Mapping[str, ThemeNotes]
    """By theme or cause; of those alone that are in the theme set."""
    corrections: Mapping[str, tuple[Edit, ...]]
    """What was said of each opinion, by number, for ``apply_to_coding``; moves name the leaf that their theme has become since.

    That an opinion is an example of a part of a split is a move into that part.
    """
    moved: tuple[tuple[str, NDArray[np.float32]], ...]
    """(leaf, row in the theme space) of each opinion that was put into a theme and is there still, in the order of the edits."""
    conflicts: tuple[Conflict, ...]
    """By number."""


def named_opinions(log: Sequence[Edit]) -> frozenset[str]:
    """Return the ids of the opinions that edits in force name: those whose places ``replay`` asks for."""
    named: set[str] = set()
    for edit in active_edits(log):
        if edit.kind in OPINION_KINDS:
            named.add(str(edit.values["opinion"]))
        elif edit.kind == "split":
            named.update(opinion for group in edit.examples for opinion in group)
    return frozenset(named)


def named_themes(log: Sequence[Edit]) -> frozenset[str]:
    """Return the ids of the themes that edits in force name: those that analysts have worked on."""
    named: set[str] = set()
    for edit in active_edits(log):
        named.update(str(edit.values[name]) for name in ("theme", "parent", "into") if edit.values.get(name) is not None)
        if edit.kind == "merge":
            named.update(edit.ids("themes"))
    return frozenset(named)


def replay(theme_set: ThemeSet, log: Sequence[Edit], *, places: Places = MappingProxyType({})) -> Replay:
    """Replay a log on a fitted theme set: that which it was written on, a later wave's, or one mined anew.

    ``places`` holds the row in the theme space of every opinion of ``named_opinions(log)`` that is still there; one that is not in it is
    gone. Every active edit is checked and applied at its place in the log. One that names what is not there at that place is a conflict,
    and all others hold without it. Raises InputError for a damaged log, or a theme set that has learned.
    """
    edited = theme_set
    if theme_set.learned:
        raise InputError(f"theme set {theme_set.version} has learned from edits already; replay them on the one that was fitted")
    held: list[Edit] = []
    conflicts: list[Conflict] = []
    for edit in active_edits(log):
        try:
            checked = replace(edit, values=check_edit(edit.kind, edit.values, edited))
            if edit.kind in OPINION_KINDS and edit.values["opinion"] not in places:
                raise NotFoundError(f"opinion '{edit.values['opinion']}' is gone; nothing is left to {edit.kind}: undo the edit")
            if edit.kind in THEME_KINDS:
                edited = apply_theme_edit(edited, edit, places)
        except (InputError, NotFoundError, ConflictError) as error:
            conflicts.append(Conflict(edit.number, edit.kind, str(error)))
        else:
            held.append(checked)
    corrections = _corrections(held, places)
    there = {*(theme.id for theme in edited.themes), *edited.cause_ids}
    return Replay(
        theme_set=with_version(theme_set, edited),
        notes={subject: notes for subject, notes in theme_notes(held).items() if subject in there},
        corrections=corrections,
        moved=_moved(corrections, places),
        conflicts=tuple(conflicts),
    )


def theme_notes(edits: Sequence[Edit]) -> dict[str, ThemeNotes]:
    """Return what edits of kind ``hide``, ``pin`` and ``plan`` say of each theme and cause; later ones over earlier, by id."""
    notes: dict[str, ThemeNotes] = {}
    for edit in edits:
        if edit.kind in _NOTE_KINDS:
            subject = str(edit.values.get("theme", edit.values.get("cause")))
            said = {name: value for name, value in edit.values.items() if name not in ("theme", "cause")}
            notes[subject] = replace(notes.get(subject, ThemeNotes()), **said)  # type: ignore[arg-type]  # checked by check_edit
    return {subject: notes[subject] for subject in sorted(notes) if notes[subject] != ThemeNotes()}


def apply_to_coding(coding: Coding, edits: Sequence[Edit], *, span: tuple[int, int] = (0, 0)) -> Coding:
    """Return the coding with an analyst's word in place of the machine's, and ``edited`` naming the fields that were said by one.

    ``edits`` are those of this opinion in ``Replay.corrections``; others in them are passed over. ``span`` is the opinion's place in its
    document: the evidence of causes that were not there before. A move gives the leaf with strength 1, or none with residual reason
    ``moved_out``; ``no_content`` takes everything back that was read in the opinion, unless a later edit finds something in it after
    all. A corrected sentiment is certain. Corrected causes are certain and replace the aspects; as everywhere, they count as causes where
    the opinion is negative, and where it turned negative, its aspects do.
    """
    own = [edit for edit in edits if edit.kind in OPINION_KINDS and edit.values["opinion"] == coding.opinion]
    if not own:
        return coding
    if own[-1].kind == "no_content":
        return replace(
            coding,
            themes=(),
            residual=ResidualReason.NO_CONTENT,
            sentiment=_CERTAIN[Polarity.NEUTRAL],
            type=FeedbackType.STATEMENT,
            aspects=(),
            causes=(),
            edited=("themes", "sentiment", "type", "causes"),
        )
    said: dict[str, object] = {}
    for edit in own:
        said |= {name: value for name, value in edit.values.items() if name != "opinion"}
    edited = coding
    if "theme" in said:
        theme = said["theme"]
        edited = replace(
            edited,
            themes=() if theme is None else (ThemeScore(str(theme), 1.0),),
            residual=ResidualReason.MOVED_OUT if theme is None else None,
        )
    if "sentiment" in said:
        edited = replace(edited, sentiment=_CERTAIN[Polarity(str(said["sentiment"]))])
    if "type" in said:
        edited = replace(edited, type=FeedbackType(str(said["type"])))
    causes = said.get("causes")
    if isinstance(causes, list | tuple):
        edited = replace(edited, aspects=tuple(Aspect(str(cause), 1.0) for cause in causes))
    if "sentiment" in said or "causes" in said:
        edited = replace(edited, causes=_causes(edited, coding, span))
    fields = {"theme": "themes", "sentiment": "sentiment", "type": "type", "causes": "causes"}
    return replace(edited, edited=tuple(field for name, field in fields.items() if name in said))


def _causes(edited: Coding, before: Coding, span: tuple[int, int]) -> tuple[CauseScore, ...]:
    """Return the aspects of a negative opinion as causes: as they were read, where they were, else without a runner-up."""
    if edited.sentiment.label is not Polarity.NEGATIVE:
        return ()
    known = {cause.cause: cause for cause in before.causes}
    causes = []
    for aspect in edited.aspects:
        read = known.get(aspect.cause)
        same = read is not None and read.score == aspect.score
        causes.append(read if read is not None and same else CauseScore(aspect.cause, aspect.score, None, 0.0, *span))
    return tuple(causes)


def _corrections(held: Sequence[Edit], places: Places) -> dict[str, tuple[Edit, ...]]:
    """Gather the edits of each opinion, by its id."""
    by_opinion: dict[str, list[Edit]] = {}
    for edit in held:
        for said in _of_opinions(edit, places):
            by_opinion.setdefault(str(said.values["opinion"]), []).append(_follow(said, held, places))
    return {opinion: tuple(by_opinion[opinion]) for opinion in sorted(by_opinion)}


def _of_opinions(edit: Edit, places: Places) -> Iterator[Edit]:
    """Yield what an edit says of single opinions; of a split, a move of each example into its part: an analyst put it there."""
    if edit.kind in OPINION_KINDS:
        yield edit
    elif edit.kind == "split":
        for part, examples in zip(part_ids(edit), edit.examples, strict=True):
            yield from (replace(edit, kind="move", values={"opinion": id_, "theme": part}) for id_ in examples if id_ in places)


def _follow(edit: Edit, held: Sequence[Edit], places: Places) -> Edit:
    """Let a move name what its theme has become by later merges and splits."""
    theme = edit.values.get("theme")
    if edit.kind != "move" or theme is None:
        return edit
    for later in held:
        if later.number > edit.number:
            if later.kind == "merge" and theme in later.ids("themes"):
                theme = later.values["into"]
            elif later.kind == "split" and theme == later.values["theme"]:
                theme = nearest_part(later, str(edit.values["opinion"]), places)
    return replace(edit, values={**edit.values, "theme": theme})


def _moved(corrections: Mapping[str, tuple[Edit, ...]], places: Places) -> tuple[tuple[str, NDArray[np.float32]], ...]:
    """Return where the last move of each opinion took it, unless it was found to say nothing in the end."""
    found: list[tuple[int, str, str]] = []
    for opinion, edits in corrections.items():
        moves = [edit for edit in edits if edit.kind == "move"]
        if moves and edits[-1].kind != "no_content" and moves[-1].values["theme"] is not None:
            found.append((moves[-1].number, str(moves[-1].values["theme"]), opinion))
    return tuple((leaf, places[opinion]) for _, leaf, opinion in sorted(found))
