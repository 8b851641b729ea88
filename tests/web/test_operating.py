"""What whoever runs it sees: figures, log lines, request ids; and how long a project keeps what it was given."""

import json
import logging
import threading
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families
from service_stage import made_up_items
from sqlalchemy.exc import OperationalError

from feedback_miner.cli.serving import _JsonLines
from feedback_miner.store import projects
from feedback_miner.store.tables import DeliveryRow, WebhookRow

WORDS = "zebrafinch wainscot"


def figures(stage) -> dict[tuple[str, ...], float]:
    """Return each figure by its name and the values of its labels."""
    text = stage.ask("GET", "/metrics", None).text
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def risen(before: dict[tuple[str, ...], float], after: dict[tuple[str, ...], float], *name: str) -> float:
    return after[name] - before.get(name, 0.0)


class TestMetrics:
    def test_say_what_runs(self, stage):
        found = stage.ask("GET", "/metrics", None).text
        assert f'version="{stage.app.version}"' in found
        assert 'database="sqlite"' in found
        assert figures(stage)["process_resident_memory_bytes",] > 0

    def test_count_texts_and_those_without_a_theme(self, stage):
        before = figures(stage)
        stage.ask("POST", "/v1/classify", json={"texts": ["n/a", "The parcel came two days late", WORDS]})
        stage.ask("POST", "/v1/classify", json={"texts": ["n/a", "The parcel came two days late"], "project": stage.project})
        after = figures(stage)
        assert risen(before, after, "feedback_miner_classified_texts_total", "none") == 3
        assert risen(before, after, "feedback_miner_classified_texts_total", "project") == 2
        assert risen(before, after, "feedback_miner_abstained_texts_total", "no_content", "none") == 1
        assert risen(before, after, "feedback_miner_abstained_texts_total", "no_content", "project") == 1
        assert ("feedback_miner_abstained_texts_total", "no_theme", "none") not in after
        assert risen(before, after, "feedback_miner_classify_seconds_count") == 5
        assert risen(before, after, "feedback_miner_classify_wait_seconds_count") == 5
        assert after["feedback_miner_classify_calls",] == 0

    def test_say_how_many_wait_for_the_model(self, stage):
        desk, finish = stage.service.desk, threading.Event()
        for _ in range(desk._at_once):
            desk._readers.submit(finish.wait, 60)
        caller = threading.Thread(target=stage.ask, args=("POST", "/v1/classify"), kwargs={"json": {"texts": ["late"]}})
        caller.start()
        calls = stage.service.shop.metrics.registry
        seen = any(calls.get_sample_value("feedback_miner_classify_calls") == 1 or time.sleep(0.01) for _ in range(3_000))
        finish.set()
        caller.join()
        assert seen
        assert calls.get_sample_value("feedback_miner_classify_calls") == 0

    def test_say_what_waits(self, stage):
        with stage.service.database.transaction() as session:
            job = projects.add_job(session, stage.project, None).id
            session.add(WebhookRow(id="whk_1", project=stage.project, url="https://x", events=[], secret=b"", created_at=projects.now()))
            session.flush()
            for next_at in (None, projects.now()):
                session.add(DeliveryRow(webhook="whk_1", event="ping", body={}, created_at=projects.now(), next_at=next_at))
        found = figures(stage)
        assert found["feedback_miner_jobs", "queued"] == 1
        assert found["feedback_miner_jobs", "running"] == 0
        assert found["feedback_miner_jobs", "succeeded"] >= 1
        assert found["feedback_miner_deliveries_waiting",] == 1
        assert found["feedback_miner_database_up",] == 1
        with stage.service.database.transaction() as session:
            projects.end_job(session, job, "cancelled")

    def test_come_without_a_database_too(self, stage, monkeypatch):
        def away():
            raise OperationalError("", None, Exception("the server is restarting"))

        monkeypatch.setattr(stage.service.database, "reading", away)
        found = figures(stage)
        assert found["feedback_miner_database_up",] == 0
        assert not [name for name in found if name[0] == "feedback_miner_jobs"]
        assert found["process_resident_memory_bytes",] > 0

    def test_sort_requests_by_what_a_request_may_take(self, stage):
        stage.ask("GET", "/v1/projects")
        text = stage.ask("GET", "/metrics", None).text
        for bound in ("0.005", "30.0", "+Inf"):
            assert f'feedback_miner_request_seconds_bucket{{le="{bound}",method="GET",route="/v1/projects"}}' in text


