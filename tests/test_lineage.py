"""What became of each theme: planted fates, properties of any two theme sets, ids that live on."""

import random
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_miner.domain import LineageEvent, LineageKind, Theme, ThemeSet
from feedback_miner.errors import InputError
from feedback_miner.lineage import carry_ids, trace_lineage
from feedback_miner.theme_set import theme_set_version

Membership = dict[str, str]


def members(**leaves: range) -> Membership:
    """Leaf -> numbers of its opinions, turned round."""
    return {f"o{number:03}": leaf for leaf, numbers in leaves.items() for number in numbers}


def told(events: tuple[LineageEvent, ...]) -> list[tuple[str, str | None, str | None]]:
    return [(event.kind.value, event.old, event.new) for event in events]


FATES: dict[str, tuple[Membership, Membership, list[tuple[str, str | None, str | None]]]] = {
    "nothing": ({}, {}, []),
    "the same": (members(a=range(10)), members(x=range(10)), [("continued", "a", "x")]),
    "some left, some came": (members(a=range(10)), members(x=range(2, 13)), [("continued", "a", "x")]),
    "born out of the residual": (
        members(a=range(10)),
        members(x=range(10), y=range(20, 30)),
        [("continued", "a", "x"), ("born", None, "y")],
    ),
    "retired to the residual": (
        members(a=range(10), b=range(20, 30)),
        members(x=range(10)),
        [("continued", "a", "x"), ("retired", "b", None)],
    ),
    "a small one merged into a large one": (
        members(a=range(20), b=range(20, 25)),
        members(x=range(25)),
        [("continued", "a", "x"), ("merged", "b", "x")],
    ),
    "two of a size merged": (
        members(a=range(10), b=range(10, 20), c=range(20, 30)),
        members(x=range(30)),
        [("merged", "a", "x"), ("merged", "b", "x"), ("merged", "c", "x")],
    ),
    "a small one split off": (
        members(a=range(25)),
        members(x=range(20), y=range(20, 25)),
        [("continued", "a", "x"), ("split", "a", "y")],
    ),
    "split in three": (
        members(a=range(30)),
        members(x=range(10), y=range(10, 20), z=range(20, 30)),
        [("split", "a", "x"), ("split", "a", "y"), ("split", "a", "z")],
    ),
    "split between two others": (
        members(a=range(40), b=range(40, 80), c=range(80, 90)),
        members(x=range(44), y=range(44, 48), z=range(48, 90)),
        [("continued", "a", "x"), ("continued", "b", "z"), ("merged", "c", "z"), ("split", "b", "y")],
    ),
    "scattered, not split": (
        members(a=range(9), b=range(20, 30), c=range(30, 40), d=range(40, 50)),
        members(x=[0, 1, 2, *range(20, 30)], y=[3, 4, 5, *range(30, 40)], z=[6, 7, 8, *range(40, 50)]),
        [("continued", "b", "x"), ("continued", "c", "y"), ("continued", "d", "z"), ("retired", "a", "x")],
    ),
    "gathered from everywhere, not merged": (
        members(b=range(20, 30), c=range(30, 40), d=range(40, 50)),
        members(x=range(23, 30), y=range(33, 40), z=range(43, 50), w=[20, 21, 22, 30, 31, 32, 40, 41, 42]),
        [("continued", "b", "x"), ("continued", "c", "y"), ("continued", "d", "z"), ("born", "b", "w")],
    ),
    "faded to a part of itself": (
        members(a=range(20)),
        members(x=range(5)),
        [("split", "a", "x"), ("retired", "a", "x")],
    ),
    "dissolved in something much larger": (
        members(a=range(5)),
        members(x=range(20)),
        [("merged", "a", "x"), ("born", "a", "x")],
    ),
    "all residual before": ({}, members(x=range(4), y=range(4, 8)), [("born", None, "x"), ("born", None, "y")]),
    "all residual after": (members(a=range(4)), {}, [("retired", "a", None)]),
}


@pytest.mark.parametrize("fate", FATES)
def test_tells_a_planted_fate(fate: str) -> None:
    old, new, expected = FATES[fate]
    assert told(trace_lineage(old, new)) == expected


def test_proves_each_event_with_its_overlap() -> None:
    old, new = members(a=range(20), b=range(20, 25)), members(x=range(5, 25), y=range(30, 33))
    continued, merged, born = trace_lineage(old, new)
    assert (continued.shared, continued.old_opinions, continued.new_opinions) == (15, 20, 20)
    assert (continued.jaccard, continued.share_of_old, continued.share_of_new) == (15 / 25, 15 / 20, 15 / 20)
    assert (merged.shared, merged.old_opinions, merged.new_opinions) == (5, 5, 20)
    assert (merged.jaccard, merged.share_of_old, merged.share_of_new) == (5 / 20, 1.0, 5 / 20)
    assert (born.old, born.shared, born.old_opinions, born.new_opinions, born.jaccard, born.share_of_old) == (None, 0, 0, 3, 0.0, 0.0)


