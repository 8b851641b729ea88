"""Cases: opened for an opinion, handed on, closed; one for a response, and gone with its customer."""

import pytest
from service_stage import made_up_items

from feedback_miner.errors import ConflictError
from feedback_miner.store import access, cases


@pytest.fixture(scope="module")
def project(stage) -> str:
    """A project of its own: a customer's deletion takes the figures of all along."""
    project = stage.new_project("followed up")
    items = [{**item, "customer": f"shopper-{number % 40}"} for number, item in enumerate(made_up_items(120, seed=9))]
    stage.client().upload(project, items, score_kind="nps")
    stage.engine.work()
    return project


@pytest.fixture(scope="module")
def opinions(stage, project) -> list[dict]:
    """One opinion of each response."""
    listed = stage.ask("GET", f"/v1/projects/{project}/opinions", params={"limit": 500}).json()["items"]
    return list({opinion["id"].partition(".")[0]: opinion for opinion in listed}.values())


def ask(stage, method, project, rest="", **more):
    return stage.ask(method, f"/v1/projects/{project}/cases{rest}", **more)


def test_a_case_goes_from_open_to_closed_and_back(stage, project, opinions):
    opinion = opinions[0]
    opened = ask(stage, "POST", project, json={"opinion": opinion["id"], "owner": "Ines", "due": "2026-12-01"})
    assert opened.status_code == 201
    case = opened.json()
    assert opened.headers["Location"] == f"/v1/projects/{project}/cases/{case['id']}"
    assert opened.headers["ETag"] == '"1"'
    assert {name: case[name] for name in ("opinion", "text", "score", "state", "owner", "due", "outcome", "closed_at")} == {
        "opinion": opinion["id"], "text": opinion["text"], "score": opinion["score"], "state": "open", "owner": "Ines",
        "due": "2026-12-01", "outcome": None, "closed_at": None,
    }  # fmt: skip
    here = f"/{case['id']}"
    waiting = ask(stage, "PATCH", project, here, json={"state": "waiting", "owner": None, "note": "left a message"}).json()
    assert (waiting["state"], waiting["owner"], waiting["due"], waiting["note"]) == ("waiting", None, "2026-12-01", "left a message")
    closed = ask(stage, "PATCH", project, here, json={"state": "closed", "outcome": "resolved"}).json()
    assert (closed["outcome"], closed["closed_at"]) == ("resolved", closed["changed_at"])
    again = ask(stage, "PATCH", project, here, json={"state": "open"}).json()
    assert (again["outcome"], again["closed_at"], again["version"]) == (None, None, 4)
    assert ask(stage, "GET", project, here).json() == again


def test_a_response_has_one_case(stage, project, opinions):
    first = ask(stage, "POST", project, json={"opinion": opinions[1]["id"], "owner": "Ines"})
    second = ask(stage, "POST", project, json={"opinion": opinions[1]["id"], "owner": "Otto"})
    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json() == first.json()


def test_what_somebody_else_changed_is_not_overwritten(stage, project, opinions):
    here = f"/{ask(stage, 'POST', project, json={'opinion': opinions[2]['id']}).json()['id']}"
    read = ask(stage, "GET", project, here).headers["ETag"]
    assert ask(stage, "PATCH", project, here, json={"owner": "Ines"}, headers={"If-Match": read}).status_code == 200
    late = ask(stage, "PATCH", project, here, json={"owner": "Otto"}, headers={"If-Match": read})
    assert late.status_code == 409
    assert "version 2, not 1" in late.json()["detail"]
    assert ask(stage, "GET", project, here).json()["owner"] == "Ines"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"state": "closed"}, "resolved, unreachable or no_action"),
        ({"outcome": "resolved"}, "resolved, unreachable or no_action"),
        ({"state": "open", "outcome": "resolved"}, "resolved, unreachable or no_action"),
        ({"state": "lost"}, "'open', 'waiting' or 'closed'"),
        ({"due": "soon"}, "due"),
        ({"opinion": "another"}, "opinion"),
    ],
)
def test_what_makes_no_sense_is_refused(stage, project, opinions, change, why):
    here = f"/{ask(stage, 'POST', project, json={'opinion': opinions[3]['id']}).json()['id']}"
    answer = ask(stage, "PATCH", project, here, json=change)
    assert answer.status_code == 422
    assert why in answer.text


