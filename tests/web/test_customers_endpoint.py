"""Customers to call back: who is found, by which key, and that the key is legible to nobody else and nowhere else."""

import csv
import io
import logging
from typing import Any

import pytest
from service_stage import Stage, made_up_items

from feedback_miner.jobs.claim import claim_job
from feedback_miner.jobs.steps import abandon, ingest
from feedback_miner.store import projects
from feedback_miner.store.tables import CustomerRow

ROWS = 120
KEYS = [f"Wainscot.Zebrafinch{number}@example.com" for number in range(8)] + [
    "+44 20 7946 0958",
    "=HYPERLINK(1)",
    "C-77",
    "member wombat9@example.com",
]


def customer(number: int) -> str:
    return KEYS[number % len(KEYS)]


@pytest.fixture(scope="module")
def items() -> list[dict[str, Any]]:
    return [{**item, "customer": customer(number)} for number, item in enumerate(made_up_items(ROWS, seed=4))]


@pytest.fixture(scope="module")
def surveyed(stage, items) -> str:
    project = stage.new_project("surveyed")
    stage.client().upload(project, items, score_kind="nps")
    stage.engine.work()
    return project


@pytest.fixture(scope="module")
def contact(stage) -> str:
    return stage.key("contact")


def listed(stage: Stage, project: str, key: str, **params: Any) -> list[dict[str, Any]]:
    found, cursor = [], None
    while True:
        asked = {**({} if cursor is None else {"cursor": cursor}), **params}
        answer = stage.ask("GET", f"/v1/projects/{project}/customers", key, params=asked)
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        cursor = answer.json()["next"]
        if cursor is None:
            return found


def table(stage: Stage, project: str, key: str, **params: Any) -> list[dict[str, str]]:
    answer = stage.ask("GET", f"/v1/projects/{project}/customers.csv", key, params=params)
    assert answer.status_code == 200, answer.text
    assert answer.content.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))


def test_customers_are_listed_by_their_own_keys_with_what_they_said(stage, surveyed, contact, items):
    found = listed(stage, surveyed, contact)
    said = {item["customer"] for item in items if item["text"] != "n/a"}
    assert {one["customer"] for one in found} == said
    by_text: dict[str, set[str]] = {}
    for item in items:
        by_text.setdefault(item["customer"], set()).add(item["text"])
    for one in found:
        for opinion in one["opinions"]:
            assert any(opinion["text"].rstrip(".") in text for text in by_text[one["customer"]])
        latest = max(item["created_at"] for item in items if item["customer"] == one["customer"])
        assert one["created_at"][:10] <= latest


def test_pages_hold_each_customer_once(stage, surveyed, contact):
    assert listed(stage, surveyed, contact, limit=2) == listed(stage, surveyed, contact)


def test_filters_leave_who_said_it(stage, surveyed, contact):
    theme = next(theme["id"] for theme in stage.ask("GET", f"/v1/projects/{surveyed}/themes").json()["items"] if theme["parent"])
    for asked in ({"score_group": "detractor"}, {"theme": theme}, {"sentiment": "negative", "from": "2026-03-01", "to": "2026-06-01"}):
        path = f"themes/{theme}/opinions" if "theme" in asked else "opinions"
        rest = {name: value for name, value in asked.items() if name != "theme"}
        with stage.client() as client:
            page = client.request("GET", f"/v1/projects/{surveyed}/{path}", params={"limit": 500, **rest})
        found = listed(stage, surveyed, contact, **asked)
        assert sorted(opinion["id"] for one in found for opinion in one["opinions"]) == sorted(one["id"] for one in page["items"])
        assert found


def test_the_table_holds_a_row_for_each_opinion_and_no_formula(stage, surveyed, contact):
    rows, found = table(stage, surveyed, contact), listed(stage, surveyed, contact)
    assert [row["opinion"] for row in rows] == [opinion["id"] for one in found for opinion in one["opinions"]]
    keys = {row["customer"] for row in rows}
    assert {"'+44 20 7946 0958", "'=HYPERLINK(1)", "C-77", KEYS[0]} <= keys
    assert not [key for key in keys if key.startswith(("=", "+"))]
    assert len(table(stage, surveyed, contact, score_group="promoter")) < len(rows)