def test_accounts_for_leaves_without_a_member() -> None:
    events = trace_lineage(members(a=range(3)), members(x=range(3)), old_leaves=["a", "b"], new_leaves=["x", "y"])
    assert told(events) == [("continued", "a", "x"), ("born", None, "y"), ("retired", "b", None)]


def test_lets_the_closest_pair_go_first() -> None:
    """With a low threshold two new leaves could continue the old one."""
    events = trace_lineage(members(a=range(10)), members(x=range(4), y=range(4, 10)), threshold=0.3)
    assert told(events) == [("continued", "a", "y"), ("split", "a", "x")]


@pytest.mark.parametrize(("first", "second"), [("x", "y"), ("y", "x")])
def test_breaks_a_tie_by_the_opinions_whatever_the_leaves_are_called(first: str, second: str) -> None:
    old, new = members(a=range(4)), members(**{first: range(2), second: range(2, 4)})
    assert told(trace_lineage(old, new)) == [("continued", "a", first), ("split", "a", second)]


@pytest.mark.parametrize("threshold", [0.0, -1.0, 1.1, float("nan")])
def test_refuses_a_threshold_that_is_no_similarity(threshold: float) -> None:
    with pytest.raises(InputError, match="above 0, at most 1"):
        trace_lineage({}, {}, threshold=threshold)


def test_takes_only_the_same_for_continued_where_it_is_asked_to() -> None:
    old, new = members(a=range(10), b=range(10, 20)), members(x=range(10), y=range(10, 19))
    assert told(trace_lineage(old, new, threshold=1.0)) == [("continued", "a", "x"), ("split", "b", "y")]


def test_takes_what_was_kept_for_continued_whatever_it_shares() -> None:
    old, new = members(a=range(10), b=range(10, 20)), members(a=range(3), x=range(3, 10), b=range(10, 20))
    assert told(trace_lineage(old, new)) == [("continued", "a", "x"), ("continued", "b", "b"), ("split", "a", "a")]
    kept = trace_lineage(old, new, kept=["a"])
    assert told(kept) == [("continued", "a", "a"), ("continued", "b", "b"), ("split", "a", "x")]
    assert (kept[0].shared, kept[0].old_opinions, kept[0].new_opinions) == (3, 10, 3)


_MEMBERSHIP = st.dictionaries(st.integers(0, 30).map("o{:02}".format), st.sampled_from("abcdefg"), max_size=30)


@given(_MEMBERSHIP, _MEMBERSHIP, st.floats(0.05, 1.0))
def test_accounts_for_every_leaf_of_any_two_sets(old: Membership, new: Membership, threshold: float) -> None:
    events = trace_lineage(old, new, threshold=threshold)
    assert {event.old for event in events if event.kind is not LineageKind.BORN} >= set(old.values())
    assert {event.new for event in events if event.kind is not LineageKind.RETIRED} >= set(new.values())
    continued = [event for event in events if event.kind is LineageKind.CONTINUED]
    assert len({event.old for event in continued}) == len({event.new for event in continued}) == len(continued)
    fates: dict[str | None, set[LineageKind]] = defaultdict(set)
    for event in events:
        shared = sum(new.get(opinion, 0) == event.new for opinion, leaf in old.items() if leaf == event.old)
        assert (event.shared, event.old_opinions) == (shared, Counter(old.values())[event.old])
        assert event.new_opinions == Counter(new.values())[event.new]
        if event.kind is LineageKind.CONTINUED:
            assert event.jaccard >= threshold
        if event.kind is LineageKind.MERGED:
            assert event.share_of_old >= 0.5
        if event.kind is LineageKind.SPLIT:
            assert event.share_of_new >= 0.5
        if event.kind not in (LineageKind.BORN, LineageKind.SPLIT):
            fates[event.old].add(event.kind)
    assert all(len(fate) == 1 for fate in fates.values()), "continued, merged or retired, never two of them"
    assert len(set(told(events))) == len(events)


