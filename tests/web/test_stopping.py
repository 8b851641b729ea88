"""Processes of their own, asked to end at a bad moment; and a worker that shows its figures."""

import random
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from real_server import PATIENCE, ROOT, Server, start_server
from service_stage import made_up_items

from feedback_miner.client import Client

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]


@pytest.mark.slow
def test_a_server_asked_to_end_right_after_an_upload_ends_without_a_word_and_goes_on_later(tmp_path: Path) -> None:
    draw = random.Random(1)
    server = start_server(tmp_path / "data", None, "--print-key")
    key = server.key
    with Client(server.url, key) as client:
        project = client.create_project("stopped again and again")
    jobs = []
    for seed in range(5):
        with Client(server.url, key) as client:
            jobs.append(client.upload(project, made_up_items(200, seed=seed), score_kind="nps"))
        time.sleep(draw.random())  # anywhere in the job: no moment is better than another
        assert stop(server) == (0, [])
        server = start_server(tmp_path / "data", None)
    with Client(server.url, key) as client:
        for job in jobs:
            client.wait(job, every=0.1, timeout=PATIENCE)
        assert client.job(jobs[-1])["state"] == "succeeded"
    assert stop(server) == (0, [])


def stop(server: Server) -> tuple[int, list[str]]:
    """Return the exit code, and what was written but for the link that a person is shown at each start."""
    code, said = server.stop()
    return code, [line for line in said.splitlines() if line and "sets a password here" not in line]


def test_a_worker_shows_its_figures_where_it_is_told_to(tmp_path: Path) -> None:
    worker = subprocess.Popen(
        [sys.executable, "-m", "feedback_miner", "worker", "--data", str(tmp_path / "data"), "--metrics-port", "0", "--log-level", "info"],
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        line = worker.stderr.readline()
        port = int(line.rpartition('"port": ')[2].split("}")[0])
        text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        assert "feedback_miner_build_info" in text
        assert 'feedback_miner_jobs{state="queued"} 0.0' in text
        worker.terminate()
        assert worker.wait(PATIENCE) == 0
    finally:
        worker.kill()
        worker.communicate()
