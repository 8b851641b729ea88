"""What the documentation shows is run: the examples of docs/api.md, in order, against a service of their own."""

import re
import shutil
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient

import feedback_miner.client
from feedback_miner.config import Settings
from feedback_miner.demo import demo_path
from feedback_miner.store import access
from feedback_miner.web.app import create_app, open_service

API = Path(feedback_miner.__file__).parent.parent / "docs" / "api.md"


class Inside(httpx.BaseTransport):
    """Hands requests to an application in this process."""

    def __init__(self, http: TestClient) -> None:
        self._http = http

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._http.request(request.method, str(request.url), content=request.read(), headers=dict(request.headers))
        return httpx.Response(answer.status_code, headers=dict(answer.headers), content=answer.content)


def python_examples(path: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), flags=re.DOTALL)


def test_examples_of_the_api_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(demo_path(), tmp_path / "wave-1.csv")
    monkeypatch.chdir(tmp_path)
    service = open_service(Settings(data=tmp_path / "data", encoder="tiny", worker="docs"))
    with service.database.transaction() as session:
        _, key = access.add_key(session, "docs", ["admin"])
    examples = python_examples(API)
    assert len(examples) >= 4
    with TestClient(create_app(service), base_url="http://127.0.0.1:8080") as http:
        client = feedback_miner.client.Client

        def inside(url: str, key: str) -> feedback_miner.client.Client:
            return client(url, key, transport=Inside(http))

        monkeypatch.setattr(feedback_miner.client, "Client", inside)
        shown: dict[str, object] = {"key": key}
        for example in examples:
            exec(compile(example, str(API), "exec"), shown)
    assert shown["quotes"]
    assert shown["reading"]["language"] == "en"
