"""Whatever is refused is refused in one form, and never in the caller's own words."""

import contextlib
import json
import logging
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from feedback_miner.web import edge

MARKER = "Xylophonmarmelade"


def body_with(marker: str) -> dict[str, Any]:
    return {"content": b'{"texts": ["' + marker.encode() + b'"', "headers": {"Content-Type": "application/json"}}


REFUSALS = {
    "unknown route": ("GET", "/nowhere", {}, 404),
    "unknown route under v1": ("GET", "/v1/nowhere", {}, 404),
    "wrong method": ("PUT", "/v1/projects", {}, 405),
    "wrong method outside v1": ("POST", "/healthz", {}, 405),
    "options": ("OPTIONS", "/v1/projects", {}, 405),
    "unknown project": ("GET", "/v1/projects/prj_none", {}, 404),
    "unknown theme": ("GET", "/v1/projects/{project}/themes/t-none", {}, 404),
    "unknown batch": ("GET", "/v1/projects/{project}/batches/bat_none/issues", {}, 404),
    "unknown job": ("GET", "/v1/jobs/job_none", {}, 404),
    "unknown key": ("DELETE", "/v1/keys/key_none", {}, 404),
    "unknown report": ("GET", "/v1/projects/{project}/report.pdf", {}, 422),
    "malformed json": ("POST", "/v1/classify", body_with(MARKER), 422),
    "malformed items": ("POST", "/v1/projects/{project}/batches", body_with(MARKER), 422),
    "no utf-8": ("POST", "/v1/classify", {"content": b'{"texts": ["\xff"]}', "headers": {"Content-Type": "application/json"}}, 400),
    "items of no utf-8": (
        "POST",
        "/v1/projects/{project}/batches",
        {"content": b'"\xff"', "headers": {"Content-Type": "application/json"}},
        422,
    ),
    "wrong type": ("POST", "/v1/classify", {"json": {"texts": MARKER}}, 422),
    "wrong item": ("POST", "/v1/classify", {"json": {"texts": ["fine", {MARKER: MARKER}]}}, 422),
    "unknown field": ("POST", "/v1/classify", {"json": {"texts": ["fine"], f"{MARKER} {MARKER}!": MARKER}}, 422),
    "unknown field of an item": (
        "POST",
        "/v1/projects/{project}/batches",
        {"json": {"items": [{"text": MARKER, f"{MARKER}, {MARKER}": 1}]}},
        422,
    ),
    "score of no number": ("POST", "/v1/projects/{project}/batches", {"json": {"items": [{"text": MARKER, "score": MARKER}]}}, 422),
    "score of no size": (
        "POST",
        "/v1/projects/{project}/batches",
        {"content": b'{"items": [{"text": "a", "score": NaN}]}', "headers": {"Content-Type": "application/json"}},
        422,
    ),
    "lone surrogate": (
        "POST",
        "/v1/classify",
        {"content": b'{"texts": ["late \\ud800 again"]}', "headers": {"Content-Type": "application/json"}},
        422,
    ),
    "lone surrogate in an item": (
        "POST",
        "/v1/projects/{project}/batches",
        {"content": b'{"items": [{"text": "\\ud800"}]}', "headers": {"Content-Type": "application/json"}},
        422,
    ),
    "nul in a name": ("POST", "/v1/projects", {"json": {"name": f"{MARKER}\0"}}, 422),
    "nul in the address": ("GET", "/v1/projects/prj%00", {}, 422),
    "nul in the query": ("GET", "/v1/projects/{project}/residual?words=a%00", {}, 422),
    "no number for a cursor": ("GET", f"/v1/projects/{{project}}/residual?cursor={MARKER}", {}, 422),
    "no such sentiment": ("GET", f"/v1/projects/{{project}}/residual?sentiment={MARKER}", {}, 422),
    "limit out of range": ("GET", "/v1/projects/{project}/residual?limit=501", {}, 422),
    "text for json": ("POST", "/v1/classify", {"content": MARKER, "headers": {"Content-Type": "text/plain"}}, 415),
    "text for a batch": ("POST", "/v1/projects/{project}/batches", {"content": MARKER, "headers": {"Content-Type": "text/plain"}}, 415),
    "nothing for a batch": ("POST", "/v1/projects/{project}/batches", {}, 415),
    "form without end": (
        "POST",
        "/v1/projects/{project}/batches",
        {"content": MARKER, "headers": {"Content-Type": "multipart/form-data"}},
        400,
    ),
    "form without file": ("POST", "/v1/projects/{project}/batches", {"files": {"mapping": (None, MARKER)}}, 422),
    "mapping of no json": (
        "POST",
        "/v1/projects/{project}/batches",
        {"files": {"file": ("a.csv", f"{MARKER}\n"), "mapping": (None, MARKER)}},
        422,
    ),
    "mapping of no object": (
        "POST",
        "/v1/projects/{project}/batches",
        {"files": {"file": ("a.csv", f"{MARKER}\n"), "mapping": (None, "[1]")}},
        422,
    ),
    "mapping to nothing": (
        "POST",
        "/v1/projects/{project}/batches",
        {"files": {"file": ("a.csv", f"{MARKER}\n"), "mapping": (None, '{"texts": 1}')}},
        422,
    ),
    "encoder from a folder": ("POST", "/v1/projects", {"json": {"name": "a", "encoder": "/etc"}}, 422),
    "unknown taxonomy": ("POST", "/v1/projects", {"json": {"name": "a", "taxonomy": MARKER}}, 422),
    "preview of nothing": ("POST", "/v1/projects/{project}/batches/preview", {"files": {"file": ("a.csv", b"")}}, 422),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_every_refusal_is_a_problem_document(stage, case):
    method, path, options, status = REFUSALS[case]
    answer = stage.ask(method, path.format(project=stage.project), **options)
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    document = answer.json()
    assert document["status"] == status
    assert document["type"] == "about:blank"
    assert document["title"]
    assert document["detail"]
    assert MARKER not in answer.text


def test_a_missing_field_is_named(stage):
    document = stage.ask("POST", "/v1/classify", json={}).json()
    assert document["detail"] == "body.texts: Field required"
    assert document["errors"] == [{"at": "body.texts", "reason": "Field required"}]


def test_a_mistyped_field_is_named(stage):
    assert "body.txts" in stage.ask("POST", "/v1/classify", json={"texts": ["a"], "txts": []}).json()["detail"]


def test_a_bug_is_a_problem_document_and_its_message_goes_nowhere(stage, monkeypatch, caplog):
    def fall(*_: object) -> None:
        raise RuntimeError(f"could not read {MARKER}")

    monkeypatch.setattr(stage.service.desk, "classify", fall)
    with caplog.at_level(logging.DEBUG):
        answer = stage.ask("POST", "/v1/classify", json={"texts": ["a"]})
    assert answer.status_code == 500
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "RuntimeError" in answer.json()["detail"]
    assert "RuntimeError" in caplog.text
    assert "in fall" in caplog.text
    assert MARKER not in answer.text + caplog.text


def test_a_database_out_of_reach_is_said_and_passes(stage, monkeypatch):
    @contextlib.contextmanager
    def reading():
        raise OperationalError("SELECT", {}, Exception(MARKER))
        yield

    monkeypatch.setattr(stage.service.database, "reading", reading)
    answer = stage.ask("GET", "/v1/projects")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert MARKER not in answer.text


def test_a_schema_of_another_version_is_not_ready(stage, monkeypatch):
    monkeypatch.setattr("feedback_miner.store.database.ScriptDirectory.get_current_head", lambda _: "9999")
    answer = stage.ask("GET", "/readyz", None)
    assert answer.status_code == 503
    assert "db upgrade" in answer.json()["detail"]


def test_who_hangs_up_during_an_upload_is_no_error(stage, caplog):
    spool = stage.service.settings.data / "spool"
    before = set(spool.iterdir()) if spool.exists() else set()
    parts = iter([{"type": "http.request", "body": b"--x\r\n", "more_body": True}, {"type": "http.disconnect"}])
    sent = []
    headers = [(b"authorization", f"Bearer {stage.admin}".encode()), (b"content-type", b"multipart/form-data; boundary=x")]
    scope = {"type": "http", "method": "POST", "path": f"/v1/projects/{stage.project}/batches", "query_string": b"", "headers": headers}

    async def receive():
        return next(parts)

    async def send(message):
        sent.append(message)

    stage.portal.call(
        stage.app, {**scope, "http_version": "1.1", "scheme": "http", "server": ("test", 80), "client": ("127.0.0.1", 1)}, receive, send
    )
    assert sent == []
    assert caplog.records == []
    assert (set(spool.iterdir()) if spool.exists() else set()) == before


@pytest.mark.parametrize("path", ["/v1/projects", "/v1/nowhere", "/healthz", "/metrics", "/openapi.json"])
def test_every_answer_is_hardened(stage, path):
    headers = stage.ask("GET", path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in headers["Content-Security-Policy"]


class TestBodies:
    def test_one_that_says_it_is_too_large_is_not_read(self, stage):
        answer = stage.ask(
            "POST", "/v1/classify", content=b"{}", headers={"Content-Type": "application/json", "Content-Length": str(edge.MOST_JSON + 1)}
        )
        assert answer.status_code == 413
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert "64 MB" in answer.json()["detail"]

    @pytest.mark.parametrize("path", ["/v1/classify", "/v1/projects", "/v1/projects/{project}/batches"])
    def test_one_that_grows_too_large_is_not_read_on(self, stage, monkeypatch, path):
        monkeypatch.setattr(edge, "MOST_JSON", 1 << 10)
        body = json.dumps({"texts": ["a" * (1 << 11)]}).encode()
        headers = {"Content-Type": "application/json", "Content-Length": "10"}
        answer = stage.ask("POST", path.format(project=stage.project), content=body, headers=headers)
        assert answer.status_code == 413

    def test_a_file_may_be_larger_but_not_too_large(self, stage, monkeypatch):
        monkeypatch.setattr(edge, "MOST_JSON", 1 << 10)
        path = f"/v1/projects/{stage.project}/batches/preview"
        content = b"comment\n" + b"the courier never came again\n" * 100_000  # 2.9 MB
        assert stage.ask("POST", path, files={"file": ("a.csv", content)}).status_code == 200
        settings = stage.service.settings
        monkeypatch.setattr(stage.service, "settings", replace(settings, max_upload_mb=1))
        answer = stage.ask("POST", path, files={"file": ("a.csv", content)})
        assert answer.status_code == 413
        assert "MB" in answer.json()["detail"]
        answer = stage.ask("POST", path, files={"file": ("a.csv", content[: (1 << 20) + 100])})
        assert answer.status_code == 413
        assert "max_upload_mb" in answer.json()["detail"]
        assert not [file for file in (settings.data / "spool").iterdir() if file.name.startswith(("upload_", "preview_"))]


class TestLimits:
    def test_count_down_and_then_refuse(self, stage, monkeypatch):
        monkeypatch.setattr(stage.app.state.counter, "limit", 3)
        monkeypatch.setattr("feedback_miner.web.access.time.time", lambda: 1_000_000_010.0)
        key, other = stage.key("read"), stage.key("read")
        answers = [stage.ask("GET", "/v1/projects", key) for _ in range(4)]
        assert [answer.headers["RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0"]
        assert {answer.headers["RateLimit-Limit"] for answer in answers} == {"3"}
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert answers[3].headers["Retry-After"] == answers[3].headers["RateLimit-Reset"]
        assert stage.ask("GET", "/v1/projects", other).status_code == 200
        monkeypatch.setattr("feedback_miner.web.access.time.time", lambda: 1_000_000_080.0)
        assert stage.ask("GET", "/v1/projects", key).status_code == 200

    @pytest.mark.parametrize("path", ["/v1/projects/{project}/report.csv", "/v1/projects/prj_none"])
    def test_stand_on_every_answer(self, stage, path):
        assert "RateLimit-Remaining" in stage.ask("GET", path.format(project=stage.project)).headers


class TestMetrics:
    def test_count_by_route_and_never_by_what_was_typed(self, stage):
        stage.ask("GET", f"/v1/projects/{MARKER}")
        stage.ask("GET", f"/{MARKER}")
        stage.ask(MARKER.upper(), "/v1/projects")
        stage.ask("POST", "/v1/classify", json={"texts": [MARKER]})
        stage.ask("DELETE", f"/v1/projects/{stage.project}/customers/{MARKER}")
        figures = stage.ask("GET", "/metrics", None).text
        assert 'feedback_miner_requests_total{method="GET",route="/v1/projects/{project}",status="404"}' in figures
        assert 'feedback_miner_requests_total{method="POST",route="/v1/classify",status="200"}' in figures
        assert 'route="none",status="404"' in figures
        assert "feedback_miner_request_seconds_bucket" in figures
        assert MARKER.casefold() not in figures.casefold()
        assert stage.project not in figures