def test_only_of_opinions_there_are(stage, project, opinions):
    item, _, rest = opinions[0]["id"].partition(".")
    gone = ask(stage, "POST", project, json={"opinion": f"{item[::-1]}.{rest}"})
    assert gone.status_code == 404
    assert ask(stage, "POST", stage.new_project(), json={"opinion": opinions[0]["id"]}).status_code == 404
    assert ask(stage, "POST", project, json={"opinion": "no opinion"}).status_code == 422
    assert ask(stage, "GET", project, "/999999999").status_code == 404
    foreign = ask(stage, "POST", project, json={"opinion": opinions[4]["id"]}).json()["id"]
    assert ask(stage, "GET", stage.new_project(), f"/{foreign}").status_code == 404


def test_lists_are_paged_and_filtered(stage, project, opinions):
    made = [
        ask(stage, "POST", project, json={"opinion": opinion["id"], "owner": owner, "due": due}).json()["id"]
        for opinion, owner, due in zip(opinions[10:13], ("Lu", "Lu", "Mo"), ("2026-05-01", "2026-07-01", "2026-05-01"), strict=True)
    ]
    ask(stage, "PATCH", project, f"/{made[2]}", json={"state": "closed", "outcome": "no_action"})

    def listed(**filters):
        return [case["id"] for case in stage.client().cases(project, **filters) if case["id"] in made]

    assert listed() == made
    assert listed(owner="Lu") == made[:2]
    assert listed(state="closed") == made[2:]
    assert listed(due_before="2026-06-01") == made[:1]
    page = ask(stage, "GET", project, params={"owner": "Lu", "limit": 1}).json()
    assert [case["id"] for case in page["items"]] == made[:1]
    rest = ask(stage, "GET", project, params={"owner": "Lu", "limit": 1, "cursor": page["next"]}).json()
    assert ([case["id"] for case in rest["items"]], rest["next"]) == (made[1:2], None)


def test_personal_data_in_a_note_is_replaced(stage, project, opinions):
    number = "+44 7700 900123"
    case = ask(stage, "POST", project, json={"opinion": opinions[5]["id"], "note": f"call {number} after six"}).json()
    assert case["note"] == "call <PHONE> after six"
    changed = ask(stage, "PATCH", project, f"/{case['id']}", json={"note": f"she said: {number}, not before Monday"}).json()
    assert changed["note"] == "she said: <PHONE>, not before Monday"


def test_a_case_goes_with_its_customer(stage, project, opinions):
    case = ask(stage, "POST", project, json={"opinion": opinions[20]["id"], "note": "a pelican in the parcel"}).json()
    other = next(opinion for opinion in opinions[21:] if opinion["id"] != case["opinion"])
    kept = ask(stage, "POST", project, json={"opinion": other["id"]}).json()
    assert kept["customer"] != case["customer"]
    assert stage.ask("DELETE", f"/v1/projects/{project}/customers/{case['customer']}").status_code == 200
    stage.engine.work()
    assert ask(stage, "GET", project, f"/{case['id']}").status_code == 404
    assert ask(stage, "GET", project, f"/{kept['id']}").status_code == 200
    stage.service.database.empty_log()
    assert not any(b"pelican" in file.read_bytes() for file in stage.service.settings.data.rglob("*") if file.is_file())


def test_who_read_and_changed_stands_in_the_audit(stage, project, opinions):
    case = ask(stage, "POST", project, json={"opinion": opinions[6]["id"]}).json()["id"]
    ask(stage, "GET", project, f"/{case}")
    ask(stage, "PATCH", project, f"/{case}", json={"owner": "Ines"})
    ask(stage, "GET", project)
    with stage.service.database.reading() as session:
        noted = [(entry.action, entry.subject) for entry in access.list_audit(session, limit=100_000)]
    assert noted[-4:] == [("open case", str(case)), ("read case", str(case)), ("change case", str(case)), ("read cases", None)]


def test_a_version_that_is_over_is_a_conflict(stage, project, opinions):
    with stage.service.database.transaction() as session:
        case, _ = cases.open_case(session, project, opinions[7]["id"], actor="test", owner=None, due=None, note="")
        with pytest.raises(ConflictError, match="read it again"):
            cases.change_case(session, project, case.row.id, {"owner": "Lu"}, expected=7)
