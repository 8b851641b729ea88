"""``/v1/classify``: what it refuses, how it waits, and that nobody is answered from a theme set that is gone."""

import threading
import time

import httpx
import pytest

from feedback_miner.errors import WeightsError
from feedback_miner.jobs.forget import forget_customer
from feedback_miner.jobs.workshop import Workshop
from feedback_miner.store import findings
from feedback_miner.store.projects import now
from feedback_miner.store.tables import JobRow
from feedback_miner.web.desk import ClassifyDesk


def classify(stage, texts, **more):
    return stage.ask("POST", "/v1/classify", json={"texts": texts, **more})


def test_reads_without_a_project(stage):
    answer = classify(stage, ["the parcel came two weeks late", "n/a", "客服态度很差"])
    assert answer.status_code == 200
    late, nothing, rude = answer.json()["results"]
    assert late["language"] == "en"
    assert late["opinions"][0]["themes"] == []
    assert nothing["abstained"] == "no_content"
    assert rude["language"] == "zh"


def test_assigns_a_projects_themes(stage):
    (found,) = classify(stage, ["The parcel came two days late"], project=stage.project).json()["results"]
    (opinion,) = found["opinions"]
    themes = {theme["id"]: theme for theme in stage.ask("GET", f"/v1/projects/{stage.project}/themes").json()["items"]}
    assert opinion["themes"][0]["label"] == themes[opinion["themes"][0]["id"]]["names"]["en"]


def test_names_causes_in_the_language_asked_for(stage):
    english, chinese = (classify(stage, ["the parcel came two weeks late"], language=language).json() for language in ("en", "zh"))
    labels = [
        [cause["label"] for found in answer["results"] for opinion in found["opinions"] for cause in opinion["causes"]]
        for answer in (english, chinese)
    ]
    assert len(labels[0]) == len(labels[1])
    assert all(label.isascii() for label in labels[0])
    assert not any(label.isascii() for label in labels[1])


@pytest.mark.parametrize(
    ("texts", "status", "says"),
    [(["a"] * 513, 413, "at most 512"), (["fine", "x" * 10_001], 422, "10000"), ([], 422, "at least 1"), ([None], 422, "texts.0")],
    ids=["too many", "too long", "none", "no text"],
)
def test_says_what_is_too_much(stage, texts, status, says):
    answer = classify(stage, texts)
    assert answer.status_code == status
    assert says in answer.json()["detail"]


def test_takes_as_much_as_it_says(stage):
    assert len(classify(stage, ["n/a"] * 512).json()["results"]) == 512
    assert classify(stage, ["n/a " * 2_500]).status_code == 200


def test_takes_what_no_database_would(stage):
    answer = classify(stage, ["late\0 again", "\U0010ffff", " "])
    assert answer.status_code == 200


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_reads_a_body_in_whatever_unicode_json_comes_in(stage, encoding):
    def send(body: str, **headers: str) -> httpx.Response:
        return stage.ask("POST", "/v1/classify", content=body.encode(encoding), headers=headers)

    json = {"Content-Type": "application/json"}
    whole = '{"texts": ["the parcel came two weeks late"]}'
    assert send(whole, **json).json() == classify(stage, ["the parcel came two weeks late"]).json()
    assert send(whole).status_code == 422  # it does not say what it is
    assert send(whole[:-2], **json).status_code == 422
    half = send('{"texts": ["late", "\\ud83d"]}', **json)  # of a character
    assert (half.status_code, "texts.1" in half.json()["detail"]) == (422, True)


def test_is_not_ready_before_the_model_is_warm(empty_stage):
    for answer in (empty_stage.ask("GET", "/readyz", None), classify(empty_stage, ["late"])):
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "5"
        assert "still loading" in answer.json()["detail"]
    assert empty_stage.ask("GET", "/healthz", None).status_code == 200


def test_says_why_it_will_never_be_ready(empty_stage, monkeypatch, caplog):
    def models(_self, encoder):
        raise WeightsError(f"the weights of {encoder} are missing")

    monkeypatch.setattr(Workshop, "models", models)
    empty_stage.service.desk.warm_up()
    answer = empty_stage.ask("GET", "/readyz", None)
    assert answer.status_code == 503
    assert "weights of tiny are missing" in answer.json()["detail"]
    assert "weights of tiny are missing" in caplog.text