@given(_MEMBERSHIP, _MEMBERSHIP, st.randoms(use_true_random=False))
def test_depends_on_no_order_and_on_no_name(old: Membership, new: Membership, draw: random.Random) -> None:
    events = trace_lineage(old, new, threshold=0.3)
    shuffled = [dict(draw.sample(sorted(side.items()), len(side))) for side in (old, new)]
    assert trace_lineage(*shuffled, threshold=0.3) == events
    names = dict(zip("abcdefg", draw.sample("tuvwxyz", 7), strict=True))
    renamed = trace_lineage({o: names[leaf] for o, leaf in old.items()}, {o: names[leaf] for o, leaf in new.items()}, threshold=0.3)
    expected = {replace(event, old=names.get(event.old or ""), new=names.get(event.new or "")) for event in events}
    assert {event for event in renamed if event.kind is not LineageKind.BORN} == {
        event for event in expected if event.kind is not LineageKind.BORN
    }
    assert set(told(renamed)) == set(told(tuple(expected)))


@given(_MEMBERSHIP)
def test_continues_everything_in_itself(membership: Membership) -> None:
    events = trace_lineage(membership, membership)
    assert told(events) == [("continued", leaf, leaf) for leaf in sorted(set(membership.values()))]


def make_theme_set(leaves: Mapping[str, str]) -> ThemeSet:
    """Leaf -> parent; one prototype for each leaf, in the order given."""
    themes = [Theme(leaf, parent, {"en": f"about {leaf}"}) for leaf, parent in leaves.items()]
    themes += [Theme(parent, None, {"en": f"all of {parent}"}) for parent in sorted(set(leaves.values()))]
    count = len(leaves)
    theme_set = ThemeSet(
        version="",
        themes=tuple(sorted(themes, key=lambda theme: theme.id)),
        encoder="tiny",
        encoder_version="tiny-1",
        heads_version="h-1",
        prototypes=np.eye(count, 9, dtype=np.float32),
        prototype_themes=tuple(leaves),
        thresholds=np.full(count, 0.5, np.float32),
        language_means={"und": np.zeros(8, np.float32)},
        projection=np.zeros((8, 0), np.float32),
        masks=(),
        taxonomy={},
        cause_ids=("unmapped",),
        cause_weights=np.zeros((9, 1, 1), np.float32),
        cause_priors=np.ones((count, 1), np.float32),
        cause_threshold=0.25,
    )
    return replace(theme_set, version=theme_set_version(theme_set))


def carried(
    old: Mapping[str, str], new: Mapping[str, str], pairs: Mapping[str, str], *, retired: tuple[str, ...] = ()
) -> tuple[ThemeSet, dict[str, str]]:
    """Carry ids where ``pairs`` (new -> old) share their only opinion; return the set and what each new id became."""
    before = {f"o-{leaf}": leaf for leaf in old}
    after = {f"o-{pairs[leaf]}" if leaf in pairs else f"o-new-{leaf}": leaf for leaf in new}
    fresh = make_theme_set(new)
    result = carry_ids(make_theme_set(old), fresh, trace_lineage(before, after), retired=retired)
    became = dict(zip(fresh.prototype_themes, result.prototype_themes, strict=True))
    parents = {theme.id: theme.parent for theme in result.themes}
    became |= {new[leaf]: parents[became[leaf]] or "" for leaf in new}
    return result, became


OLD = {"t-1": "p-1", "t-2": "p-1", "t-3": "p-2"}


def test_carries_the_ids_of_leaves_and_of_their_parents() -> None:
    result, became = carried(OLD, {"t-9": "p-8", "t-8": "p-8", "t-7": "p-7"}, {"t-9": "t-1", "t-8": "t-2"})
    assert became == {"t-9": "t-1", "t-8": "t-2", "t-7": "t-7", "p-8": "p-1", "p-7": "p-7"}
    assert [theme.id for theme in result.themes] == ["p-1", "p-7", "t-1", "t-2", "t-7"]
    assert {theme.id: theme.names["en"] for theme in result.themes}["t-1"] == "about t-9"
    assert result.version == theme_set_version(result)


def test_changes_nothing_but_ids_and_version() -> None:
    new = {"t-9": "p-8", "t-8": "p-8"}
    result, _ = carried(OLD, new, {"t-9": "t-1"})
    fresh = make_theme_set(new)
    for name in ("prototypes", "thresholds", "projection", "cause_weights", "cause_priors"):
        np.testing.assert_array_equal(getattr(result, name), getattr(fresh, name))
    assert result.version != fresh.version


def test_returns_a_set_that_has_its_ids_already() -> None:
    same = make_theme_set(OLD)
    lineage = trace_lineage({"o1": "t-1", "o2": "t-2", "o3": "t-3"}, {"o1": "t-1", "o2": "t-2", "o3": "t-3"})
    assert carry_ids(make_theme_set(OLD), same, lineage) is same


def test_swaps_ids_that_went_to_each_other() -> None:
    _, became = carried(OLD, {"t-2": "p-1", "t-1": "p-1", "t-3": "p-2"}, {"t-2": "t-1", "t-1": "t-2", "t-3": "t-3"})
    assert became == {"t-2": "t-1", "t-1": "t-2", "t-3": "t-3", "p-1": "p-1", "p-2": "p-2"}


