"""What became of each theme from one theme set to the next, told by the opinions they share, and the ids that live on.

Comes in: the leaf of each opinion in an old theme set and in a new one over the same opinions; goes out: ``LineageEvent``s, and the new
theme set under the old ids. Names, texts and vectors play no part: two themes are the same if they hold the same opinions.
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from feedback_miner.domain import LineageEvent, LineageKind, ThemeSet
from feedback_miner.errors import InputError
from feedback_miner.theme_set import theme_set_version

__all__ = ["carry_ids", "trace_lineage"]

_ORDER = tuple(LineageKind)
_MOST = 0.5
"""The share of a theme that counts as most of it."""


def trace_lineage(
    old: Mapping[str, str],
    new: Mapping[str, str],
    *,
    old_leaves: Collection[str] = (),
    new_leaves: Collection[str] = (),
    kept: Collection[str] = (),
    threshold: float = 0.5,
) -> tuple[LineageEvent, ...]:
    """Tell which new leaf continues which old one, and where all the others came from or went.

    ``old`` and ``new`` map the id of an opinion (or a document) to the id of its leaf; what is residual is left out. Leaves without a
    member are named in ``old_leaves`` and ``new_leaves``, which may list the others too. ``kept`` are leaves on both sides that continue
    whatever they share: somebody saw to it.

    A new leaf *continues* an old one if their Jaccard reaches ``threshold``: the closest pair first, each leaf at most once. (Above one
    half nobody else can; among equals the pair that shares more goes first, then the one with the first opinion by id.) Of what is
    left, an old leaf was *merged* into the new leaf that holds most of it, and a new leaf was *split* from the old leaf that most of it
    comes from; a pair that is both is told from its smaller side. An old leaf most of which is in none of these was *retired*; a new leaf
    most of which is from none of these was *born*.

    Every leaf is in an event. Events come by kind, then by ids; neither the order of the opinions nor the wording of leaf ids decides.
    Raises InputError unless 0 < ``threshold`` <= 1.
    """
    if not 0.0 < threshold <= 1.0:
        raise InputError(f"lineage threshold {threshold} is not a Jaccard similarity; give a number above 0, at most 1")
    overlap = _Overlap.count(old, new)
    continued = overlap.match(threshold, kept)
    events = [overlap.event(LineageKind.CONTINUED, *pair) for pair in continued.items()]
    lost, fresh = {*old.values(), *old_leaves} - continued.keys(), {*new.values(), *new_leaves} - set(continued.values())
    explained_old, explained_new = Counter[str](), Counter[str]()
    for before, after in overlap.shared:
        tie = overlap.event(LineageKind.SPLIT, before, after)
        merged = before in lost and tie.share_of_old >= _MOST
        split = after in fresh and tie.share_of_new >= _MOST
        if merged or split:
            smaller_old = merged and (not split or tie.old_opinions < tie.new_opinions)
            events.append(replace(tie, kind=LineageKind.MERGED) if smaller_old else tie)
            explained_old[before] += tie.shared
            explained_new[after] += tie.shared
    retired = (leaf for leaf in lost if explained_old[leaf] < max(1, _MOST * overlap.old[leaf]))
    born = (leaf for leaf in fresh if explained_new[leaf] < max(1, _MOST * overlap.new[leaf]))
    events += [overlap.event(LineageKind.RETIRED, leaf, overlap.closest_new(leaf)) for leaf in retired]
    events += [overlap.event(LineageKind.BORN, overlap.closest_old(leaf), leaf) for leaf in born]
    return tuple(sorted(events, key=lambda event: (_ORDER.index(event.kind), event.old or "", event.new or "")))


def carry_ids(old: ThemeSet, new: ThemeSet, lineage: tuple[LineageEvent, ...], *, retired: Collection[str] = ()) -> ThemeSet:
    """Return ``new`` with the ids of the leaves it continues, and of the parents whose leaves it continues.

    ``lineage`` is ``trace_lineage`` of the two. An old leaf that none continues leaves its id to its closest heir: of the parts it was
    split into, or the leaf it was merged into with others, the one with the highest Jaccard that has no id of its own yet. Parents are
    matched as leaves are, by the leaves they share instead of opinions. A theme that inherits nothing keeps the id it has, unless that id
    was ever another theme's: of ``old``, or among ``retired``, the ids that died earlier. Nothing but ids and the version changes; with no
    id to change, ``new`` itself comes back.
    """
    carried = _inherited(lineage)
    leaves = {theme.id: theme.parent for theme in new.themes if theme.parent is not None}
    families = trace_lineage(
        {theme.id: theme.parent for theme in old.themes if theme.parent is not None},
        {carried.get(leaf, f"new {leaf}"): parent for leaf, parent in leaves.items()},
    )
    carried |= _inherited(families)
    taken = {*retired, *(theme.id for theme in old.themes)}
    ids = dict(carried)
    for theme in new.themes:
        if theme.id not in carried:
            ids[theme.id] = _free_id(theme.id, taken)
            taken.add(ids[theme.id])
    if all(before == after for before, after in ids.items()):
        return new
    themes = [replace(theme, id=ids[theme.id], parent=None if theme.parent is None else ids[theme.parent]) for theme in new.themes]
    renamed = replace(
        new,
        themes=tuple(sorted(themes, key=lambda theme: theme.id)),
        prototype_themes=tuple(ids[leaf] for leaf in new.prototype_themes),
    )
    return replace(renamed, version=theme_set_version(renamed))


def _inherited(lineage: tuple[LineageEvent, ...]) -> dict[str, str]:
    """Return new id -> old id, one to one: what continues first, then the closest heirs."""
    kinds = (LineageKind.CONTINUED, LineageKind.MERGED, LineageKind.SPLIT)
    ties = [event for event in lineage if event.kind in kinds]
    ties.sort(key=lambda tie: (tie.kind is not LineageKind.CONTINUED, -tie.jaccard, -tie.shared, tie.old or "", tie.new or ""))
    carried: dict[str, str] = {}
    given: set[str] = set()
    for tie in ties:
        if tie.new is not None and tie.old is not None and tie.new not in carried and tie.old not in given:
            carried[tie.new] = tie.old
            given.add(tie.old)
    return carried


@dataclass(frozen=True, slots=True)
class _Overlap:
    """Opinions of each old leaf, of each new leaf, and of each pair that shares any, the closest pairs first."""

    old: Counter[str]
    new: Counter[str]
    shared: dict[tuple[str, str], int]

    @classmethod
    def count(cls, old: Mapping[str, str], new: Mapping[str, str]) -> "_Overlap":
        before, after = Counter(old.values()), Counter(new.values())
        shared = Counter((leaf, new[opinion]) for opinion, leaf in old.items() if opinion in new)
        first_old, first_new = _first_opinions(old), _first_opinions(new)

        def rank(pair: tuple[str, str]) -> tuple[float, int, str, str]:
            both = shared[pair]
            return -both / (before[pair[0]] + after[pair[1]] - both), -both, first_old[pair[0]], first_new[pair[1]]

        return cls(before, after, {pair: shared[pair] for pair in sorted(shared, key=rank)})

    def event(self, kind: LineageKind, old: str | None, new: str | None) -> LineageEvent:
        shared = self.shared.get((old, new), 0) if old is not None and new is not None else 0
        return LineageEvent(kind, old, new, shared, self.old[old] if old is not None else 0, self.new[new] if new is not None else 0)

    def match(self, threshold: float, kept: Collection[str]) -> dict[str, str]:
        """Pair old leaves with new ones, one to one; those ``kept`` with themselves."""
        matched = {leaf: leaf for leaf in kept}
        taken = set(kept)
        for old, new in self.shared:
            if old not in matched and new not in taken and self.event(LineageKind.CONTINUED, old, new).jaccard >= threshold:
                matched[old] = new
                taken.add(new)
        return matched

    def closest_new(self, leaf: str) -> str | None:
        """Return the new leaf that shares most with an old one, if any does."""
        return max((pair for pair in self.shared if pair[0] == leaf), key=self.shared.__getitem__, default=(leaf, None))[1]

    def closest_old(self, leaf: str) -> str | None:
        """Return the old leaf that shares most with a new one, if any does."""
        return max((pair for pair in self.shared if pair[1] == leaf), key=self.shared.__getitem__, default=(None, leaf))[0]


def _first_opinions(membership: Mapping[str, str]) -> dict[str, str]:
    """Return the first opinion by id of each leaf."""
    first: dict[str, str] = {}
    for opinion, leaf in membership.items():
        first[leaf] = min(first.get(leaf, opinion), opinion)
    return first


def _free_id(wished: str, taken: Collection[str]) -> str:
    """Return the id itself, or where it was given away one of its kind that follows from it."""
    free, turn = wished, 0
    while free in taken:
        turn += 1
        free = f"{wished.partition('-')[0]}-{hashlib.sha256(f'{wished} {turn}'.encode()).hexdigest()[:8]}"
    return free