class Busy:
    """A classifier that is at it until it is told to finish."""

    def __init__(self, classifier):
        self.theme_set, self.taxonomy, self._classifier = classifier.theme_set, classifier.taxonomy, classifier
        self.begun, self.finish = threading.Semaphore(0), threading.Event()

    def classify(self, texts):
        self.begun.release()
        assert self.finish.wait(60)
        return self._classifier.classify(texts)


def test_a_full_queue_sends_callers_away(stage, monkeypatch):
    service = stage.service
    desk = ClassifyDesk(service.shop, encoder="tiny", queue=2)
    desk._general = busy = Busy(service.desk._general)
    monkeypatch.setattr(service, "desk", desk)
    answers = []
    callers = [threading.Thread(target=lambda: answers.append(classify(stage, ["late"]))) for _ in range(2)]
    for caller in callers:
        caller.start()
    assert busy.begun.acquire(timeout=60)  # one is served …
    for _ in range(6_000):  # … and the other waits, sooner or later
        if desk._places._value == 0:
            break
        time.sleep(0.01)
    refused = classify(stage, ["late"])
    busy.finish.set()
    for caller in callers:
        caller.join()
    assert refused.status_code == 503
    assert refused.headers["Retry-After"] == "1"
    assert "too many" in refused.json()["detail"]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert classify(stage, ["late"]).status_code == 200


class OneByOne:
    """A classifier that reads a text whenever it is told to."""

    def __init__(self, classifier):
        self.theme_set, self.taxonomy, self._classifier = classifier.theme_set, classifier.taxonomy, classifier
        self.begun, self.go = [], threading.Semaphore(0)

    def classify(self, texts):
        self.begun += texts
        assert self.go.acquire(timeout=60)
        return self._classifier.classify(texts)


def test_a_long_call_and_a_short_one_take_turns(stage, monkeypatch):
    service = stage.service
    desk = ClassifyDesk(service.shop, encoder="tiny", queue=2)
    desk._general = classifier = OneByOne(service.desk._general)
    monkeypatch.setattr(service, "desk", desk)
    answers = {}

    def call(name, texts):
        answers[name] = classify(stage, texts)

    def wait_until(condition):
        assert any(condition() or time.sleep(0.01) for _ in range(6_000))

    long = [f"late {number}" for number in range(60)]
    callers = [threading.Thread(target=call, args=("long", long)), threading.Thread(target=call, args=("short", ["rude"]))]
    callers[0].start()
    classifier.go.release()
    wait_until(lambda: len(classifier.begun) == 1 + desk._at_once)
    callers[1].start()
    wait_until(lambda: desk._readers._work_queue.qsize() == 1)
    for _ in long:
        classifier.go.release()
    for caller in callers:
        caller.join()
    assert classifier.begun.index("rude") <= 1 + 2 * desk._at_once
    assert [answers[name].status_code for name in ("long", "short")] == [200, 200]
    assert [reading["language"] for reading in answers["long"].json()["results"]] == ["en"] * len(long)


def replace_theme_set(stage, customer):
    """Let the project have another theme set, as a process beside this one would; return a job of it, and the version."""
    deleted, job = forget_customer(stage.service.shop, stage.project, customer)
    assert deleted
    with stage.service.database.reading() as session:
        return job, findings.living_version(session, stage.project)


def version_used(stage):
    return classify(stage, ["late"], project=stage.project).json()["results"][0]["theme_set_version"]


def test_a_theme_set_that_was_replaced_is_soon_not_used_any_more(stage):
    before = version_used(stage)
    _, living = replace_theme_set(stage, "buyer-7")
    assert living != before
    assert any(version_used(stage) == living or time.sleep(0.05) for _ in range(200))


def test_who_was_told_that_a_job_is_done_sees_what_it_did(stage, monkeypatch):
    monkeypatch.setattr("feedback_miner.web.desk._SURE_SECONDS", 3600)
    stage.service.desk.look_again(stage.project)
    before = version_used(stage)
    job, living = replace_theme_set(stage, "buyer-8")
    assert version_used(stage) == before
    with stage.service.database.transaction() as session:
        session.get(JobRow, job).finished_at = now()
    assert stage.ask("GET", f"/v1/jobs/{job}").status_code == 200
    assert version_used(stage) == living


def test_a_deleted_projects_theme_set_is_let_go(stage):
    classify(stage, ["late"], project=stage.project)
    assert stage.ask("DELETE", f"/v1/projects/{stage.project}").status_code == 204
    assert stage.project not in stage.service.desk._living
    assert classify(stage, ["late"], project=stage.project).status_code == 404
