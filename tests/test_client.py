"""The client against a service that answers from a script: what it sends, how long it waits, what it makes of refusals."""

import json
from typing import Any

import httpx
import pytest

from feedback_miner import client as client_module
from feedback_miner.client import Client, JobFailedError, ServiceError
from feedback_miner.errors import FeedbackMinerError

JOB = {"id": "job_1", "stage": "encode", "done": 3, "total": 10, "reason": None}


class Script:
    """Answers in turn, and remembers what was asked and how long was waited."""

    def __init__(self, *answers: httpx.Response) -> None:
        self.answers, self.asked, self.slept = list(answers), [], []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.asked.append(request)
        return self.answers.pop(0)


@pytest.fixture
def talk(monkeypatch):
    """Return a client and the script that it talks to."""

    def start(*answers: Any) -> tuple[Client, Script]:
        script = Script(*(answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer) for answer in answers))
        monkeypatch.setattr(client_module.time, "sleep", script.slept.append)
        return Client("http://service", "fm_secret", transport=httpx.MockTransport(script)), script

    return start


def busy(status: int = 503, **headers: str) -> httpx.Response:
    return httpx.Response(status, json={"detail": "busy"}, headers={name.replace("_", "-"): value for name, value in headers.items()})


def test_sends_its_key_and_nothing_else_of_itself(talk):
    client, script = talk({"id": "prj_1"})
    assert client.create_project("Survey", taxonomy="telecom") == "prj_1"
    (request,) = script.asked
    assert request.headers["Authorization"] == "Bearer fm_secret"
    assert (request.method, str(request.url)) == ("POST", "http://service/v1/projects")
    assert json.loads(request.content) == {"name": "Survey", "taxonomy": "telecom"}


class TestUpload:
    def test_sends_a_file_with_what_is_known_of_it(self, talk, tmp_path):
        file = tmp_path / "wave.csv"
        file.write_text("comment\nlate again\n")
        client, script = talk({"job": "job_1"})
        assert client.upload("prj_1", file, texts=["comment"]) == "job_1"
        assert b'filename="wave.csv"' in script.asked[0].content
        assert b"late again" in script.asked[0].content
        assert b'{"texts": ["comment"]}' in script.asked[0].content

    def test_sends_items_as_json(self, talk):
        client, script = talk({"job": None})
        assert client.upload("prj_1", [{"text": "late again"}], score_kind="nps") is None
        assert json.loads(script.asked[0].content) == {"items": [{"text": "late again"}], "score_kind": "nps"}

    def test_sends_the_whole_file_again_where_the_service_was_busy(self, talk, tmp_path):
        file = tmp_path / "wave.csv"
        file.write_text("comment\nlate again\n")
        client, script = talk(busy(), {"job": "job_1"})
        assert client.upload("prj_1", str(file)) == "job_1"
        assert [b"late again" in request.content for request in script.asked] == [True, True]


class TestWait:
    def test_follows_a_job_to_its_end(self, talk):
        client, script = talk(JOB | {"state": "queued"}, JOB | {"state": "running", "done": 7}, JOB | {"state": "succeeded", "done": 10})
        seen = []
        client.wait("job_1", progress=lambda *step: seen.append(step), every=0.5)
        assert seen == [("encode", 3, 10), ("encode", 7, 10), ("encode", 10, 10)]
        assert script.slept == [0.5, 0.5]

    def test_has_nothing_to_wait_for_without_a_job(self, talk):
        client, script = talk()
        client.wait(None)
        assert script.asked == []

    @pytest.mark.parametrize(
        ("state", "reason", "says"), [("failed", "no rows", "failed: no rows"), ("cancelled", None, "cancelled: no reason")]
    )
    def test_says_why_a_job_ended_badly(self, talk, state, reason, says):
        client, _ = talk(JOB | {"state": state, "reason": reason})
        with pytest.raises(JobFailedError, match=says):
            client.wait("job_1")

    def test_gives_up_in_the_end(self, talk):
        client, _ = talk(JOB | {"state": "running"})
        with pytest.raises(TimeoutError, match="still at encode"):
            client.wait("job_1", timeout=-1.0)


