"""The client against a service that answers from a script: what it sends, how long it waits, what it makes of refusals."""

import base64
import datetime
import hmac
import json
from typing import Any

import httpx
import pytest

from feedback_miner import client as client_module
from feedback_miner.client import Client, JobFailedError, ServiceError, SignatureError, verify_webhook
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
    assert [request.url.params.get("cursor") for request in script.asked] == [None, "7"]
    assert {request.url.params["sentiment"] for request in script.asked} == {"negative"}


def test_filters_are_sent_by_their_names_in_the_api(talk):
    client, script = talk(*[{"items": [], "next": None}] * 3)
    day = datetime.date(2026, 5, 1)
    assert list(client.opinions("prj_1", since=day, until="2026-06-01", attribute=["region:north", "age:44"], words=None)) == []
    assert list(client.opinions("prj_1", "residual", meaning="late")) == []
    assert list(client.customers("prj_1", theme="t-1", score_group="detractor")) == []
    first, second, third = (request.url for request in script.asked)
    assert (first.path, first.params["from"], first.params["to"]) == ("/v1/projects/prj_1/opinions", "2026-05-01", "2026-06-01")
    assert (first.params.get_list("attribute"), "words" in first.params) == (["region:north", "age:44"], False)
    assert (second.path, second.params["meaning"]) == ("/v1/projects/prj_1/residual", "late")
    assert (third.path, third.params["theme"], third.params["score_group"]) == ("/v1/projects/prj_1/customers", "t-1", "detractor")


def test_a_split_is_asked_for_by_parts_or_by_a_query(talk):
    client, script = talk({"parts": []}, {"parts": []})
    client.preview_split("prj_1", "t-1", parts=3)
    client.preview_split("prj_1", "t-1", meaning="the courier")
    assert {request.url.path for request in script.asked} == {"/v1/projects/prj_1/themes/t-1/split-preview"}
    assert [json.loads(request.content) for request in script.asked] == [
        {"by": "clusters", "parts": 3},
        {"by": "query", "meaning": "the courier"},
    ]


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


class TestDeliveries:
    """The example that is published with the libraries for Standard Webhooks, and what may be wrong with it."""

    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    sent_at = 1_614_265_330
    headers = {
        "Webhook-Id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "Webhook-Timestamp": str(sent_at),
        "Webhook-Signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }

    @pytest.fixture(autouse=True)
    def _clock(self, monkeypatch):
        monkeypatch.setattr(client_module.time, "time", lambda: float(self.sent_at))

    @pytest.mark.parametrize(
        "changed",
        [
            {},
            {"Webhook-Signature": "v1,AAAA v1a,BBBB " + headers["Webhook-Signature"]},  # as while a secret is changed
        ],
    )
    def test_that_are_signed_are_events(self, changed):
        headers = {name.lower(): value for name, value in {**self.headers, **changed}.items()}
        assert verify_webhook(self.secret, headers, self.body) == {"test": 2432232314}
        assert verify_webhook(self.secret.removeprefix("whsec_"), httpx.Headers(headers), self.body) == {"test": 2432232314}

    @pytest.mark.parametrize(
        "changed",
        [
            {"Webhook-Id": "msg_another"},
            {"Webhook-Timestamp": str(sent_at + 1)},
            {"Webhook-Signature": "v1,AAAA"},
            {"Webhook-Signature": "v1,é"},
            {"Webhook-Signature": headers["Webhook-Signature"].removeprefix("v1,")},
            {"Webhook-Signature": headers["Webhook-Signature"].replace("v1,", "v2,")},
        ],
    )
    def test_that_were_tampered_with_are_refused(self, changed):
        with pytest.raises(SignatureError, match="signature is not of this secret"):
            verify_webhook(self.secret, {**self.headers, **changed}, self.body)

    def test_with_another_body_or_secret_are_refused(self):
        with pytest.raises(SignatureError, match="signature is not"):
            verify_webhook(self.secret, self.headers, self.body + b" ")
        with pytest.raises(SignatureError, match="signature is not"):
            verify_webhook("whsec_" + "A" * 32, self.headers, self.body)
        with pytest.raises(SignatureError, match="no webhook's secret"):
            verify_webhook("whsec_no base64", self.headers, self.body)

    @pytest.mark.parametrize("missing", headers)
    def test_without_a_header_are_refused(self, missing):
        with pytest.raises(SignatureError, match="this is no delivery"):
            verify_webhook(self.secret, {name: value for name, value in self.headers.items() if name != missing}, self.body)

    @pytest.mark.parametrize("late", [-301, 301])
    def test_of_another_time_are_refused(self, late, monkeypatch):
        monkeypatch.setattr(client_module.time, "time", lambda: float(self.sent_at + late))
        with pytest.raises(SignatureError, match="within 300 seconds"):
            verify_webhook(self.secret, self.headers, self.body)
        assert verify_webhook(self.secret, self.headers, self.body, tolerance=301) == {"test": 2432232314}

    def test_whose_time_is_none_are_refused(self):
        signed = f"{self.headers['Webhook-Id']}.soon.".encode() + self.body
        proof = base64.b64encode(hmac.digest(base64.b64decode(self.secret.removeprefix("whsec_")), signed, "sha256")).decode()
        with pytest.raises(SignatureError, match="within 300 seconds"):
            verify_webhook(self.secret, {**self.headers, "Webhook-Timestamp": "soon", "Webhook-Signature": f"v1,{proof}"}, self.body)