def test_the_table_is_whole_however_many_customers_are_read_at_a_time(stage, surveyed, contact, monkeypatch):
    before = table(stage, surveyed, contact)
    monkeypatch.setattr("feedback_miner.web.customers._AT_A_TIME", 3)
    assert table(stage, surveyed, contact) == before


def test_an_admin_does_not_read_keys_without_being_told_so(stage, surveyed):
    for path in ("customers", "customers.csv"):
        assert stage.ask("GET", f"/v1/projects/{surveyed}/{path}").status_code == 403


def test_reading_and_exporting_keys_is_audited(stage, surveyed, contact):
    listed(stage, surveyed, contact)
    table(stage, surveyed, contact)
    cursor, actions = 0, []
    while cursor is not None:
        page = stage.ask("GET", "/v1/audit", params={"limit": 500, "cursor": cursor}).json()
        actions += [row["action"] for row in page["items"] if row["project"] == surveyed]
        cursor = page["next"]
    assert actions[-2:] == ["read customers", "export customers.csv"]


@pytest.mark.parametrize(("asked", "status"), [({"theme": "t-none"}, 404), ({"score_group": "satisfied"}, 422), ({"from": "soon"}, 422)])
def test_what_cannot_be_asked_is_refused(stage, surveyed, contact, asked, status):
    for path in ("customers", "customers.csv"):
        assert stage.ask("GET", f"/v1/projects/{surveyed}/{path}", contact, params=asked).status_code == status


def test_a_key_stands_nowhere_as_it_was_uploaded(stage, surveyed, contact, caplog):
    caplog.set_level(logging.DEBUG)
    listed(stage, surveyed, contact)
    answers = [
        stage.ask("GET", f"/v1/projects/{surveyed}/{path}").text for path in ("report.json", "report.csv", "report.html", "opinions")
    ]
    stage.service.database.empty_log()
    secret = [b"zebrafinch", b"wainscot", b"7946 0958", b"79460958", b"wombat9"]
    files = [path for path in stage.service.settings.data.rglob("*") if path.is_file()]
    assert any(path.suffix == ".sqlite" for path in files)
    for place, content in [
        *((str(path), path.read_bytes()) for path in files),
        ("log", caplog.text.encode()),
        *enumerate(map(str.encode, answers)),
    ]:
        for part in secret:
            assert part not in content.lower(), (place, part)


def test_a_customers_key_goes_with_them(stage, items):
    project = stage.new_project("short")
    stage.client().upload(project, items, score_kind="nps")
    stage.engine.work()
    contact = stage.key("contact", project=project)
    assert KEYS[0] in {one["customer"] for one in listed(stage, project, contact)}
    with stage.client() as client:
        assert client.delete_customer(project, KEYS[0].upper())["responses"] > 0
        assert client.delete_customer(project, "member wombat9@example.com")["responses"] > 0
    stage.engine.work()
    assert {one["customer"] for one in listed(stage, project, contact)} == {KEYS[0]} ^ {"member wombat9@example.com"} ^ set(KEYS)
    with stage.service.database.reading() as session:
        sealed = [stage.service.shop.unseal(row.sealed) for row in session.query(CustomerRow).filter_by(project=project)]
    assert sorted(sealed) == sorted([*KEYS[1:8], "+44 20 7946 0958"])


def test_keys_of_an_upload_that_was_given_up_are_gone(stage, items):
    project = stage.new_project("given up")
    job = stage.client().upload(project, items[:20])
    stage.engine.waiting.clear()
    claim = claim_job(stage.service.shop, job)
    ingest(claim)
    with stage.service.database.transaction() as session:
        assert session.query(CustomerRow).filter_by(project=project).count() > 0
        projects.get_batch(session, project, claim.batch).columns = None  # as if it had been cut off before its end
    abandon(claim_job(stage.service.shop, job), "cancelled", None)
    with stage.service.database.reading() as session:
        assert session.query(CustomerRow).filter_by(project=project).count() == 0