class TestRefusals:
    def test_are_errors_with_status_and_detail(self, talk):
        client, _ = talk(httpx.Response(404, json={"detail": "there is no project 'x'"}))
        with pytest.raises(ServiceError, match=r"there is no project 'x' \(status 404\)") as refused:
            client.themes("x")
        assert refused.value.status == 404
        assert isinstance(refused.value, FeedbackMinerError)

    @pytest.mark.parametrize("body", [b"<html>Bad Gateway</html>", b"[]", b"{}"])
    def test_by_somebody_in_between_are_errors_too(self, talk, body):
        client, _ = talk(httpx.Response(502, content=body))
        with pytest.raises(ServiceError, match="Bad Gateway"):
            client.job("job_1")

    @pytest.mark.parametrize("status", [429, 503])
    def test_for_being_busy_are_tried_again(self, talk, status):
        client, script = talk(busy(status, Retry_After="7"), busy(status), {"results": []})
        assert client.classify(["late"]) == []
        assert script.slept == [7, 1]
        assert len({request.headers["Idempotency-Key"] for request in script.asked}) == 1

    def test_for_being_busy_are_tried_again_so_many_times(self, talk):
        client, script = talk(*[busy(Retry_After="3600")] * 5)
        with pytest.raises(ServiceError, match="busy"):
            client.classify(["late"])
        assert script.slept == [60.0] * 4

    def test_with_a_date_to_come_back_are_tried_again_soon(self, talk):
        client, script = talk(busy(Retry_After="Wed, 21 Oct 2026 07:28:00 GMT"), {"results": []})
        client.classify(["late"])
        assert script.slept == [1.0]


def test_pages_are_followed(talk):
    client, script = talk({"items": [{"id": "a"}], "next": "7"}, {"items": [{"id": "b"}], "next": None})
    assert [opinion["id"] for opinion in client.opinions("prj_1", "t-1", sentiment="negative")] == ["a", "b"]
    assert [request.url.params["cursor"] for request in script.asked] == ["0", "7"]
    assert {request.url.params["sentiment"] for request in script.asked} == {"negative"}


def test_themes_are_a_table(talk):
    theme = {
        "id": "t-1",
        "parent": None,
        "names": {"en": "late", "zh": "晚"},
        "people": 9,
        "opinions": 12,
        "share": 0.5,
        "polarity": {"negative": 12},
    }
    client, _ = talk({"items": [theme], "next": None})
    (row,) = client.themes("prj_1").to_dicts()
    assert row == {
        "id": "t-1", "parent": None, "name_en": "late", "name_zh": "晚", "people": 9, "opinions": 12, "share": 0.5,
        "negative": 12, "neutral": 0, "positive": 0,
    }  # fmt: skip


def test_a_customers_key_is_one_part_of_the_address(talk):
    client, script = talk({"responses": 1, "job": "job_1"})
    assert client.delete_customer("prj_1", "a/b?c#d é")["responses"] == 1
    assert script.asked[0].url.raw_path == b"/v1/projects/prj_1/customers/a%2Fb%3Fc%23d%20%C3%A9"


def test_edits_are_sent_and_taken_back(talk):
    client, script = talk({"number": 4}, {"number": 5})
    assert client.edit("prj_1", "rename", theme="t-1", en="Late") == {"number": 4}
    assert client.undo("prj_1", 4) == {"number": 5}
    assert json.loads(script.asked[0].content) == {"kind": "rename", "values": {"theme": "t-1", "en": "Late"}}
    assert script.asked[1].url.path == "/v1/projects/prj_1/edits/4/undo"


def test_an_answer_without_content_is_an_empty_one(talk):
    client, _ = talk(httpx.Response(204))
    assert client.request("DELETE", "/v1/projects/prj_1") == {}
