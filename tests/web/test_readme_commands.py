"""The README's commands for the service, run as they stand, one after the other, against a real server."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from real_server import PATIENCE, ROOT, start_server

from feedback_miner.client import Client
from feedback_miner.demo import demo_path

pytestmark = [pytest.mark.slow, pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]


def commands() -> list[str]:
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition("## The service")[2].partition("\n## ")[0]
    return re.findall(r"^\$ (curl .*)$", section, flags=re.MULTILINE)


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_three_users_at_work(tmp_path: Path) -> None:
    shutil.copy(demo_path(), tmp_path / "wave-1.csv")
    server = start_server(tmp_path / "data", None, "--print-key")
    host = server.url.removeprefix("http://")
    said: dict[str, str] = {"KEY": f"Authorization: Bearer {server.key}"}

    def run(command: str) -> str:
        script = command.replace("localhost:8080", host).replace("curl ", "curl --silent --show-error --fail-with-body ", 1)
        done = subprocess.run(["bash", "-c", script], env={**said, "PATH": "/usr/bin:/bin"}, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout

    try:
        upload, batch, follow, report, opinions, rename, key, ready, classify = commands()
        said["PROJECT"] = json.loads(run(upload))["id"]
        said["JOB"] = json.loads(run(batch))["job"]
        with Client(server.url, server.key) as client:
            client.wait(said["JOB"], every=0.2, timeout=PATIENCE)
            said["THEME"] = client.themes(said["PROJECT"]).sort("negative")["id"][-1]
        assert json.loads(run(follow))["state"] == "succeeded"
        run(report)
        page = (tmp_path / "report.html").read_text(encoding="utf-8")
        assert f"/v1/projects/{said['PROJECT']}/themes/{said['THEME']}/opinions" in page
        assert {item["sentiment"]["label"] for item in json.loads(run(opinions))["items"]} == {"negative"}
        assert json.loads(run(rename))["kind"] == "rename"
        said["KEY"] = f"Authorization: Bearer {json.loads(run(key))['key']}"
        run(ready)
        assert json.loads(run(classify))["results"][0]["opinions"][0]["text"] == "the box was crushed again"
    finally:
        server.kill()
