"""The log of edits, replayed: every kind, every refusal, and what may never change."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_miner.analysis import Analysis
from feedback_miner.classify import OpinionCoder, load_heads_for
from feedback_miner.domain import (
    Aspect,
    CauseScore,
    Coding,
    FeedbackType,
    ResidualReason,
    Sentiment,
    Theme,
    ThemeScore,
    ThemeSet,
)
from feedback_miner.edits import (
    Edit,
    ThemeNotes,
    active_edits,
    apply_edits,
    apply_to_coding,
    check_edit,
    check_reversal,
    count_sides,
    learn_prototypes,
    named_opinions,
    named_themes,
    replay,
    theme_notes,
)
from feedback_miner.edits.themes import LEARNED_THRESHOLD, part_ids
from feedback_miner.embedders import load_embedder
from feedback_miner.errors import ConflictError, FeedbackMinerError, InputError, NotFoundError
from feedback_miner.stages.cluster import assign_in_waves
from feedback_miner.stages.space import POLARITY_WEIGHT, align_vectors, half_precision, theme_space, unit_rows
from feedback_miner.theme_set import read_theme_set, theme_set_files, theme_set_version

DAY = datetime(2026, 3, 2, tzinfo=UTC)
WIDTH = 24


def edit(number: int, kind: str, **values: object) -> Edit:
    return Edit(number, kind, values, "ana", DAY)


def noise(seed: int, count: int) -> np.ndarray:
    return unit_rows(np.random.default_rng(seed).normal(size=(count, WIDTH)).astype(np.float32))


def near(centre: np.ndarray, seed: int, count: int, spread: float = 0.6) -> np.ndarray:
    return unit_rows(centre + np.float32(spread) * noise(seed, count))


def make_theme_set() -> ThemeSet:
    """Two parents, four leaves, the last of which was born in a later wave."""
    unversioned = ThemeSet(
        version="",
        themes=(
            Theme("p-1", None, {"en": "delivery"}),
            Theme("p-2", None, {"en": "staff", "zh": "员工"}),
            Theme("t-1", "p-1", {"en": "late parcels"}, {"en": ("late",)}),
            Theme("t-2", "p-1", {"en": "broken boxes", "zh": "包装破损"}),
            Theme("t-3", "p-2", {"en": "rude staff"}),
            Theme("t-4", "p-2", {"en": "kind staff"}),
        ),
        encoder="tiny",
        encoder_version="tiny-1",
        heads_version="h-1",
        prototypes=noise(1, 4),
        prototype_themes=("t-1", "t-2", "t-3", "t-4"),
        thresholds=np.array([0.5, 0.45, 0.4, 0.55], np.float32),
        language_means={"und": np.zeros(WIDTH - 1, np.float32)},
        projection=np.zeros((WIDTH - 1, 0), np.float32),
        masks=("zorblax",),
        taxonomy={"id": "two"},
        cause_ids=("late", "rude", "unmapped"),
        cause_weights=np.ones((WIDTH, 3, 1), np.float32),
        cause_priors=np.array([[0.7, 0.2, 0.1], [0.6, 0.2, 0.2], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]], np.float32),
        cause_threshold=0.3,
        wave_starts=(3,),
    )
    return replace(unversioned, version=theme_set_version(unversioned))


THEMES = make_theme_set()
PLACES = {f"a.{number}#0": row for number, row in enumerate(near(THEMES.prototypes[0], 2, 6))}
MEMBERS = np.vstack([near(centre, 10 + at, 40, spread) for at, centre in enumerate(THEMES.prototypes) for spread in (0.7, 1.2)])
SPLIT = {"theme": "t-1", "examples": [["a.0#0", "a.1#0"], ["a.2#0", "a.3#0"]]}


def theme(themes: ThemeSet, id_: str) -> Theme:
    return next(one for one in themes.themes if one.id == id_)


def ids(themes: ThemeSet) -> list[str]:
    return [one.id for one in themes.themes]


def leaves(themes: ThemeSet, vectors: np.ndarray) -> list[str | None]:
    nearest, _, taken = assign_in_waves(vectors, themes.prototypes, themes.thresholds, themes.wave_starts, learned=themes.learned)
    return [themes.prototype_themes[at] if ok else None for at, ok in zip(nearest[:, 0], taken, strict=True)]


def theme_places(themes: ThemeSet, texts: list[str], languages: list[str]) -> np.ndarray:
    """Where texts stand in the theme space, as the coder sees them."""
    embedder = load_embedder(themes.encoder)
    heads, _ = load_heads_for(embedder)
    vectors = half_precision(embedder.encode(texts))
    polarity = np.array([sentiment.score for sentiment in heads.read_sentiments(vectors, texts)])
    return theme_space(align_vectors(vectors, texts, languages, themes.language_means), themes.projection, polarity)


# --- the log


def test_keeps_what_nobody_took_back() -> None:
    log = [edit(1, "pin", theme="t-1", pinned=True), edit(2, "hide", theme="t-2", hidden=True), edit(3, "undo", edit=1)]
    assert active_edits(log) == (log[1],)


@pytest.mark.parametrize(("reversals", "holds"), [("u", False), ("ur", True), ("uru", False), ("urur", True), ("uu", False), ("r", True)])
def test_follows_chains_of_undo_and_redo(reversals: str, holds: bool) -> None:
    log = [edit(1, "pin", theme="t-1", pinned=True)]
    log += [edit(at, {"u": "undo", "r": "redo"}[letter], edit=1) for at, letter in enumerate(reversals, start=2)]
    assert (log[0] in active_edits(log)) is holds


def test_puts_a_redone_edit_at_its_own_place() -> None:
    log = [
        edit(1, "rename", theme="t-1", names={"en": "first"}),
        edit(2, "rename", theme="t-1", names={"en": "second"}),
        edit(3, "undo", edit=1),
        edit(4, "redo", edit=1),
    ]
    assert theme(replay(THEMES, log).theme_set, "t-1").names == {"en": "second"}


def test_reads_a_log_in_any_order() -> None:
    log = [edit(1, "pin", theme="t-1", pinned=True), edit(2, "undo", edit=1), edit(3, "pin", theme="t-2", pinned=True)]
    assert active_edits(log[::-1]) == active_edits(log)


@pytest.mark.parametrize(
    "log",
    [
        [edit(1, "pin", theme="t-1", pinned=True), edit(1, "pin", theme="t-2", pinned=True)],
        [edit(1, "undo", edit=1)],
        [edit(1, "undo", edit=2), edit(2, "pin", theme="t-1", pinned=True)],
        [edit(1, "pin", theme="t-1", pinned=True), edit(2, "undo", edit=1), edit(3, "undo", edit=2)],
        [edit(1, "redo")],
    ],
    ids=["a number twice", "itself", "a later edit", "a reversal", "nothing"],
)
def test_refuses_a_damaged_log(log: list[Edit]) -> None:
    with pytest.raises(InputError, match="damaged"):
        active_edits(log)


LOG = [edit(1, "pin", theme="t-1", pinned=True), edit(2, "pin", theme="t-2", pinned=True), edit(3, "undo", edit=2)]


def test_takes_back_what_is_on_and_puts_on_what_is_off() -> None:
    assert check_reversal("undo", {"edit": 1}, LOG) == {"edit": 1}
    assert check_reversal("redo", {"edit": 2}, LOG) == {"edit": 2}


@pytest.mark.parametrize(
    ("kind", "values", "error", "words"),
    [
        ("undo", {"edit": 9}, NotFoundError, "no edit 9.*3 entries"),
        ("undo", {"edit": 2}, ConflictError, "off already"),
        ("redo", {"edit": 1}, ConflictError, "on already"),
        ("undo", {"edit": 3}, InputError, "itself the undo of edit 2.*redo that"),
        ("undo", {}, InputError, "number of an edit"),
        ("undo", {"edit": "1"}, InputError, "number of an edit"),
        ("undo", {"edit": True}, InputError, "number of an edit"),
        ("undo", {"edit": 1, "why": "x"}, InputError, "nothing else"),
        ("rename", {"edit": 1}, InputError, "reverses no edit"),
    ],
)
def test_refuses_a_reversal(kind: str, values: Mapping[str, object], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        check_reversal(kind, values, LOG)


# --- what an edit may say

GOOD: list[tuple[str, dict[str, object]]] = [
    ("rename", {"theme": "p-1", "names": {"en": "Getting it", "zh": "送货"}}),
    ("merge", {"themes": ["t-2", "t-3"], "into": "t-1"}),
    ("merge", {"themes": ["p-2"], "into": "p-1"}),
    ("split", SPLIT),
    ("split", {**SPLIT, "names": [{"en": "late"}, {"en": "never came"}]}),
    ("nest", {"theme": "t-1", "parent": "p-2"}),
    ("nest", {"theme": "t-1", "parent": None}),
    ("nest", {"theme": "t-1", "parent": None, "names": {"en": "Time"}}),
    ("hide", {"theme": "p-1", "hidden": True}),
    ("pin", {"theme": "t-4", "pinned": False}),
    ("move", {"opinion": "a.0#0", "theme": "t-2"}),
    ("move", {"opinion": "a.0#0", "theme": None}),
    ("no_content", {"opinion": "9f2c-2.1#14"}),
    ("correct", {"opinion": "a.0#0", "sentiment": "negative"}),
    ("correct", {"opinion": "a.0#0", "type": "praise", "causes": []}),
    ("correct", {"opinion": "a.0#0", "causes": ["rude", "late"]}),
    ("plan", {"theme": "t-1", "owner": "Logistics", "effort": "small", "status": "planned"}),
    ("plan", {"cause": "late", "owner": None}),
]


@pytest.mark.parametrize(("kind", "values"), GOOD)
def test_keeps_a_good_edit_as_it_is(kind: str, values: dict[str, object]) -> None:
    assert check_edit(kind, values, THEMES) == values


@pytest.mark.parametrize(
    ("kind", "values", "error", "words"),
    [
        ("paint", {}, InputError, "'paint' is no kind of edit; there are rename, merge"),
        ("rename", {"theme": "t-9", "names": {"en": "x"}}, NotFoundError, "no theme 't-9'.*list them"),
        ("rename", {"theme": 7, "names": {"en": "x"}}, InputError, "id of a theme, not 7"),
        ("rename", {"theme": "t-1"}, InputError, "needs 'names'; it takes theme, names"),
        ("rename", {"theme": "t-1", "names": {"en": "x"}, "colour": "red"}, InputError, "does not know 'colour'"),
        ("rename", {"theme": "t-1", "names": {}}, InputError, "a name for each language"),
        ("rename", {"theme": "t-1", "names": "late"}, InputError, "a name for each language"),
        ("rename", {"theme": "t-1", "names": {"english": "x"}}, InputError, "'english' is no language"),
        ("rename", {"theme": "t-1", "names": {"en": "  "}}, InputError, "has 0 characters; give 1 to 80"),
        ("rename", {"theme": "t-1", "names": {"en": "x" * 81}}, InputError, "has 81 characters"),
        ("rename", {"theme": "t-1", "names": {"en": "a\x00b"}}, InputError, "on one line"),
        ("rename", {"theme": "t-1", "names": {"en": "a\ud800"}}, InputError, "on one line"),
        ("rename", {"theme": "t-1", "names": {"en": 3}}, InputError, "must be text, not 3"),
        ("merge", {"themes": ["t-1"], "into": "t-1"}, InputError, "into itself; leave it out"),
        ("merge", {"themes": [], "into": "t-1"}, InputError, "at least one id"),
        ("merge", {"themes": "t-2", "into": "t-1"}, InputError, "a list of ids"),
        ("merge", {"themes": ["t-2", "t-2"], "into": "t-1"}, InputError, "twice; name it once"),
        ("merge", {"themes": ["p-2"], "into": "t-1"}, InputError, "like with like"),
        ("merge", {"themes": ["t-9"], "into": "t-1"}, NotFoundError, "no theme 't-9'"),
        ("merge", {"themes": ["t-2"], "into": "t-9"}, NotFoundError, "no theme 't-9'"),
        ("split", {"theme": "p-1", "examples": [["a.0#0"], ["a.1#0"]]}, InputError, "is a parent.*one of those under it"),
        ("split", {"theme": "t-1", "examples": [["a.0#0"]]}, InputError, "two or more lists"),
        ("split", {"theme": "t-1", "examples": [["a.0#0"], []]}, InputError, "one opinion or more in every list"),
        ("split", {"theme": "t-1", "examples": [["a.0#0"], ["a.0#0"]]}, InputError, "twice"),
        ("split", {"theme": "t-1", "examples": [["a.0#0"], "a.1#0"]}, InputError, "a list of ids"),
        ("split", {"theme": "t-1", "examples": [["a.0#0"], ["it came too late"]]}, InputError, "by their ids"),
        ("split", {**SPLIT, "names": [{"en": "one"}]}, InputError, "a list of 2, one for each part"),
        ("nest", {"theme": "p-1", "parent": "p-2"}, InputError, "is a parent"),
        ("nest", {"theme": "t-1", "parent": "t-2"}, InputError, "is under 'p-1'"),
        ("nest", {"theme": "t-1", "parent": "p-9"}, NotFoundError, "no theme 'p-9'"),
        ("nest", {"theme": "t-1", "parent": "p-2", "names": {"en": "x"}}, InputError, "a new parent only"),
        ("hide", {"theme": "t-1", "hidden": "yes"}, InputError, "true or false, not 'yes'"),
        ("pin", {"theme": "t-1", "pinned": 1}, InputError, "true or false, not 1"),
        ("move", {"opinion": "a.0#0", "theme": "p-1"}, InputError, "is a parent"),
        ("move", {"opinion": "a.0#0"}, InputError, "needs 'theme'"),
        ("move", {"opinion": "the parcel never came", "theme": None}, InputError, "by their ids"),
        ("no_content", {"opinion": 3}, InputError, "by their ids"),
        ("correct", {"opinion": "a.0#0"}, InputError, "says nothing; give sentiment, type or causes"),
        ("correct", {"opinion": "a.0#0", "sentiment": "mixed"}, InputError, "one of negative, neutral, positive"),
        ("correct", {"opinion": "a.0#0", "type": "rant"}, InputError, "one of complaint"),
        ("correct", {"opinion": "a.0#0", "causes": ["unmapped"]}, NotFoundError, "no cause 'unmapped'.*late, rude"),
        ("correct", {"opinion": "a.0#0", "causes": ["late", "late"]}, InputError, "twice"),
        ("plan", {"owner": "Ana"}, InputError, "either 'theme' or 'cause'"),
        ("plan", {"theme": "t-1", "cause": "late", "owner": "Ana"}, InputError, "either 'theme' or 'cause'"),
        ("plan", {"theme": "t-1"}, InputError, "says nothing; give owner"),
        ("plan", {"cause": "slow", "owner": "Ana"}, NotFoundError, "no cause 'slow'"),
        ("plan", {"theme": "t-1", "owner": ""}, InputError, "a person or a team"),
        ("plan", {"theme": "t-1", "effort": "huge"}, InputError, "one of small, medium, large"),
        ("plan", {"theme": "t-1", "status": "maybe"}, InputError, "one of open, planned, done, dismissed"),
    ],
)
def test_refuses_a_bad_edit(kind: str, values: dict[str, object], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        check_edit(kind, values, THEMES)


def test_never_shows_what_a_customer_said() -> None:
    said = "my name is Wanda Zwiebel and the parcel never came to my house"
    for kind, values in (("move", {"opinion": said, "theme": None}), ("split", {"theme": "t-1", "examples": [[said], ["a.0#0"]]})):
        with pytest.raises(InputError) as caught:
            check_edit(kind, values, THEMES)
        assert "Wanda" not in str(caught.value)


def test_replaces_personal_data_in_names() -> None:
    kept = check_edit("rename", {"theme": "t-1", "names": {"en": "  ask  anna.berg@example.org  "}}, THEMES)
    assert kept["names"] == {"en": "ask <EMAIL>"}
    assert check_edit("rename", kept, THEMES) == kept


# --- edits of themes


def test_renames_in_the_languages_named_alone() -> None:
    edited = apply_edits(THEMES, [edit(1, "rename", theme="t-2", names={"en": "smashed boxes"})])
    assert theme(edited, "t-2").names == {"en": "smashed boxes", "zh": "包装破损"}
    assert edited.version == theme_set_version(edited) != THEMES.version
    assert edited.prototypes is THEMES.prototypes


def test_merges_leaves_and_drops_the_empty_parent() -> None:
    edited = apply_edits(THEMES, [edit(1, "merge", themes=["t-3", "t-4"], into="t-1")])
    assert ids(edited) == ["p-1", "t-1", "t-2"]
    assert edited.prototype_themes == ("t-1", "t-2", "t-1", "t-1")
    assert edited.prototypes is THEMES.prototypes
    before = leaves(THEMES, MEMBERS)
    assert leaves(edited, MEMBERS) == ["t-1" if leaf in ("t-3", "t-4") else leaf for leaf in before]


def test_merges_parents() -> None:
    edited = apply_edits(THEMES, [edit(1, "merge", themes=["p-2"], into="p-1")])
    assert ids(edited) == ["p-1", "t-1", "t-2", "t-3", "t-4"]
    assert {one.parent for one in edited.themes if one.id != "p-1"} == {"p-1"}


def test_nests_and_drops_the_empty_parent() -> None:
    moves = [edit(number, "nest", theme=leaf, parent="p-1") for number, leaf in enumerate(("t-3", "t-4"), start=1)]
    half, whole = apply_edits(THEMES, moves[:1]), apply_edits(THEMES, moves)
    assert (theme(half, "t-3").parent, "p-2" in ids(half), "p-2" in ids(whole)) == ("p-1", True, False)


def test_nests_under_a_new_parent_with_the_same_id_every_time() -> None:
    alone = edit(5, "nest", theme="t-2", parent=None, names={"en": "packaging"})
    edited = apply_edits(THEMES, [alone])
    new = theme(edited, str(theme(edited, "t-2").parent))
    assert new.parent is None
    assert new.names == {"en": "packaging", "zh": "包装破损"}
    assert ids(apply_edits(THEMES, [alone])) == ids(edited)
    assert ids(apply_edits(THEMES, [replace(alone, number=6)])) != ids(edited)


def test_splits_a_leaf_among_its_members_alone() -> None:
    edited = apply_edits(THEMES, [edit(3, "split", **SPLIT)], places=PLACES)
    parts = [one.id for one in edited.themes if one.id not in ids(THEMES)]
    assert "t-1" not in ids(edited)
    assert [theme(edited, part).parent for part in parts] == ["p-1", "p-1"]
    assert sorted(theme(edited, part).names["en"] for part in parts) == ["late parcels 1", "late parcels 2"]
    before, after = leaves(THEMES, MEMBERS), leaves(edited, MEMBERS)
    assert before.count("t-1") > 20
    assert {new for old, new in zip(before, after, strict=True) if old == "t-1"} == set(parts)
    assert all(old == new for old, new in zip(before, after, strict=True) if old not in ("t-1", None))


def test_splits_towards_the_examples() -> None:
    centre = THEMES.prototypes[0]
    aside = noise(77, 1)[0]
    members = {f"b.{number}#0": row for number, row in enumerate(near(centre + aside, 3, 30))}
    others = {f"c.{number}#0": row for number, row in enumerate(near(centre - aside, 4, 30))}
    halves = edit(1, "split", theme="t-1", examples=[["b.0#0", "b.1#0", "b.2#0"], ["c.0#0", "c.1#0", "c.2#0"]])
    edited = apply_edits(THEMES, [halves], places=members | others)
    first, second = [one.id for one in sorted(edited.themes, key=lambda one: one.names["en"]) if one.names["en"].startswith("late")]
    placed = leaves(edited, np.array([*members.values()])), leaves(edited, np.array([*others.values()]))
    assert placed[0].count(first) > 25
    assert placed[1].count(second) > 25


@pytest.mark.parametrize("seed", range(20))
def test_counts_what_a_split_would_do_as_it_is_then_done(seed: int) -> None:
    merged = apply_edits(THEMES, [edit(1, "merge", themes=["t-2"], into="t-1")])
    rows = np.vstack([near(centre, 100 + seed, 60) for centre in THEMES.prototypes[:2]])
    rows = rows[[leaf == "t-1" for leaf in leaves(merged, rows)]]
    rows = np.vstack([rows, near(rows[:8], seed, 8, 0.2)])  # some near-copies
    # Examples at random: some lie on the other side of what they are examples of, and stay where they were put.
    examples = np.random.default_rng(seed).choice(len(rows), (3, 4), replace=False).tolist()
    groups = [[f"a.{place}#0" for place in part] for part in examples]
    log = [edit(1, "merge", themes=["t-2"], into="t-1"), edit(2, "split", theme="t-1", examples=groups)]
    done = replay(THEMES, log, places={f"a.{place}#0": row for place, row in enumerate(rows)})
    placed = leaves(learn_prototypes(done.theme_set, done.moved), rows)
    parts = part_ids(log[1])
    assert [[placed[place] for place in part] for part in examples] == [[part] * 4 for part in parts]
    counted = count_sides(rows, examples, merged.prototypes[[owner == "t-1" for owner in merged.prototype_themes]])
    assert counted == [placed.count(part) for part in parts]
    assert sum(counted) == len(rows) > 60


def test_keeps_the_examples_of_a_split_in_their_parts() -> None:
    log = [edit(1, "split", **SPLIT), edit(2, "move", opinion="a.1#0", theme="t-3"), edit(3, "no_content", opinion="a.3#0")]
    first, second = part_ids(log[0])
    left = {opinion: row for opinion, row in PLACES.items() if opinion != "a.0#0"}
    done = replay(THEMES, log, places=PLACES)
    assert [(leaf, row.tobytes()) for leaf, row in done.moved] == [
        (leaf, PLACES[opinion].tobytes()) for leaf, opinion in ((first, "a.0#0"), (second, "a.2#0"), ("t-3", "a.1#0"))
    ]
    assert [said.kind for said in done.corrections["a.3#0"]] == ["move", "no_content"]
    assert "a.0#0" not in replay(THEMES, log, places=left).corrections
    assert replay(THEMES, [*log[:1], edit(2, "undo", edit=1)], places=PLACES).corrections == {}
    # A part that is merged or split on takes them along.
    further = [edit(2, "split", theme=first, examples=[["a.1#0"], ["a.0#0"]]), edit(3, "merge", themes=[second], into="t-2")]
    followed = replay(THEMES, [log[0], *further], places=PLACES).corrections
    assert [said.values["theme"] for said in followed["a.0#0"]] == [part_ids(further[0])[1]] * 2
    assert followed["a.2#0"][0].values["theme"] == "t-2"


def test_splits_a_merged_leaf_in_every_prototype_and_keeps_the_waves() -> None:
    log = [edit(1, "merge", themes=["t-4"], into="t-1"), edit(2, "split", **SPLIT)]
    edited = apply_edits(THEMES, log, places=PLACES)
    assert edited.wave_starts == (4,)
    first, second = edited.prototype_themes[:2]
    assert edited.prototype_themes == (first, second, "t-2", "t-3", first, second)
    assert edited.prototypes[2:4].tobytes() == THEMES.prototypes[1:3].tobytes()
    assert edited.cause_priors.tolist() == THEMES.cause_priors[[0, 0, 1, 2, 3, 3]].tolist()


def test_splits_while_each_part_has_an_example_left() -> None:
    split = [edit(1, "split", **SPLIT)]
    fewer = {opinion: row for opinion, row in PLACES.items() if opinion not in ("a.0#0", "a.2#0")}
    assert ids(apply_edits(THEMES, split, places=fewer)) == ids(apply_edits(THEMES, split, places=PLACES))
    fewer.pop("a.3#0")
    with pytest.raises(NotFoundError, match="part 2 of theme 't-1' has no example left"):
        apply_edits(THEMES, split, places=fewer)


def test_refuses_to_split_what_is_alike() -> None:
    with pytest.raises(ConflictError, match="alike; choose some that differ"):
        apply_edits(THEMES, [edit(1, "split", **SPLIT)], places=dict.fromkeys(PLACES, PLACES["a.0#0"]))


def test_gives_the_theme_set_itself_back_where_nothing_changed() -> None:
    same = [edit(1, "rename", theme="t-1", names={"en": "late parcels"}), edit(2, "pin", theme="t-1", pinned=True)]
    assert apply_edits(THEMES, []) is THEMES
    assert apply_edits(THEMES, same) is THEMES
    assert replay(THEMES, []).theme_set is THEMES


def test_merged_then_undone_is_as_if_it_had_never_been() -> None:
    log = [edit(1, "merge", themes=["t-2"], into="t-1"), edit(2, "undo", edit=1)]
    assert replay(THEMES, log).theme_set is THEMES


# --- replay


def test_reports_what_cannot_hold_and_keeps_the_rest() -> None:
    log = [
        edit(1, "merge", themes=["t-2"], into="t-1"),
        edit(2, "rename", theme="t-2", names={"en": "gone by now"}),
        edit(3, "rename", theme="t-1", names={"en": "parcels"}),
        edit(4, "move", opinion="a.0#0", theme="t-77"),
        edit(5, "no_content", opinion="gone.0#0"),
        edit(6, "pin", theme="t-3", pinned=True),
        edit(7, "split", theme="t-3", examples=[["gone.0#0"], ["a.0#0"]]),
    ]
    done = replay(THEMES, log, places=PLACES)
    assert [(conflict.number, conflict.kind) for conflict in done.conflicts] == [
        (2, "rename"),
        (4, "move"),
        (5, "no_content"),
        (7, "split"),
    ]
    assert [conflict.reason.split(";")[0] for conflict in done.conflicts[:3]] == [
        "there is no theme 't-2' in this theme set of 5",
        "there is no theme 't-77' in this theme set of 5",
        "opinion 'gone.0#0' is gone",
    ]
    assert theme(done.theme_set, "t-1").names == {"en": "parcels"}
    assert done.notes == {"t-3": ThemeNotes(pinned=True)}
    assert done.corrections == {}


def test_is_a_conflict_only_while_what_it_names_is_away() -> None:
    log = [edit(1, "split", **SPLIT)]
    part = next(one.id for one in replay(THEMES, log, places=PLACES).theme_set.themes if one.id not in ids(THEMES))
    log += [edit(2, "rename", theme=part, names={"en": "very late"}), edit(3, "undo", edit=1)]
    undone, redone = replay(THEMES, log, places=PLACES), replay(THEMES, [*log, edit(4, "redo", edit=1)], places=PLACES)
    assert [conflict.number for conflict in undone.conflicts] == [2]
    assert redone.conflicts == ()
    assert theme(redone.theme_set, part).names["en"] == "very late"


def test_says_which_opinions_it_asks_for() -> None:
    log = [edit(1, "split", **SPLIT), edit(2, "no_content", opinion="x.0#0"), edit(3, "move", opinion="y.0#0", theme=None)]
    assert named_opinions([*log, edit(4, "undo", edit=3)]) == {"a.0#0", "a.1#0", "a.2#0", "a.3#0", "x.0#0"}


def test_says_which_themes_were_worked_on() -> None:
    log = [
        edit(1, "merge", themes=["t-1", "t-2"], into="t-3"),
        edit(2, "nest", theme="t-4", parent="p-1"),
        edit(3, "move", opinion="y.0#0", theme=None),
        edit(4, "plan", cause="billing", owner="Finance"),
        edit(5, "pin", theme="t-5", pinned=True),
    ]
    assert named_themes(log) == {"t-1", "t-2", "t-3", "t-4", "p-1", "t-5"}
    assert named_themes([*log, edit(6, "undo", edit=1)]) == {"t-4", "p-1", "t-5"}


def test_lets_moves_follow_their_theme() -> None:
    log = [
        edit(1, "move", opinion="a.0#0", theme="t-2"),
        edit(2, "merge", themes=["t-2"], into="t-1"),
        edit(3, "split", **SPLIT),
        edit(4, "move", opinion="a.5#0", theme="t-3"),
    ]
    done = replay(THEMES, log, places=PLACES)
    first, second = part_ids(log[2])
    assert [(leaf, row.tobytes()) for leaf, row in done.moved] == [
        (leaf, PLACES[opinion].tobytes())
        for leaf, opinion in ((first, "a.0#0"), (first, "a.1#0"), (second, "a.2#0"), (second, "a.3#0"), ("t-3", "a.5#0"))
    ]
    assert done.corrections["a.0#0"][0].values["theme"] == first
    assert learn_prototypes(done.theme_set, done.moved).learned == 5


@pytest.mark.parametrize("last", [edit(2, "no_content", opinion="a.0#0"), edit(2, "move", opinion="a.0#0", theme=None)])
def test_learns_nothing_from_a_move_that_was_taken_back_by_a_later_edit(last: Edit) -> None:
    assert replay(THEMES, [edit(1, "move", opinion="a.0#0", theme="t-2"), last], places=PLACES).moved == ()


def test_replays_on_another_theme_set_where_ids_live_on() -> None:
    log = [edit(1, "rename", theme="t-1", names={"en": "slow"}), edit(2, "merge", themes=["t-4"], into="t-3")]
    fewer = replace(
        THEMES,
        themes=tuple(one for one in THEMES.themes if one.id != "t-4"),
        prototypes=THEMES.prototypes[:3],
        prototype_themes=THEMES.prototype_themes[:3],
        thresholds=THEMES.thresholds[:3],
        cause_priors=THEMES.cause_priors[:3],
        wave_starts=(),
    )
    done = replay(replace(fewer, version=theme_set_version(fewer)), log)
    assert theme(done.theme_set, "t-1").names == {"en": "slow"}
    assert [conflict.number for conflict in done.conflicts] == [2]


def test_notes_say_the_last_word() -> None:
    edits = [
        edit(1, "hide", theme="t-1", hidden=True),
        edit(2, "plan", cause="late", owner="Logistics", effort="large"),
        edit(3, "hide", theme="t-1", hidden=False),
        edit(4, "plan", cause="late", owner=None, status="planned"),
        edit(5, "pin", theme="p-1", pinned=True),
    ]
    assert theme_notes(edits) == {"late": ThemeNotes(effort="large", status="planned"), "p-1": ThemeNotes(pinned=True)}


def test_forgets_notes_of_themes_that_are_merged_away() -> None:
    log = [edit(1, "pin", theme="t-2", pinned=True), edit(2, "merge", themes=["t-2"], into="t-1")]
    done = replay(THEMES, log)
    assert (done.notes, done.conflicts) == ({}, ())


# --- codings

CODING = Coding(
    opinion="a.0#0",
    themes=(ThemeScore("t-1", 0.7),),
    residual=None,
    nearest=(ThemeScore("t-1", 0.7), ThemeScore("t-2", 0.4)),
    sentiment=Sentiment(0.6, 0.3, 0.1),
    type=FeedbackType.COMPLAINT,
    aspects=(Aspect("late", 0.8),),
    causes=(CauseScore("late", 0.8, "rude", 0.1, 3, 9),),
)
PRAISE = replace(CODING, sentiment=Sentiment(0.1, 0.2, 0.7), causes=())


def test_leaves_a_coding_alone_that_nobody_edited() -> None:
    assert apply_to_coding(CODING, []) is CODING
    assert apply_to_coding(CODING, [edit(1, "no_content", opinion="other.0#0")]) is CODING
    assert CODING.edited == ()


def test_moves_an_opinion() -> None:
    moved = apply_to_coding(CODING, [edit(1, "move", opinion="a.0#0", theme="t-3")])
    assert moved == replace(CODING, themes=(ThemeScore("t-3", 1.0),), edited=("themes",))


def test_moves_an_opinion_out_and_says_so() -> None:
    moved = apply_to_coding(CODING, [edit(1, "move", opinion="a.0#0", theme=None)])
    assert moved == replace(CODING, themes=(), residual=ResidualReason.MOVED_OUT, edited=("themes",))


def test_moves_an_opinion_in_from_the_residual() -> None:
    residual = replace(CODING, themes=(), residual=ResidualReason.ALONE)
    moved = apply_to_coding(residual, [edit(1, "move", opinion="a.0#0", theme="t-3")])
    assert (moved.themes, moved.residual) == ((ThemeScore("t-3", 1.0),), None)


def test_takes_everything_back_from_an_opinion_without_content() -> None:
    log = [edit(1, "correct", opinion="a.0#0", sentiment="negative"), edit(2, "no_content", opinion="a.0#0")]
    empty = apply_to_coding(CODING, log)
    assert (empty.themes, empty.residual, empty.aspects, empty.causes) == ((), ResidualReason.NO_CONTENT, (), ())
    assert (empty.sentiment, empty.type) == (Sentiment(0.0, 1.0, 0.0), FeedbackType.STATEMENT)
    assert empty.edited == ("themes", "sentiment", "type", "causes")


def test_finds_content_after_all() -> None:
    log = [edit(1, "no_content", opinion="a.0#0"), edit(2, "correct", opinion="a.0#0", type="question")]
    assert apply_to_coding(CODING, log) == replace(CODING, type=FeedbackType.QUESTION, edited=("type",))


def test_corrects_a_sentiment_and_what_follows_from_it() -> None:
    good = apply_to_coding(CODING, [edit(1, "correct", opinion="a.0#0", sentiment="positive")])
    assert good == replace(CODING, sentiment=Sentiment(0.0, 0.0, 1.0), causes=(), edited=("sentiment",))
    bad = apply_to_coding(PRAISE, [edit(1, "correct", opinion="a.0#0", sentiment="negative")], span=(2, 20))
    assert (bad.sentiment, bad.causes) == (Sentiment(1.0, 0.0, 0.0), (CauseScore("late", 0.8, None, 0.0, 2, 20),))


def test_keeps_causes_as_they_were_read_under_a_corrected_sentiment() -> None:
    assert apply_to_coding(CODING, [edit(1, "correct", opinion="a.0#0", sentiment="negative")]).causes == CODING.causes


def test_corrects_causes_of_a_negative_opinion() -> None:
    mended = apply_to_coding(CODING, [edit(1, "correct", opinion="a.0#0", causes=["rude"])], span=(2, 20))
    assert mended.causes == (CauseScore("rude", 1.0, None, 0.0, 2, 20),)
    assert (mended.aspects, mended.edited) == ((Aspect("rude", 1.0),), ("causes",))


def test_takes_corrected_causes_of_praise_for_aspects() -> None:
    mended = apply_to_coding(PRAISE, [edit(1, "correct", opinion="a.0#0", causes=["rude"])])
    assert (mended.causes, mended.aspects) == ((), (Aspect("rude", 1.0),))


def test_lets_the_later_correction_hold() -> None:
    log = [
        edit(1, "correct", opinion="a.0#0", sentiment="positive", type="praise"),
        edit(2, "correct", opinion="a.0#0", sentiment="neutral"),
    ]
    mended = apply_to_coding(CODING, log)
    assert (mended.sentiment.neutral, mended.type, mended.edited) == (1.0, FeedbackType.PRAISE, ("sentiment", "type"))


# --- learning


def test_learns_near_copies_and_nothing_else() -> None:
    """The law of learning: all that is not a near-copy is coded bit for bit as before."""
    row = near(THEMES.prototypes[0], 99, 1)[0]
    taught = learn_prototypes(THEMES, [("t-3", row)])
    copies = near(row, 5, 30, 0.2)
    assert (copies @ row).min() >= LEARNED_THRESHOLD
    assert set(leaves(THEMES, copies)) == {"t-1"}
    assert set(leaves(taught, copies)) == {"t-3"}
    others = MEMBERS[MEMBERS @ row < LEARNED_THRESHOLD]
    before = assign_in_waves(others, THEMES.prototypes, THEMES.thresholds, THEMES.wave_starts)
    after = assign_in_waves(others, taught.prototypes, taught.thresholds, taught.wave_starts, learned=taught.learned)
    assert (after[0] - 1).tobytes() == before[0].tobytes()
    assert [part.tobytes() for part in after[1:]] == [part.tobytes() for part in before[1:]]


def test_takes_no_opinion_for_a_copy_of_its_opposite() -> None:
    """The same words in the same theme space, as bad as can be and as good as can be."""
    for halves in (1, 2):  # without and with a projection
        row = np.array([[1.0] * halves + [POLARITY_WEIGHT], [1.0] * halves + [-POLARITY_WEIGHT]], np.float32)
        good, bad = unit_rows(row)
        assert good @ bad < LEARNED_THRESHOLD


def test_learns_each_move_once_in_any_order() -> None:
    rows = noise(6, 3)
    moved = [("t-3", rows[0]), ("t-1", rows[1]), ("t-3", rows[2])]
    taught = learn_prototypes(THEMES, moved)
    assert (taught.learned, taught.wave_starts) == (3, (6,))
    assert taught.prototype_themes[:3] == ("t-1", "t-3", "t-3")
    assert taught.cause_priors[:3].tolist() == THEMES.cause_priors[[0, 2, 2]].tolist()
    assert taught.prototypes[3:].tobytes() == THEMES.prototypes.tobytes()
    again = learn_prototypes(THEMES, [*moved[::-1], moved[0]])
    assert theme_set_files(again) == theme_set_files(taught)
    assert learn_prototypes(taught, moved) is taught
    assert theme_set_files(learn_prototypes(learn_prototypes(THEMES, moved[:1]), moved[1:])) == theme_set_files(taught)


def test_lets_the_later_move_of_the_same_words_hold() -> None:
    row = noise(7, 1)[0]
    assert learn_prototypes(THEMES, [("t-3", row), ("t-1", row)]).prototype_themes[:1] == ("t-1",)


def test_learns_nothing_from_nothing() -> None:
    assert learn_prototypes(THEMES, []) is THEMES


def test_refuses_to_learn_for_a_theme_that_is_gone() -> None:
    with pytest.raises(NotFoundError, match="'t-9' is no leaf.*replay"):
        learn_prototypes(THEMES, [("t-9", noise(7, 1)[0])])


def test_refuses_to_replay_on_what_has_learned() -> None:
    taught = learn_prototypes(THEMES, [("t-3", noise(7, 1)[0])])
    with pytest.raises(InputError, match="the one that was fitted"):
        replay(taught, [])
    with pytest.raises(InputError, match="the one that was fitted"):
        apply_edits(taught, [edit(1, "merge", themes=["t-2"], into="t-1")])


def test_saves_what_was_learned() -> None:
    taught = learn_prototypes(THEMES, [("t-3", noise(7, 1)[0])])
    files = theme_set_files(taught)
    loaded = read_theme_set(files, place="here")
    assert (loaded.learned, loaded.version) == (1, taught.version)
    assert theme_set_files(loaded) == files
    assert theme_set_version(replace(taught, learned=0)) != taught.version


def test_codes_the_words_of_a_moved_opinion_where_it_was_moved(tiny_demo: Analysis) -> None:
    """End to end: the one path of assignment takes it there, and all other opinions where it took them before."""
    fitted = tiny_demo.theme_set
    embedder = load_embedder("tiny")
    heads, heads_embedder = load_heads_for(embedder)
    documents = {document.id: document.language for document in tiny_demo.findings.documents}
    said = {(opinion.text, documents[opinion.document]): opinion for opinion in tiny_demo.findings.opinions}
    asked = [(str(at), text, language) for at, (text, language) in enumerate(sorted(said))]
    before = OpinionCoder(fitted, embedder, heads, heads_embedder)
    codings = before.code(asked)
    at = next(at for at, coding in enumerate(codings) if coding.themes)
    target = next(leaf for leaf in fitted.prototype_themes if leaf != codings[at].themes[0].theme)
    places = theme_places(fitted, [before.hide_entities(text) for _, text, _ in asked], [language for _, _, language in asked])
    place = places[at]
    done = replay(fitted, [edit(1, "move", opinion="m.0#0", theme=target)], places={"m.0#0": place})
    after = OpinionCoder(learn_prototypes(done.theme_set, done.moved), embedder, heads, heads_embedder).code(asked)
    assert after[at].themes[0].theme == target
    assert after[at].themes[0].strength == pytest.approx(1.0, abs=1e-5)
    changed = [number for number, (old, new) in enumerate(zip(codings, after, strict=True)) if old != new]
    assert at in changed
    assert all(places[number] @ place >= LEARNED_THRESHOLD for number in changed)
    assert len(changed) < 0.05 * len(asked)


# --- properties

KINDS = st.one_of(
    st.builds(lambda leaf, name: ("rename", {"theme": leaf, "names": {"en": name}}), st.sampled_from(ids(THEMES)), st.sampled_from("abc")),
    st.builds(
        lambda pair: ("merge", {"themes": [pair[0]], "into": pair[1]}),
        st.permutations(["t-1", "t-2", "t-3", "t-4"]).map(lambda order: order[:2]),
    ),
    st.builds(lambda leaf: ("split", {**SPLIT, "theme": leaf}), st.sampled_from(["t-1", "t-2", "t-3", "t-4"])),
    st.builds(
        lambda leaf, parent: ("nest", {"theme": leaf, "parent": parent}),
        st.sampled_from(["t-1", "t-2", "t-3"]),
        st.sampled_from(["p-1", "p-2", None]),
    ),
    st.builds(lambda leaf, on: ("hide", {"theme": leaf, "hidden": on}), st.sampled_from(ids(THEMES)), st.booleans()),
    st.builds(
        lambda opinion, leaf: ("move", {"opinion": opinion, "theme": leaf}),
        st.sampled_from([*PLACES, "gone.0#0"]),
        st.sampled_from(["t-1", "t-2", "t-3", None]),
    ),
    st.builds(lambda opinion: ("no_content", {"opinion": opinion}), st.sampled_from([*PLACES, "gone.0#0"])),
)


@st.composite
def logs(draw: st.DrawFn) -> list[Edit]:
    """Edits, good and hopeless, with reversals among them."""
    log: list[Edit] = []
    for kind, values in draw(st.lists(KINDS, max_size=8)):
        log.append(edit(len(log) + 1, kind, **values))
        named = draw(st.integers(0, 3 * len(log)))
        if 0 < named <= len(log) and log[named - 1].kind not in ("undo", "redo"):
            log.append(edit(len(log) + 1, draw(st.sampled_from(["undo", "redo"])), edit=named))
    return log


def summary(log: list[Edit]) -> tuple[object, ...]:
    done = replay(THEMES, log, places=PLACES)
    taught = learn_prototypes(done.theme_set, done.moved)
    return dict(theme_set_files(taught)), dict(done.notes), done.conflicts, dict(done.corrections)


@settings(max_examples=60, deadline=None)
@given(logs())
def test_undoing_everything_gives_back_the_very_same_theme_set(log: list[Edit]) -> None:
    undone = [*log, *(edit(len(log) + at, "undo", edit=one.number) for at, one in enumerate(active_edits(log), start=1))]
    done = replay(THEMES, undone, places=PLACES)
    assert done.theme_set is THEMES
    assert (done.notes, done.conflicts, done.corrections, done.moved) == ({}, (), {}, ())


@settings(max_examples=60, deadline=None)
@given(logs(), st.randoms(use_true_random=False))
def test_replays_a_log_to_the_same_bytes_however_it_was_read(log: list[Edit], random: object) -> None:
    shuffled = list(log)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert summary(shuffled) == summary(log)


@settings(max_examples=60, deadline=None)
@given(logs())
def test_leaves_a_theme_set_that_holds_together(log: list[Edit]) -> None:
    done = replay(THEMES, log, places=PLACES)
    themes = learn_prototypes(done.theme_set, done.moved)
    parents = {one.id for one in themes.themes if one.parent is None}
    assert ids(themes) == sorted(set(ids(themes)))
    assert {one.parent for one in themes.themes if one.parent} == parents
    assert {one.id for one in themes.themes if one.parent} == set(themes.prototype_themes)
    rows = len(themes.prototypes)
    assert rows == len(themes.prototype_themes) == len(themes.thresholds) == len(themes.cause_priors)
    assert all(themes.learned < start <= rows for start in themes.wave_starts)
    assert np.allclose(np.linalg.norm(themes.prototypes, axis=1), 1.0, atol=1e-5)
    assert themes.version == theme_set_version(themes)
    assert set(done.notes) <= set(ids(themes))


@settings(max_examples=60, deadline=None)
@given(logs())
def test_never_takes_a_member_out_of_every_theme(log: list[Edit]) -> None:
    """No edit of themes makes an opinion residual that had a theme."""
    before, after = leaves(THEMES, MEMBERS), leaves(replay(THEMES, log, places=PLACES).theme_set, MEMBERS)
    assert all(new is not None for old, new in zip(before, after, strict=True) if old is not None)


@settings(max_examples=40, deadline=None)
@given(st.permutations([0, 1, 2, 3, 4]))
def test_edits_of_different_things_hold_in_any_order(order: list[int]) -> None:
    unrelated = [
        ("rename", {"theme": "t-1", "names": {"en": "slow"}}),
        ("merge", {"themes": ["t-4"], "into": "t-3"}),
        ("hide", {"theme": "t-2", "hidden": True}),
        ("move", {"opinion": "a.0#0", "theme": "t-2"}),
        ("correct", {"opinion": "a.1#0", "type": "question"}),
    ]
    straight = [edit(number, kind, **values) for number, (kind, values) in enumerate(unrelated, start=1)]
    mixed = [edit(number, unrelated[at][0], **unrelated[at][1]) for number, at in enumerate(order, start=1)]
    one, other = replay(THEMES, straight, places=PLACES), replay(THEMES, mixed, places=PLACES)
    assert dict(theme_set_files(one.theme_set)) == dict(theme_set_files(other.theme_set))
    assert (one.notes, one.conflicts) == (other.notes, other.conflicts)
    assert apply_to_coding(CODING, one.corrections["a.0#0"]) == apply_to_coding(CODING, other.corrections["a.0#0"])


WHATEVER = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.text(max_size=5) | st.sampled_from(["t-1", "p-1", "late", "a.0#0", "en"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3) | st.sampled_from(["en", "zh"]), inner, max_size=2),
    max_leaves=5,
)
NAMES = ("theme", "themes", "into", "names", "examples", "parent", "hidden", "pinned", "opinion", "sentiment", "causes", "cause", "owner")


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(sorted({kind for kind, _ in GOOD})),
    st.dictionaries(st.sampled_from(NAMES), WHATEVER, max_size=4),
    st.sampled_from(GOOD),
)
def test_answers_whatever_it_is_given(kind: str, odd: dict[str, object], good: tuple[str, dict[str, object]]) -> None:
    """Values come from a request: they are kept or refused in our words, never with a traceback."""
    for values in (odd, {**good[1], **odd}):
        try:
            kept = check_edit(good[0] if values is not odd else kind, values, THEMES)
        except FeedbackMinerError:
            continue
        assert check_edit(good[0] if values is not odd else kind, kept, THEMES) == kept
