"""The outbox and the webhooks it is for: written with what it tells or not at all, taken by one at a time, noted by who has it."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from feedback_miner.errors import ConflictError, NotFoundError
from feedback_miner.store import outbox, projects, webhooks
from feedback_miner.store.tables import DeliveryRow, WebhookRow

START = datetime(2026, 11, 1, 12, 0, 0, 123456, tzinfo=UTC).replace(tzinfo=None)
LEASE = timedelta(seconds=60)
SECOND = timedelta(seconds=1)


@pytest.fixture
def webhook(database, project) -> str:
    with database.transaction() as session:
        return webhooks.add_webhook(session, project, "https://one.example/hook", ["job.finished"], b"sealed").id


def rows(database) -> list[DeliveryRow]:
    with database.reading() as session:
        return list(session.scalars(select(DeliveryRow).order_by(DeliveryRow.id)))


def tell(database, project, event="job.finished", at=START) -> None:
    with database.transaction() as session:
        outbox.tell(session, project, event, {"job": "job_1"}, at=at)


def take(database, webhook, at=START) -> outbox.Delivery | None:
    with database.transaction() as session:
        return outbox.take(session, webhook, at, LEASE)


class TestTelling:
    def test_writes_once_for_each_that_subscribes(self, database, project, webhook):
        with database.transaction() as session:
            other = projects.add_project(session, "other", {}).id
            second = webhooks.add_webhook(session, project, "https://two.example/", ["theme.born", "job.finished"], b"").id
            webhooks.add_webhook(session, project, "https://three.example/", ["theme.born"], b"")
            webhooks.add_webhook(session, other, "https://four.example/", ["job.finished"], b"")
        tell(database, project)
        told = rows(database)
        assert {row.webhook for row in told} == {webhook, second}
        (body,) = [json.loads(text) for text in {json.dumps(row.body) for row in told}]  # one event, whoever it goes to
        assert body == {"id": body["id"], "type": "job.finished", "timestamp": "2026-11-01T12:00:00.123Z", "data": {"job": "job_1"}}
        assert body["id"].startswith("evt_")

    def test_of_a_jobs_end_is_one_with_it(self, database, project, batch, webhook):
        with database.transaction() as session:
            job = projects.add_job(session, project, batch).id
            row = projects.get_batch(session, project, batch)
            row.rows, row.issues = 10, [[2, None, "empty", False], [3, "date", "no date", True]]

        def die_before_the_commit() -> None:
            with database.transaction() as session:
                projects.end_job(session, job, "failed", "the walrus file has no such column")
                session.flush()
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            die_before_the_commit()
        with database.reading() as session:
            assert projects.get_job(session, job).state == "queued"
        assert rows(database) == []
        with database.transaction() as session:
            projects.end_job(session, job, "failed", "the walrus file has no such column")
            projects.end_job(session, job, "succeeded")
        (row,) = rows(database)
        assert row.body["data"] == {
            "job": job,
            "project": project,
            "kind": "batch",
            "state": "failed",
            "batch": batch,
            "counts": {"rows": 10, "rejected": 1},
            "links": {"job": f"/v1/jobs/{job}", "themes": f"/v1/projects/{project}/themes"},
        }

    def test_of_a_job_cancelled_while_it_waits(self, database, project, webhook):
        with database.transaction() as session:
            job = projects.add_job(session, project, None).id
            projects.request_cancel(session, job)
        (row,) = rows(database)
        assert (row.body["data"]["state"], row.body["data"]["kind"], row.body["data"]["counts"]) == ("cancelled", "count", {})


class TestTaking:
    def test_what_is_due_is_listed_longest_first(self, database, project, webhook):
        with database.transaction() as session:
            second = webhooks.add_webhook(session, project, "https://two.example/", ["theme.born"], b"").id
        tell(database, project, at=START + SECOND)
        tell(database, project, "theme.born", at=START)
        with database.reading() as session:
            assert outbox.list_due(session, START - SECOND) == []
            assert outbox.list_due(session, START) == [(second, "https://two.example/")]
            assert [found for found, _ in outbox.list_due(session, START + SECOND)] == [second, webhook]

    def test_is_taken_by_one_until_its_lease_is_over(self, database, project, webhook):
        tell(database, project)
        first = take(database, webhook)
        assert (first.attempt, first.url, first.secret) == (1, "https://one.example/hook", b"sealed")
        assert take(database, webhook) is None
        assert take(database, webhook, START + LEASE - SECOND) is None
        second = take(database, webhook, START + LEASE)
        assert (second.attempt, second.body["id"]) == (2, first.body["id"])

    def test_what_somebody_else_is_taking_is_passed_over(self, database, project, webhook):
        if database.engine.dialect.name == "sqlite":
            pytest.skip("SQLite knows one writer at a time")
        tell(database, project)
        tell(database, project, at=START + SECOND)
        with database.transaction() as one, database.transaction() as other:
            first = outbox.take(one, webhook, START + SECOND, LEASE)
            second = outbox.take(other, webhook, START + SECOND, LEASE)
            assert outbox.take(other, webhook, START + SECOND, LEASE) is None
        assert first.id != second.id

    def test_whoever_lost_the_lease_has_no_say(self, database, project, webhook):
        tell(database, project)
        slow = take(database, webhook)
        fast = take(database, webhook, START + LEASE)
        with database.transaction() as session:
            outbox.note_delivered(session, fast, 204, at=START + LEASE)
            outbox.note_failure(session, slow, None, "too late", next_at=START)
        (row,) = rows(database)
        assert (outbox.state_of(row), row.status, row.reason, row.delivered_at) == ("delivered", 204, None, START + LEASE)


class TestWhatBecameOfIt:
    def test_is_seen_in_its_state(self, database, project, webhook):
        for at in (START, START + SECOND, START + 2 * SECOND):
            tell(database, project, at=at)
        with database.transaction() as session:
            outbox.note_delivered(session, outbox.take(session, webhook, START, LEASE), 200, at=START)
            outbox.note_failure(session, outbox.take(session, webhook, START + SECOND, LEASE), 500, "the answer was 500", next_at=None)
        with database.reading() as session:
            found = {state: outbox.list_deliveries(session, webhook, state=state) for state in ("waiting", "delivered", "given_up")}
            assert {state: [row.status for row in listed] for state, listed in found.items()} == {
                "waiting": [None], "delivered": [200], "given_up": [500],
            }  # fmt: skip
            assert [outbox.state_of(listed[0]) for listed in found.values()] == list(found)

    def test_is_listed_newest_first_page_by_page(self, database, project, webhook):
        for _ in range(3):
            tell(database, project)
        ids = [row.id for row in rows(database)]
        with database.reading() as session:
            assert [row.id for row in outbox.list_deliveries(session, webhook, limit=2)] == [ids[2], ids[1]]
            assert [row.id for row in outbox.list_deliveries(session, webhook, before=ids[1])] == [ids[0]]

    def test_is_tried_again_when_asked_for(self, database, project, webhook):
        tell(database, project)
        with database.transaction() as session:
            outbox.note_failure(session, outbox.take(session, webhook, START, LEASE), None, "refused", next_at=None)
            row = outbox.send_again(session, webhook, rows(database)[0].id, at=START + SECOND)
            assert (outbox.state_of(row), row.attempts) == ("waiting", 0)
        assert take(database, webhook, START + SECOND).attempt == 1
        with database.transaction() as session, pytest.raises(NotFoundError, match="no delivery"):
            outbox.send_again(session, "whk_other", row.id, at=START)

    def test_is_removed_when_it_is_old_and_nothing_waits(self, database, project, webhook):
        for at in (START, START, START, START + SECOND):
            tell(database, project, at=at)
        with database.transaction() as session:
            outbox.note_delivered(session, outbox.take(session, webhook, START, LEASE), 200, at=START)
            outbox.note_failure(session, outbox.take(session, webhook, START, LEASE), 500, "x", next_at=None)
            outbox.remove_old(session, START)
        assert len(rows(database)) == 4
        with database.transaction() as session:
            outbox.remove_old(session, START + SECOND)
        assert {outbox.state_of(row) for row in rows(database)} == {"waiting"}


class TestWebhooks:
    def test_belong_to_their_project(self, database, project, webhook):
        with database.transaction() as session:
            other = projects.add_project(session, "other", {}).id
            for act in (webhooks.get_webhook, webhooks.remove_webhook, webhooks.change_webhook):
                with pytest.raises(NotFoundError, match="no webhook"):
                    act(session, other, webhook)
            assert list(webhooks.list_webhooks(session, other)) == []
            assert [row.id for row in webhooks.list_webhooks(session, project)] == [webhook]
            assert list(webhooks.list_webhooks(session, project, after=webhook)) == []

    def test_go_with_their_deliveries_and_their_project(self, database, project, webhook):
        tell(database, project)
        with database.transaction() as session:
            webhooks.remove_webhook(session, project, webhook)
        assert rows(database) == []
        with database.transaction() as session:
            webhooks.add_webhook(session, project, "https://one.example/", ["job.finished"], b"")
        tell(database, project)
        with database.transaction() as session:
            session.delete(projects.get_project(session, project))
        assert rows(database) == []
        with database.reading() as session:
            assert session.scalar(select(func.count()).select_from(WebhookRow)) == 0

    def test_are_so_many_at_most(self, database, project):
        with database.transaction() as session:
            for _ in range(20):
                webhooks.add_webhook(session, project, "https://one.example/", ["job.finished"], b"")
            with pytest.raises(ConflictError, match="20 webhooks"):
                webhooks.add_webhook(session, project, "https://one.example/", ["job.finished"], b"")

    def test_that_want_no_more_are_told_nothing_until_they_are_subscribed_again(self, database, project, webhook):
        tell(database, project)
        tell(database, project)
        with database.transaction() as session:
            webhooks.switch_off(session, outbox.take(session, webhook, START, LEASE), 410, "gone")
        tell(database, project)
        assert [(outbox.state_of(row), row.status, row.reason) for row in rows(database)] == [
            ("given_up", 410, "gone"), ("given_up", None, "gone"),
        ]  # fmt: skip
        with database.transaction() as session:
            changed = webhooks.change_webhook(session, project, webhook, events=["theme.born", "job.finished"])
            assert (changed.url, changed.events) == ("https://one.example/hook", ["job.finished", "theme.born"])
        tell(database, project)
        assert len(rows(database)) == 3

    def test_deleted_while_something_is_told_do_not_fail_it(self, database, project, webhook):
        """The foreign key would: whoever tells holds on to those it tells."""
        if database.engine.dialect.name == "sqlite":
            pytest.skip("SQLite knows one writer at a time")
        with database.transaction() as session:
            outbox.tell(session, project, "job.finished", {}, at=START)
            with database.transaction() as other:
                query = select(WebhookRow).where(WebhookRow.id == webhook).with_for_update(skip_locked=True)
                assert other.scalar(query) is None  # so a deletion waits
