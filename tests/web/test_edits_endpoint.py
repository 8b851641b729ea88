"""Edits over HTTP: the log and its ETag, what a change does to the themes that are read, and what is refused."""

from typing import Any

import pytest
from service_stage import Stage, open_mined

from feedback_miner.training.sets import load_sets


@pytest.fixture
def stage(mined_folder, tmp_path, portal) -> Any:
    stage = open_mined(mined_folder, tmp_path / "data", portal)
    yield stage
    stage.service.database.close()


def edits(stage: Stage) -> str:
    return f"/v1/projects/{stage.project}/edits"


def themes(stage: Stage) -> dict[str, Any]:
    answer = stage.ask("GET", f"/v1/projects/{stage.project}/themes")
    return {theme["id"]: theme for theme in answer.json()["items"]}


def test_notes_are_shown_at_once_and_undone(stage):
    theme = next(iter(themes(stage)))
    plain = {"hidden": False, "pinned": False, "owner": None, "effort": None, "status": None}
    assert {tuple(found["notes"].items()) for found in themes(stage).values()} == {tuple(plain.items())}
    made = stage.ask("POST", edits(stage), json={"kind": "pin", "values": {"theme": theme, "pinned": True}})
    assert made.status_code == 201
    assert themes(stage)[theme]["notes"] == {**plain, "pinned": True}
    undone = stage.ask("POST", f"{edits(stage)}/{made.json()['number']}/undo")
    assert undone.status_code == 201
    assert themes(stage)[theme]["notes"] == plain


def test_a_new_name_is_shown_when_its_job_is_done(stage):
    theme = next(iter(themes(stage)))
    made = stage.ask("POST", edits(stage), json={"kind": "rename", "values": {"theme": theme, "names": {"en": "slow parcels"}}})
    assert made.headers["Location"] == f"/v1/jobs/{made.json()['job']}"
    stage.engine.work()
    assert themes(stage)[theme]["names"]["en"] == "slow parcels"


def test_the_log_is_kept_in_order_with_an_etag(stage):
    assert stage.ask("GET", edits(stage)).headers["ETag"] == '"0"'
    theme = next(iter(themes(stage)))
    for hidden in (True, False):
        stage.ask("POST", edits(stage), json={"kind": "hide", "values": {"theme": theme, "hidden": hidden}})
    log = stage.ask("GET", edits(stage))
    assert [(entry["number"], entry["values"]["hidden"]) for entry in log.json()["items"]] == [(1, True), (2, False)]
    assert log.json()["conflicts"] == []
    assert log.headers["ETag"] == '"2"'


def test_who_did_not_see_the_newest_edit_is_refused(stage):
    body = {"kind": "pin", "values": {"theme": next(iter(themes(stage))), "pinned": True}}
    assert stage.ask("POST", edits(stage), json=body, headers={"If-Match": '"0"'}).status_code == 201
    refused = stage.ask("POST", edits(stage), json=body, headers={"If-Match": '"0"'})
    assert refused.status_code == 409
    assert "somebody else" in refused.json()["detail"]
    assert stage.ask("POST", edits(stage), json=body, headers={"If-Match": '"1"'}).status_code == 201
    assert stage.ask("POST", edits(stage), json=body, headers={"If-Match": "yesterday"}).status_code == 422


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"kind": "paint", "values": {}}, 422),
        ({"kind": "undo", "values": {"edit": 1}}, 422),
        ({"kind": "rename", "values": {"theme": "t-none", "names": {"en": "x"}}}, 404),
        ({"kind": "rename", "values": {}}, 422),
    ],
)
def test_what_cannot_be_is_refused_and_not_logged(stage, body, status):
    assert stage.ask("POST", edits(stage), json=body).status_code == status
    assert stage.ask("GET", edits(stage)).json()["items"] == []


def test_an_edit_sent_again_under_its_key_is_made_once(stage):
    theme = next(iter(themes(stage)))
    asked = {"json": {"kind": "pin", "values": {"theme": theme, "pinned": True}}, "headers": {"Idempotency-Key": "pin once"}}
    first, again = (stage.ask("POST", edits(stage), **asked) for _ in range(2))
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert (first.headers["ETag"], first.headers["Location"]) == (again.headers["ETag"], again.headers["Location"])
    assert len(stage.ask("GET", edits(stage)).json()["items"]) == 1
    other = stage.ask("POST", f"{edits(stage)}/1/undo", headers={"Idempotency-Key": "pin once"})
    assert other.status_code == 422


def test_corrections_hold_what_was_said_and_nothing_that_was_guessed(stage, tmp_path):
    opinions = stage.ask("GET", f"/v1/projects/{stage.project}/opinions", params={"limit": 6}).json()["items"]
    theme, named = next((id_, found) for id_, found in themes(stage).items() if found["parent"] is not None)
    moved, corrected, emptied, taken_back = (opinion["id"] for opinion in opinions[:4])
    for body in (
        {"kind": "move", "values": {"opinion": moved, "theme": theme}},
        {"kind": "correct", "values": {"opinion": corrected, "sentiment": "positive", "type": "praise"}},
        {"kind": "no_content", "values": {"opinion": emptied}},
        {"kind": "correct", "values": {"opinion": taken_back, "sentiment": "neutral"}},
    ):
        number = stage.ask("POST", edits(stage), json=body).json()["number"]
    stage.ask("POST", f"{edits(stage)}/{number}/undo")
    stage.engine.work()
    table = tmp_path / "corrections.csv"
    table.write_bytes(stage.ask("GET", f"/v1/projects/{stage.project}/corrections.csv").content)
    rows = {row["opinion"]: row for row in load_sets(table)["corrections"].rows}
    assert rows.keys() == {moved, corrected, emptied}
    assert rows[moved]["text"] == opinions[0]["text"]
    assert rows[moved]["themes"] in named["names"].values()
    assert [rows[moved][name] for name in ("sentiment", "type", "causes")] == ["", "", ""]
    assert [rows[corrected][name] for name in ("themes", "sentiment", "type")] == ["", "pos", "praise"]
    assert [rows[emptied][name] for name in ("themes", "sentiment", "type")] == ["", "neu", "statement"]
