"""Edits on a project that is mined: what changes at once, what the next job codes anew, what a later wave and an undo leave of it."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from front_desk import WHEN, Desk, comments

from feedback_miner.errors import ConflictError, InputError, NotFoundError
from feedback_miner.jobs.forget import forget_customer
from feedback_miner.jobs.living import fitted_theme_set, living_theme_set, replay_log
from feedback_miner.store import findings
from feedback_miner.store.opinions import OpinionFilter, find_opinions
from feedback_miner.store.tables import CodingRow


@pytest.fixture
def project(desk: Desk) -> str:
    project = desk.add_project()
    desk.mine(project, comments(80))
    return project


def edit(desk: Desk, project: str, kind: str, values: Mapping[str, Any], **more: Any) -> int:
    """Make an edit and run its job; return its number."""
    row, job = desk.edit(project, kind, values, **more)
    desk.run(job)
    return row.number


def leaves(desk: Desk, project: str) -> list[dict[str, Any]]:
    return [theme for theme in desk.analysis(project)["themes"] if theme["parent"]]


def members(desk: Desk, project: str, theme: str) -> set[str]:
    with desk.database.reading() as session:
        return {found.id for found in find_opinions(session, project, OpinionFilter(themes=(theme,)), limit=1_000)}


def test_rename_changes_the_name_and_codes_nothing_anew(desk: Desk, project: str) -> None:
    theme = leaves(desk, project)[0]["id"]
    _, job = desk.edit(project, "rename", {"theme": theme, "names": {"en": "slow parcels"}})
    with desk.database.reading() as session:
        assert next(found for found in living_theme_set(session, project).themes if found.id == theme).names["en"] == "slow parcels"
        number = findings.get_theme_set(session, project).number
        assert findings.count_uncoded(session, project, number) == 0
    desk.run(job)
    assert next(found for found in leaves(desk, project) if found["id"] == theme)["names"]["en"] == "slow parcels"


def test_merge_moves_every_member_and_undo_gives_them_back(desk: Desk, project: str) -> None:
    before = desk.analysis(project)
    first, second = (theme["id"] for theme in leaves(desk, project)[:2])
    both = members(desk, project, first) | members(desk, project, second)
    number = edit(desk, project, "merge", {"themes": [second], "into": first})
    assert members(desk, project, first) == both
    assert second not in {theme["id"] for theme in leaves(desk, project)}
    edit(desk, project, "undo", {"edit": number})
    assert desk.analysis(project) == before


def test_move_and_correction_hold_for_the_opinion_and_are_marked(desk: Desk, project: str) -> None:
    first, second = (theme["id"] for theme in leaves(desk, project)[:2])
    opinion = min(members(desk, project, first))
    edit(desk, project, "move", {"opinion": opinion, "theme": second})
    edit(desk, project, "correct", {"opinion": opinion, "sentiment": "positive"})
    coding = next(coding for coding in desk.analysis(project)["codings"] if coding["opinion"] == opinion)
    assert coding["themes"] == [{"theme": second, "strength": 1.0}]
    assert coding["sentiment"]["label"] == "positive"
    assert coding["edited"] == ["themes", "sentiment"]
    assert opinion in members(desk, project, second)


def test_a_corrected_comment_is_what_its_opinions_say(desk: Desk) -> None:
    project = desk.add_project()
    desk.mine(project, [*comments(40), ("The room was dirty. The waiter was rude. I want my money back.", "1", "c-1", "2026-02-01")])

    def comment() -> tuple[dict[str, Any], list[str]]:
        analysis = desk.analysis(project)
        (document,) = (document for document in analysis["documents"] if "money back" in document["text"])
        (item,) = (item for item in analysis["items"] if item["id"] == document["item"])
        return item, [opinion["id"] for opinion in analysis["opinions"] if opinion["document"] == document["id"]]

    before, opinions = comment()
    assert len(opinions) == 3
    for opinion in opinions:
        edit(desk, project, "correct", {"opinion": opinion, "sentiment": "positive"})
    after, _ = comment()
    assert before["sentiment_score"] < after["sentiment_score"]
    assert after["sentiment"] == "positive"
    assert after["sentiment_score"] > 0.9999  # nothing of what the model read in the whole


def test_edits_hold_after_the_next_wave(desk: Desk, project: str) -> None:
    first, second, *_ = (theme["id"] for theme in leaves(desk, project))
    edit(desk, project, "rename", {"theme": first, "names": {"en": "slow parcels"}})
    opinion = min(members(desk, project, second))
    edit(desk, project, "move", {"opinion": opinion, "theme": first})
    desk.mine(project, comments(40, seed=9))
    found = {theme["id"]: theme for theme in leaves(desk, project)}
    assert found[first]["names"]["en"] == "slow parcels"
    assert opinion in members(desk, project, first)


def test_the_fitted_theme_set_knows_of_no_edit(desk: Desk, project: str) -> None:
    with desk.database.reading() as session:
        fitted = fitted_theme_set(session, project)
    edit(desk, project, "rename", {"theme": leaves(desk, project)[0]["id"], "names": {"en": "slow parcels"}})
    with desk.database.reading() as session:
        assert fitted_theme_set(session, project).version == fitted.version != living_theme_set(session, project).version


def test_refuses_an_edit_that_did_not_see_the_newest(desk: Desk, project: str) -> None:
    values = {"theme": leaves(desk, project)[0]["id"], "names": {"en": "slow parcels"}}
    number = edit(desk, project, "rename", values, expected=0)
    with pytest.raises(ConflictError, match="somebody else"):
        desk.edit(project, "rename", values, expected=0)
    edit(desk, project, "rename", values, expected=number)


@pytest.mark.parametrize(
    ("kind", "values", "error"),
    [
        ("rename", {"theme": "t-none", "names": {"en": "x"}}, NotFoundError),
        ("paint", {"theme": "t-none"}, InputError),
        ("undo", {"edit": 7}, NotFoundError),
    ],
)
def test_refuses_what_cannot_be_and_leaves_no_trace(
    desk: Desk, project: str, kind: str, values: Mapping[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        desk.edit(project, kind, values)
    with desk.database.reading() as session:
        assert findings.list_edits(session, project) == []


def test_a_customers_deletion_takes_what_was_learned_from_them(desk: Desk, project: str) -> None:
    first, second = (theme["id"] for theme in leaves(desk, project)[:2])
    customers = {item["id"]: item["customer"] for item in desk.analysis(project)["items"]}
    opinion = min(members(desk, project, first))
    customer = customers[opinion.partition(".")[0]]
    edit(desk, project, "move", {"opinion": opinion, "theme": second})
    with desk.database.reading() as session:
        assert living_theme_set(session, project).learned == 1
    deleted, job = forget_customer(desk.shop, project, customer)
    assert deleted
    assert job is not None
    desk.run(job)
    with desk.database.reading() as session:
        assert living_theme_set(session, project).learned == 0
        assert [conflict.kind for conflict in replay_log(desk.shop, session, project).conflicts] == ["move"]
        assert session.query(CodingRow).where(CodingRow.project == project).count() == len(desk.analysis(project)["opinions"])


def test_a_theme_is_not_called_what_nobody_says_any_more(desk: Desk) -> None:
    project = desk.add_project()
    leaver = [
        (f"The gallimaufry {verb} a quincunx {when}", "2", "leaver", "2026-05-01") for verb in ("lost", "broke", "burnt") for when in WHEN
    ]
    desk.mine(project, [*comments(80), *leaver])
    themes = json.dumps(desk.analysis(project)["themes"])
    assert "gallimaufry" in themes
    names = {theme["id"]: theme["names"] for theme in desk.analysis(project)["themes"]}
    assert [of for of in names.values() if "gallimaufry" in str(of) or "quincunx" in str(of)]
    deleted, job = forget_customer(desk.shop, project, "leaver")
    assert deleted == len(leaver)
    assert job is not None
    desk.run(job)
    with desk.database.reading() as session:
        kept = findings.get_theme_set(session, project).description.decode()
    for word in ("gallimaufry", "quincunx"):
        assert word not in kept
        assert word not in json.dumps(desk.analysis(project))
    # The others are called as they were.
    after = {theme["id"]: theme["names"] for theme in desk.analysis(project)["themes"]}
    assert all(after[id_] == names[id_] for id_ in after if "gallimaufry" not in str(names[id_]) and "quincunx" not in str(names[id_]))
