"""The real thing: the server as a process of its own, asked through the client, on both kinds of database."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from real_server import PATIENCE, Server, places_of, start_server
from service_stage import made_up_items
from webhook_receiver import Receiver, receiving

from feedback_miner.client import Client, JobFailedError, ServiceError, verify_webhook
from feedback_miner.demo import demo_path

WORDS = "zebrafinch wainscot"

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]


def wait_for_events(receiver: Receiver, secret: str, count: int) -> dict[str, dict]:
    """Return what a webhook was told first, by type."""
    for _ in range(PATIENCE * 10):
        if len(receiver.requests) >= count:
            break
        time.sleep(0.1)
    events = [verify_webhook(secret, request.headers, request.body, tolerance=PATIENCE) for request in receiver.requests[:count]]
    return {event["type"]: event["data"] for event in events}


def test_a_projects_life(server: Server) -> None:
    assert server.key.startswith("fm_")
    with receiving() as receiver, Client(server.url, server.key) as client:
        project = client.create_project("Demo")
        subscribed = {"url": receiver.url, "events": ["job.finished", "theme.born"]}
        webhook = client.request("POST", f"/v1/projects/{project}/webhooks", json=subscribed)
        stages: list[str] = []
        job = client.upload(project, demo_path())
        client.wait(job, progress=lambda stage, done, total: stages.append(stage), every=0.1, timeout=PATIENCE)
        assert client.job(job)["percent"] == 100.0
        assert stages

        themes = client.themes(project)
        assert len(themes) > 3
        told = wait_for_events(receiver, webhook["secret"], 2)
        assert (told["job.finished"]["job"], told["job.finished"]["state"]) == (job, "succeeded")
        assert set(told["theme.born"]["themes"]) == set(themes.drop_nulls("parent")["id"])
        assert themes["people"].is_sorted(descending=True)
        opinions = list(client.opinions(project, themes["id"][0]))
        assert len(opinions) == themes["opinions"][0]

        (found,) = client.classify([opinions[0]["document"]], project=project)
        assert opinions[0]["theme"] in [theme["id"] for opinion in found["opinions"] for theme in opinion["themes"]]

        assert client.upload(project, demo_path()) == job  # the same again

        wave = [*made_up_items(20), {"text": f"The {WORDS} in the lobby was rude to me.", "score": 1, "customer": "buyer/of zebras"}]
        client.wait(client.upload(project, wave, score_kind="nps"), every=0.1, timeout=PATIENCE)
        assert places_of(WORDS, server)
        assert set(themes["id"]) & set(client.themes(project)["id"])

        renamed = client.edit(project, "rename", theme=themes["id"][0], names={"en": "Renamed by hand"})
        client.wait(renamed["job"], every=0.1, timeout=PATIENCE)
        assert "Renamed by hand" in client.themes(project)["name_en"]
        client.wait(client.undo(project, renamed["number"])["job"], every=0.1, timeout=PATIENCE)
        assert "Renamed by hand" not in client.themes(project)["name_en"]

        assert client.report(project, "html").lstrip().startswith(b"<!DOCTYPE html>")
        assert WORDS in client.report(project, "csv").decode()

        gone = client.delete_customer(project, "buyer/of zebras")
        assert gone["responses"] == 1
        client.wait(gone["job"], every=0.1, timeout=PATIENCE)
        assert WORDS not in client.report(project, "csv").decode()

        with pytest.raises(JobFailedError, match="no such column"):
            client.wait(client.upload(project, __file__, texts=["no such column"]), every=0.1, timeout=PATIENCE)
        with pytest.raises(ServiceError, match="no project") as refused:
            client.themes("prj_none")
        assert refused.value.status == 404
        client.upload(project, made_up_items(50, seed=2), score_kind="nps")  # and stop in the middle of it
    code, err = server.stop()
    assert code == 0
    invitation, *lines = err.splitlines()
    assert invitation.startswith("no admin can sign in yet")
    for line in lines:
        assert set(json.loads(line)) <= {"at", "level", "from", "message", "error", "places"}
    assert WORDS not in err
    assert places_of(WORDS, server) == []


def test_its_worker_is_started_again_and_goes_with_it(tmp_path: Path) -> None:
    server = start_server(tmp_path / "data", None, "--print-key")
    try:
        with Client(server.url, server.key) as client:
            project = client.create_project("killed")
            job = client.upload(project, made_up_items(400), score_kind="nps")
            first = worker_of(server)
            os.kill(first, signal.SIGKILL)
            client.wait(job, every=0.1, timeout=PATIENCE)
            second = worker_of(server)
        assert second != first
        assert "the worker ended by itself (status -9)" in server.log.read_text()
    finally:
        server.kill()  # it has no time to ask its worker to end
    subprocess.run(["tail", f"--pid={second}", "-f", "/dev/null"], timeout=PATIENCE, check=True)  # returns when that process is gone


def worker_of(server: Server) -> int:
    """Return the process that mines."""
    threads = Path(f"/proc/{server.process.pid}/task")
    for _ in range(PATIENCE * 10):
        found = [int(child) for path in threads.glob("*/children") for child in path.read_text().split()]
        if found:
            return found[0]
        time.sleep(0.1)
    raise AssertionError("there is no worker")
