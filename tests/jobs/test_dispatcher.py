"""Deliveries to real receivers: signed, tried again by a clock that is set by hand, noted, and never lost with a process."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from front_desk import wait_for
from sqlalchemy import select
from webhook_receiver import Received, Receiver, receiving, say

import feedback_miner
from feedback_miner import client as client_module
from feedback_miner.client import SignatureError, verify_webhook
from feedback_miner.jobs.dispatcher import Dispatcher, next_attempt, sign
from feedback_miner.jobs.workshop import Workshop
from feedback_miner.outbound import Poster
from feedback_miner.store import outbox, projects, webhooks
from feedback_miner.store.tables import DeliveryRow, WebhookRow

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1", "127.0.0.2"])]

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
START = datetime(2026, 11, 1, 12, tzinfo=UTC).replace(tzinfo=None)
SECOND = timedelta(seconds=1)


class Clock:
    """Shows what it was set to."""

    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        return self.at


class Sender:
    """A project with webhooks, and a dispatcher that looks when it is told to."""

    def __init__(self, shop: Workshop) -> None:
        self.shop, self.clock = shop, Clock()
        self.dispatcher = self.another()
        with shop.database.transaction() as session:
            self.project = projects.add_project(session, "test", {}).id

    def another(self) -> Dispatcher:
        return Dispatcher(self.shop, Poster(allow_private=True), clock=self.clock)

    def add(self, url: str, *events: str) -> str:
        sealed = self.shop.seal(SECRET)
        with self.shop.database.transaction() as session:
            return webhooks.add_webhook(session, self.project, url, events or ("job.finished",), sealed).id

    def tell(self, event: str = "job.finished") -> None:
        with self.shop.database.transaction() as session:
            outbox.tell(session, self.project, event, {"job": "job_1", "note": "完"}, at=self.clock.at)

    def send(self) -> int:
        """Send what is due, and wait until it is noted; return how many."""
        begun = self.dispatcher.send_due()
        for sending in begun:
            sending.result()
        return len(begun)

    def row(self) -> DeliveryRow:
        (row,) = self.rows()
        return row

    def rows(self) -> list[DeliveryRow]:
        with self.shop.database.reading() as session:
            return list(session.scalars(select(DeliveryRow).order_by(DeliveryRow.id)))


@pytest.fixture
def sender(database, tmp_path) -> Iterator[Sender]:
    sender = Sender(Workshop(database, tmp_path))
    yield sender
    sender.dispatcher.stop()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def event_of(request: Received, monkeypatch: pytest.MonkeyPatch, at: datetime) -> dict:
    monkeypatch.setattr(client_module.time, "time", lambda: at.replace(tzinfo=UTC).timestamp())
    return verify_webhook(SECRET, request.headers, request.body)


def test_what_happened_is_told_once_signed_and_noted(sender, receiver, monkeypatch):
    sender.add(receiver.url)
    sender.tell()
    sender.tell("theme.born")
    assert (sender.send(), sender.send()) == (1, 0)
    (request,) = receiver.requests
    assert request.headers["Content-Type"] == "application/json"
    event = event_of(request, monkeypatch, START)
    assert (event["type"], event["data"]) == ("job.finished", {"job": "job_1", "note": "完"})
    assert request.headers["Webhook-Id"] == event["id"]
    row = sender.row()
    assert (outbox.state_of(row), row.status, row.attempts, row.delivered_at) == ("delivered", 204, 1, START)


def test_nothing_is_sent_where_nobody_wants_to_know(sender):
    sender.tell()
    assert sender.send() == 0
    assert sender.rows() == []


def test_a_signature_is_as_standard_webhooks_have_it():
    """The example that is published with the specification's libraries."""
    at = datetime.fromtimestamp(1_614_265_330, UTC).replace(tzinfo=None)
    headers = sign(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", at, b'{"test": 2432232314}')
    assert headers["Webhook-Timestamp"] == "1614265330"
    assert headers["Webhook-Signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_what_fails_is_tried_again_later_and_signed_anew(sender, receiver, monkeypatch):
    answers = [500, 503, 200]
    receiver.answer = lambda handler: say(handler, answers.pop(0))
    sender.add(receiver.url)
    sender.tell()
    for status, wait in ((500, 10), (503, 60)):
        assert sender.send() == 1
        row = sender.row()
        assert (row.status, row.reason) == (status, f"the answer was {status}; 2xx is success")
        assert timedelta(seconds=wait) <= row.next_at - sender.clock.at <= timedelta(seconds=1.2 * wait)
        sender.clock.at = row.next_at - SECOND
        assert sender.send() == 0
        sender.clock.at = row.next_at
    assert sender.send() == 1
    row = sender.row()
    assert (outbox.state_of(row), row.attempts, row.status, row.reason) == ("delivered", 3, 200, None)
    assert len({request.headers["Webhook-Id"] for request in receiver.requests}) == 1
    assert len({request.headers["Webhook-Timestamp"] for request in receiver.requests}) == 3
    assert len({request.body for request in receiver.requests}) == 1
    assert event_of(receiver.requests[-1], monkeypatch, sender.clock.at)["id"] == row.body["id"]
    with pytest.raises(SignatureError, match="not sent within 300 seconds"):
        event_of(receiver.requests[0], monkeypatch, START + timedelta(seconds=301))


def test_a_receiver_that_is_not_there_gets_it_when_it_is_back(sender):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    webhook = sender.add(f"http://127.0.0.1:{port}/token-in-a-path")
    sender.tell()
    sender.send()
    row = sender.row()
    assert (row.status, row.reason) == (None, "127.0.0.1 could not be asked (ConnectionRefusedError)")
    sender.clock.at = row.next_at
    with receiving() as receiver:
        with sender.shop.database.transaction() as session:
            webhooks.change_webhook(session, sender.project, webhook, url=receiver.url)
        sender.send()
        assert [request.headers["Webhook-Id"] for request in receiver.requests] == [row.body["id"]]


def test_what_fails_for_two_days_is_given_up_and_can_be_asked_for(sender, receiver):
    receiver.answer = lambda handler: say(handler, 500)
    webhook = sender.add(receiver.url)
    sender.tell()
    while sender.send():
        sender.clock.at = sender.row().next_at or sender.clock.at
    row = sender.row()
    assert (outbox.state_of(row), row.attempts, row.status) == ("given_up", 9, 500)
    assert timedelta(hours=44) < sender.clock.at - START < timedelta(hours=54)
    receiver.answer = lambda handler: say(handler, 200)
    with sender.shop.database.transaction() as session:
        outbox.send_again(session, webhook, row.id, at=sender.clock.at)
    sender.send()
    assert outbox.state_of(sender.row()) == "delivered"
    assert {request.headers["Webhook-Id"] for request in receiver.requests} == {row.body["id"]}


def test_waits_grow_and_are_spread():
    waits = [next_attempt("evt_1", attempt, START) - START for attempt in range(1, 9)]
    assert waits == sorted(waits)
    assert next_attempt("evt_1", 9, START) is None
    assert len({next_attempt(f"evt_{number}", 1, START) for number in range(50)}) > 40


def test_a_redirect_is_a_failure_and_is_not_followed(sender, receiver):
    with receiving("127.0.0.2") as other:
        receiver.answer = lambda handler: say(handler, 308, Location=other.url)
        sender.add(receiver.url)
        sender.tell()
        sender.send()
        assert other.requests == []
    assert "308, a redirect, and none is followed" in sender.row().reason


def test_whoever_is_gone_is_told_nothing_more(sender, receiver):
    receiver.answer = lambda handler: say(handler, 410)
    webhook = sender.add(receiver.url)
    sender.tell()
    sender.tell()
    sender.send()
    sender.tell()
    assert sender.send() == 0
    assert [(outbox.state_of(row), row.status) for row in sender.rows()] == [("given_up", 410), ("given_up", None)]
    with sender.shop.database.reading() as session:
        assert session.get_one(WebhookRow, webhook).events == []


def test_where_private_addresses_are_not_allowed_nothing_reaches_them(sender, receiver):
    sender.dispatcher = Dispatcher(sender.shop, Poster(resolve=lambda _host, _port: ["127.0.0.1"]), clock=sender.clock)
    sender.add("https://hooks.example:" + receiver.url.split(":")[2])
    sender.tell()
    sender.send()
    assert receiver.requests == []
    assert "hooks.example leads to a private or local address" in sender.row().reason
    sender.dispatcher.stop()


def test_a_secret_that_cannot_be_read_is_said(sender, receiver):
    sender.add(receiver.url)
    (sender.shop.folder / "sealing.key").unlink()
    sender.tell()
    sender.send()
    assert receiver.requests == []
    assert "sealing.key" in sender.row().reason


def test_a_slow_receiver_holds_up_no_other(sender, receiver):
    answering = threading.Event()

    def wait(handler) -> None:
        answering.wait()
        say(handler, 200)

    receiver.answer = wait
    with receiving("127.0.0.2") as quick:
        sender.add(receiver.url)
        sender.add(f"{receiver.url}?another")
        sender.add(quick.url)
        try:
            for _ in range(3):
                sender.tell()
            begun = sender.dispatcher.send_due()
            assert len(begun) == 2  # one to each receiver
            wait_for(lambda: len(quick.requests) == 1 and len(receiver.requests) == 1)
            wait_for(sender.dispatcher.send_due)
            wait_for(sender.dispatcher.send_due)
            wait_for(lambda: len(quick.requests) == 3)
            assert len(receiver.requests) == 1
        finally:
            answering.set()
    assert begun[0].result() is None


def test_two_workers_send_it_once(sender, receiver):
    sender.add(receiver.url)
    sender.tell()
    other = sender.another()
    begun = [*sender.dispatcher.send_due(), *other.send_due()]
    other.stop()
    assert len(begun) == 1
    begun[0].result()
    assert len(receiver.requests) == 1


def test_what_a_killed_worker_sent_and_did_not_note_is_sent_again_as_the_same(sender, receiver, database_url):
    """Killed outright, after the receiver had it all and before the worker had its answer."""
    process: list[subprocess.Popen] = []
    started = threading.Event()

    def kill(_handler) -> None:
        started.wait()
        os.kill(process[0].pid, signal.SIGKILL)

    receiver.answer = kill
    sender.clock.at = projects.now()
    sender.add(receiver.url)
    sender.tell()
    program = Path(__file__).with_name("delivering.py")
    environment = {**os.environ, "PYTHONPATH": str(Path(feedback_miner.__file__).parent.parent)}
    process.append(subprocess.Popen([sys.executable, program, database_url, sender.shop.folder], env=environment))
    started.set()
    assert process[0].wait(timeout=60) == -signal.SIGKILL
    row = sender.row()
    assert (outbox.state_of(row), row.attempts, row.status) == ("waiting", 1, None)
    receiver.answer = lambda handler: say(handler, 200)
    assert sender.send() == 0  # it might still be under way
    sender.clock.at = row.next_at
    assert sender.send() == 1
    assert [request.headers["Webhook-Id"] for request in receiver.requests] == [row.body["id"]] * 2
    assert (outbox.state_of(sender.row()), sender.row().attempts) == ("delivered", 2)


def test_what_cannot_be_noted_is_sent_again(sender, receiver, monkeypatch, caplog):
    sender.add(receiver.url)
    sender.tell()
    with monkeypatch.context() as broken:
        broken.setattr(outbox, "note_delivered", lambda *_args, **_named: 1 / 0)
        sender.send()
    assert "could not be noted: ZeroDivisionError" in caplog.text
    assert outbox.state_of(sender.row()) == "waiting"
    sender.clock.at = sender.row().next_at
    sender.send()
    assert len({request.headers["Webhook-Id"] for request in receiver.requests}) == 1
    assert len(receiver.requests) == 2


def test_what_breaks_the_sending_waits_like_any_failure(sender, receiver, monkeypatch, caplog):
    def break_down(_poster, url, *_args):
        raise ValueError(url)

    sender.add(receiver.url)
    sender.tell()
    monkeypatch.setattr(Poster, "post", break_down)
    sender.send()
    row = sender.row()
    assert (row.status, row.reason) == (None, "internal error (ValueError); the log has more")
    assert row.next_at > START
    assert "test_dispatcher.py" in caplog.text
    assert receiver.url not in caplog.text


def test_what_arrived_is_kept_for_thirty_days(sender, receiver):
    sender.add(receiver.url)
    sender.tell()
    sender.send()
    sender.clock.at = START + timedelta(days=30)
    sender.send()
    assert len(sender.rows()) == 1
    sender.clock.at += timedelta(hours=1)
    sender.send()
    assert sender.rows() == []


def test_the_thread_sends_and_stops_and_outlives_a_database_that_is_away(sender, receiver, monkeypatch, caplog):
    looked = []

    def away(_session, _at):
        looked.append(True)
        raise OSError

    sender.add(receiver.url)
    sender.tell()
    monkeypatch.setattr("feedback_miner.jobs.dispatcher._LOOK_EVERY", 0.01)
    with monkeypatch.context() as broken:
        broken.setattr(outbox, "list_due", away)
        sender.dispatcher.start()
        wait_for(lambda: len(looked) > 2)
    wait_for(lambda: outbox.state_of(sender.row()) == "delivered")
    sender.dispatcher.stop()
    assert caplog.text.count("deliveries cannot be sent: OSError") == 1
    sender.tell()
    assert sender.send() == 0