class TestRequests:
    @pytest.fixture
    def lines(self, caplog):
        caplog.set_level(logging.INFO, "feedback_miner.web.edge")
        return lambda: [json.loads(_JsonLines().format(record)) for record in caplog.records]

    def test_are_logged_by_their_route_and_who_asked(self, stage, lines):
        key = stage.key("read")
        stage.ask("GET", f"/v1/projects/{stage.project}/residual", key, params={"words": WORDS})
        stage.ask("GET", f"/{WORDS}", None)
        asked, strayed = lines()
        assert (asked["message"], asked["method"], asked["status"]) == ("request", "GET", 200)
        assert asked["route"] == "/v1/projects/{project}/residual"
        assert asked["caller"].startswith("key_")
        assert asked["ms"] > 0
        assert (strayed["route"], strayed["status"], strayed["caller"]) == ("none", 404, None)
        assert "wainscot" not in json.dumps([asked, strayed])

    def test_are_known_by_an_id(self, stage, lines):
        answers = [stage.ask("GET", path, None) for path in ("/healthz", "/healthz", "/nowhere", "/v1/projects")]
        names = [answer.headers["X-Request-Id"] for answer in answers]
        assert len(set(names)) == 4
        assert [line["request"] for line in lines()] == names

    def test_keep_the_id_that_a_proxy_gave_them(self, stage):
        answer = stage.ask("GET", "/healthz", None, headers={"X-Request-Id": "edge-7.f00_d"})
        assert answer.headers["X-Request-Id"] == "edge-7.f00_d"

    @pytest.mark.parametrize("sent", ["", "two words", "x" * 65, '{"a": 1}', "a\u00e9"])
    def test_take_no_other_id_for_one(self, stage, lines, sent):
        answer = stage.ask("GET", "/healthz", None, headers={"X-Request-Id": sent.encode("latin-1")})
        assert answer.headers["X-Request-Id"].startswith("req_")
        assert lines()[-1]["request"] == answer.headers["X-Request-Id"]

    def test_that_break_name_themselves_in_the_log(self, stage, lines, monkeypatch):
        def fail(*_, **__):
            raise ValueError(WORDS)

        monkeypatch.setattr(projects, "list_projects", fail)
        answer = stage.ask("GET", "/v1/projects")
        assert answer.status_code == 500
        error, request = lines()
        assert error["level"] == "ERROR"
        assert error["request"] == request["request"] == answer.headers["X-Request-Id"]
        assert WORDS not in json.dumps([error, request])


class TestRetention:
    @pytest.fixture
    def project(self, empty_stage) -> str:
        project = empty_stage.new_project("to be kept to its time")
        old = [{**item, "created_at": "2020-01-10"} for item in made_up_items(20)]
        empty_stage.client().upload(project, [*old, *made_up_items(40, seed=2)], score_kind="nps")
        empty_stage.engine.work()
        return project

    def test_is_for_ever_unless_said_otherwise(self, empty_stage, project):
        assert empty_stage.ask("GET", f"/v1/projects/{project}").json()["retention_days"] is None
        answer = empty_stage.ask("POST", f"/v1/projects/{project}/retention")
        assert answer.status_code == 409
        assert "retention_days" in answer.json()["detail"]

    def test_deletes_what_is_older_and_counts_anew(self, empty_stage, project):
        changed = empty_stage.ask("PATCH", f"/v1/projects/{project}", json={"retention_days": 2_000})
        assert (changed.status_code, changed.json()["retention_days"]) == (200, 2_000)
        gone = empty_stage.ask("POST", f"/v1/projects/{project}/retention").json()
        assert gone["responses"] == 20
        assert empty_stage.engine.waiting == [gone["job"]]
        assert empty_stage.ask("GET", f"/v1/projects/{project}/themes").status_code == 404  # none may go on quoting who is gone
        empty_stage.engine.work()
        assert empty_stage.ask("GET", f"/v1/projects/{project}/scores").json()["counts"]["documents"] == 40
        assert empty_stage.ask("POST", f"/v1/projects/{project}/retention").json() == {"responses": 0, "job": None}
        audit = [row for row in empty_stage.ask("GET", "/v1/audit", params={"limit": 500}).json()["items"] if row["project"] == project]
        assert [(row["action"], row["subject"]) for row in audit[-2:]] == [("change project", "retention_days"), ("delete expired", "20")]

    def test_what_is_left_out_stays(self, empty_stage):
        project = empty_stage.new_project("first name")
        empty_stage.ask("PATCH", f"/v1/projects/{project}", json={"retention_days": 90})
        empty_stage.ask("PATCH", f"/v1/projects/{project}", json={"name": "second name"})
        shown = empty_stage.ask("GET", f"/v1/projects/{project}").json()
        assert (shown["name"], shown["retention_days"]) == ("second name", 90)
        assert empty_stage.ask("PATCH", f"/v1/projects/{project}", json={"retention_days": None}).json()["retention_days"] is None

    @pytest.mark.parametrize("wrong", [{"retention_days": 0}, {"retention_days": -1}, {"retention_days": 1.5}, {"name": None}, {"age": 3}])
    def test_refuses_what_cannot_be(self, empty_stage, wrong):
        project = empty_stage.new_project("as it was")
        assert empty_stage.ask("PATCH", f"/v1/projects/{project}", json=wrong).status_code == 422
        assert empty_stage.ask("GET", f"/v1/projects/{project}").json()["name"] == "as it was"


def test_a_customers_deletion_is_audited_without_their_key(empty_stage):
    project = empty_stage.new_project()
    empty_stage.ask("DELETE", f"/v1/projects/{project}/customers/{WORDS}")
    (entry,) = [row for row in empty_stage.ask("GET", "/v1/audit").json()["items"] if row["action"] == "delete customer"]
    assert len(entry["subject"]) == 32
    assert WORDS not in json.dumps(entry)
