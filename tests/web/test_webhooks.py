"""Webhooks as their admins see them: made, changed, tried, listed, deleted; and what of them is shown to nobody."""

from datetime import timedelta

import pytest

from feedback_miner.store import outbox, projects, webhooks
from feedback_miner.store.tables import WebhookRow

EVENTS = ["job.finished", "theme.born"]


@pytest.fixture
def place(empty_stage) -> str:
    return f"/v1/projects/{empty_stage.new_project()}/webhooks"


def create(stage, place, url="https://hooks.example/in?token=t0ken", events=EVENTS):
    return stage.ask("POST", place, json={"url": url, "events": events})


def test_a_secret_is_shown_once_and_kept_sealed(empty_stage, place):
    made = create(empty_stage, place)
    assert made.status_code == 201
    webhook = made.json()
    secret = webhook.pop("secret")
    assert secret.startswith("whsec_")
    assert len(secret) >= 40
    (listed,) = empty_stage.ask("GET", place).json()["items"]
    assert listed == webhook
    assert (listed["url"], listed["events"], listed["switched_off"]) == ("https://hooks.example/in?token=t0ken", EVENTS, False)
    with empty_stage.service.database.reading() as session:
        sealed = session.get_one(WebhookRow, webhook["id"]).secret
    assert secret.encode() not in sealed
    assert empty_stage.service.shop.unseal(sealed) == secret
    assert create(empty_stage, place).json()["secret"] != secret


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://hooks.example/", "must begin with https://"),
        ("https://127.0.0.1/", "private or local"),
        ("https://[::ffff:10.0.0.1]/", "private or local"),
        ("https://169.254.169.254/latest/meta-data", "private or local"),
        ("https://2130706433/", "private or local"),
        ("https://anna:word@hooks.example/", "no user, password"),
        ("file:///etc/passwd", "must begin with https://"),
        ("\ud800", None),
        ("", None),
        ("https://hooks.example/" + "a" * 3_000, None),
    ],
)
def test_an_address_that_cannot_be_is_refused(empty_stage, place, url, says):
    answer = empty_stage.ask(
        "POST",
        place,
        content=f'{{"url": {ascii(url)!s}, "events": ["job.finished"]}}'.replace("'", '"'),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 422, answer.text
    assert says is None or says in answer.json()["detail"]
    assert empty_stage.ask("GET", place).json()["items"] == []


@pytest.mark.parametrize("events", [[], ["everything"], ["ping"]])
def test_an_event_that_is_none_is_refused(empty_stage, place, events):
    assert create(empty_stage, place, events=events).status_code == 422


def test_a_webhook_is_changed_and_told_again(empty_stage, place):
    webhook = create(empty_stage, place).json()
    with empty_stage.service.database.transaction() as session:
        session.get_one(WebhookRow, webhook["id"]).events = []
    assert empty_stage.ask("GET", place).json()["items"][0]["switched_off"]
    path = f"{place}/{webhook['id']}"
    assert empty_stage.ask("PATCH", path, json={"events": ["theme.born"]}).json()["switched_off"] is False
    changed = empty_stage.ask("PATCH", path, json={"url": "https://other.example"}).json()
    assert (changed["url"], changed["events"]) == ("https://other.example", ["theme.born"])
    assert empty_stage.ask("PATCH", path, json={"url": "https://10.0.0.1/"}).status_code == 422
    assert empty_stage.ask("PATCH", path, json={"events": []}).status_code == 422
    assert empty_stage.ask("PATCH", path, json={"secret": "mine"}).status_code == 422
    with empty_stage.service.database.reading() as session:
        assert empty_stage.service.shop.unseal(session.get_one(WebhookRow, webhook["id"]).secret) == webhook["secret"]


def test_a_ping_is_written_whatever_is_subscribed_to(empty_stage, place):
    webhook = create(empty_stage, place, events=["theme.born"]).json()
    answer = empty_stage.ask("POST", f"{place}/{webhook['id']}/test")
    assert answer.status_code == 202
    delivery = answer.json()
    assert (delivery["event"], delivery["state"], delivery["attempts"], delivery["status"]) == ("ping", "waiting", 0, None)
    assert delivery["body"]["data"] == {"project": webhook["project"], "webhook": webhook["id"]}
    assert delivery["event_id"] == delivery["body"]["id"]
    assert empty_stage.ask("GET", f"{place}/{webhook['id']}/deliveries").json()["items"] == [delivery]


def test_deliveries_are_listed_and_tried_again(empty_stage, place):
    webhook = create(empty_stage, place).json()["id"]
    now = projects.now()
    with empty_stage.service.database.transaction() as session:
        row = webhooks.get_webhook(session, place.split("/")[3], webhook)
        ids = [outbox.tell_one(session, row, "ping", {}, at=now + timedelta(seconds=number)).id for number in range(3)]
        taken = outbox.take(session, webhook, now, timedelta(seconds=60))
        outbox.note_failure(session, taken, 500, "the answer was 500", next_at=None)
    page = empty_stage.ask("GET", f"{place}/{webhook}/deliveries", params={"limit": 2}).json()
    rest = empty_stage.ask("GET", f"{place}/{webhook}/deliveries", params={"limit": 2, "cursor": page["next"]}).json()
    assert [delivery["id"] for delivery in [*page["items"], *rest["items"]]] == ids[::-1]
    assert rest["next"] is None
    (lost,) = empty_stage.ask("GET", f"{place}/{webhook}/deliveries", params={"state": "given_up"}).json()["items"]
    assert (lost["id"], lost["status"], lost["reason"], lost["next_at"]) == (ids[0], 500, "the answer was 500", None)
    again = empty_stage.ask("POST", f"{place}/{webhook}/deliveries/{ids[0]}/retry")
    assert (again.status_code, again.json()["state"], again.json()["event_id"]) == (202, "waiting", lost["event_id"])
    assert empty_stage.ask("GET", f"{place}/{webhook}/deliveries", params={"state": "given_up"}).json()["items"] == []
    assert empty_stage.ask("POST", f"{place}/{webhook}/deliveries/999999/retry").status_code == 404
    other = create(empty_stage, place).json()["id"]
    assert empty_stage.ask("POST", f"{place}/{other}/deliveries/{ids[0]}/retry").status_code == 404


def test_a_webhook_is_deleted_with_what_waits(empty_stage, place):
    webhook = create(empty_stage, place).json()["id"]
    empty_stage.ask("POST", f"{place}/{webhook}/test")
    assert empty_stage.ask("DELETE", f"{place}/{webhook}").status_code == 204
    assert empty_stage.ask("DELETE", f"{place}/{webhook}").status_code == 404
    assert empty_stage.ask("GET", f"{place}/{webhook}/deliveries").status_code == 404
    with empty_stage.service.database.reading() as session:
        assert outbox.list_due(session, projects.now() + timedelta(days=1)) == []


def test_the_twenty_first_is_a_conflict(empty_stage, place):
    statuses = [create(empty_stage, place).status_code for _ in range(21)]
    assert statuses == [201] * 20 + [409]
    page = empty_stage.ask("GET", place, params={"limit": 15}).json()
    rest = empty_stage.ask("GET", place, params={"limit": 15, "cursor": page["next"]}).json()
    assert len({webhook["id"] for webhook in [*page["items"], *rest["items"]]}) == 20


def test_the_audit_says_what_was_made_changed_and_deleted_and_no_address(empty_stage, place):
    webhook = create(empty_stage, place).json()["id"]
    empty_stage.ask("PATCH", f"{place}/{webhook}", json={"events": ["theme.born"]})
    empty_stage.ask("DELETE", f"{place}/{webhook}")
    audit = empty_stage.ask("GET", "/v1/audit", params={"limit": 500})
    noted = [row["action"] for row in audit.json()["items"] if row["subject"] == webhook]
    assert noted == ["create webhook", "change webhook", "delete webhook"]
    assert "t0ken" not in audit.text


def test_where_the_operator_allows_it_a_private_address_will_do(tmp_path, portal):
    from service_stage import open_stage

    stage = open_stage(tmp_path / "data", portal, allow_private_targets=True)
    made = create(stage, f"/v1/projects/{stage.new_project()}/webhooks", "http://127.0.0.1:9000/in")
    assert made.status_code == 201
    stage.service.database.close()