def test_gives_no_id_of_another_theme_to_a_new_one() -> None:
    """The hash of its most typical members may be that of a theme it does not continue."""
    new = {"t-1": "p-1", "t-2": "p-5", "t-4": "p-6", "t-5": "p-7"}
    _, became = carried(OLD, new, {"t-2": "t-3"}, retired=("t-4", "p-6"))
    assert (became["t-2"], became["p-5"], became["t-5"], became["p-7"]) == ("t-3", "p-2", "t-5", "p-7")
    fresh = {became[id_] for id_ in ("t-1", "t-4", "p-1", "p-6")}
    assert fresh.isdisjoint({*OLD, *OLD.values(), "t-4", "p-6"})
    assert sorted(id_[:2] for id_ in fresh) == ["p-", "p-", "t-", "t-"]
    assert carried(OLD, new, {"t-2": "t-3"}, retired=("t-4", "p-6"))[1] == became


def test_matches_a_parent_by_most_of_its_leaves() -> None:
    old = {"t-1": "p-1", "t-2": "p-1", "t-3": "p-1", "t-4": "p-2"}
    new = {"t-5": "p-5", "t-6": "p-5", "t-7": "p-6", "t-8": "p-6"}
    _, became = carried(old, new, {"t-5": "t-1", "t-6": "t-2", "t-7": "t-3", "t-8": "t-4"})
    assert (became["p-5"], became["p-6"]) == ("p-1", "p-2")


@pytest.mark.parametrize(
    ("old", "new", "became"),
    [
        # The largest part of what was split, whatever the others are called.
        (members(a=range(30)), members(x=range(8), y=range(8, 20), z=range(20, 30)), {"y": "a"}),
        # What was merged goes on as the largest of what it was made of.
        (members(a=range(8), b=range(8, 20), c=range(20, 30)), members(x=range(30)), {"x": "b"}),
        # What continues comes first; who is merged into it leaves nothing to inherit.
        (members(a=range(20), b=range(20, 25)), members(x=range(25)), {"x": "a"}),
        # One part has an id of its own already.
        (members(a=range(20), b=range(20, 40)), members(x=range(30), y=range(30, 40)), {"x": "a", "y": "b"}),
    ],
)
def test_leaves_an_id_that_none_continues_to_the_closest_heir(old: Membership, new: Membership, became: dict[str, str]) -> None:
    before, after = (make_theme_set({leaf: f"p-{leaf}" for leaf in set(part.values())}) for part in (old, new))
    result = carry_ids(before, after, trace_lineage(old, new))
    ids = dict(zip(after.prototype_themes, result.prototype_themes, strict=True))
    assert {leaf: id_ for leaf, id_ in ids.items() if id_ in set(old.values())} == became


_LEAVES = st.dictionaries(st.integers(0, 9).map("t-{}".format), st.integers(0, 4).map("p-{}".format), max_size=8)


@given(_LEAVES, _LEAVES, st.randoms(use_true_random=False), st.sets(st.integers(0, 9).map("t-{}".format)))
def test_carries_ids_without_using_one_twice(old: dict[str, str], new: dict[str, str], draw: random.Random, gone: set[str]) -> None:
    count = draw.randint(0, min(len(old), len(new)))
    pairs = dict(zip(draw.sample(sorted(new), count), draw.sample(sorted(old), count), strict=True))
    retired = tuple(sorted(gone - old.keys()))
    result, became = carried(old, new, pairs, retired=retired)
    ids = [theme.id for theme in result.themes]
    assert ids == sorted(set(ids))
    assert {theme.parent for theme in result.themes} - {None} == {theme.id for theme in result.themes if theme.parent is None}
    assert set(result.prototype_themes) == {theme.id for theme in result.themes if theme.parent is not None}
    assert {leaf: became[leaf] for leaf in pairs} == pairs
    assert {became[leaf] for leaf in new if leaf not in pairs}.isdisjoint({*old, *retired})


def test_lives_on_through_a_chain_of_sets() -> None:
    """One fifth changes at a time; after ten times nothing is as it was, but the theme is the same."""
    living = make_theme_set({"t-0": "p-0"})
    membership = {f"o{number}": "t-0" for number in range(50)}
    for wave in range(1, 11):
        fresh = make_theme_set({f"t-{wave}": f"p-{wave}"})
        new = {f"o{number}": f"t-{wave}" for number in range(10 * wave, 10 * wave + 50)}
        living = carry_ids(living, fresh, trace_lineage(membership, new))
        membership = dict.fromkeys(new, living.prototype_themes[0])
    assert [theme.id for theme in living.themes] == ["p-0", "t-0"]
