"""A service in this process, those who ask it, and made-up items for it."""

import random
import secrets
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from anyio.from_thread import BlockingPortal
from argon2 import PasswordHasher

from feedback_miner.client import Client
from feedback_miner.config import Settings
from feedback_miner.errors import FeedbackMinerError
from feedback_miner.jobs import steps
from feedback_miner.jobs.claim import claim_job
from feedback_miner.jobs.living import add_edit
from feedback_miner.store import access, people, projects
from feedback_miner.web.access import COOKIE, CSRF_HEADER, csrf_token_of
from feedback_miner.web.app import create_app, open_service
from feedback_miner.web.passwords import Passwords
from feedback_miner.web.service import Service

LATE = ["The parcel came {} late", "Delivery took {} too long", "I waited {} longer for the courier than promised"]
RUDE = ["The staff were rude to me {}", "She shouted at me {} on the phone", "The help desk was impolite {}"]
SLOW = ["two days", "a week", "three weeks", "a month", "ages", "half a year", "four days", "nine days", "many hours", "forever"]
WHEN = ["again", "twice", "yesterday", "on Monday", "in the shop", "at the counter", "last week", "at noon", "all day", "this time"]
ORIGIN = "http://test"
QUICK_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def made_up_items(count: int, *, seed: int = 1) -> list[dict[str, Any]]:
    """Return responses on two themes, with scores, dates and customers."""
    draw = random.Random(seed)
    items = []
    for number in range(count):
        late = draw.choice(LATE).format(draw.choice(SLOW))
        rude = draw.choice(RUDE).format(draw.choice(WHEN))
        text = draw.choice([late, rude, f"{late}. {rude}.", f"{late} ({number})", "n/a"])
        date = f"2026-0{draw.randint(1, 9)}-1{draw.randint(0, 9)}"
        items.append({"text": text, "score": draw.randint(0, 10), "created_at": date, "customer": f"buyer-{number % 40}"})
    return items


class HandEngine:
    """Keeps the jobs that are handed in until somebody runs them."""

    def __init__(self, service: Service) -> None:
        self._shop = service.shop
        self.waiting: list[str] = []

    def enqueue(self, job: str) -> None:
        self.waiting.append(job)

    def work(self) -> None:
        """Run what waits, as the engine would."""
        while self.waiting:
            job = self.waiting.pop(0)
            try:
                self._mine(job)
            except FeedbackMinerError as error:
                claim = claim_job(self._shop, job)
                assert claim is not None
                steps.abandon(claim, "failed", str(error))

    def _mine(self, job: str) -> None:
        for name in steps.ORDER:
            after: int | None = 0
            while after is not None:
                claim = claim_job(self._shop, job)
                if claim is None:  # cancelled
                    return
                after = steps.encode(claim, after) if name == "encode" else getattr(steps, name)(claim)
        with self._shop.database.transaction() as session:
            projects.end_job(session, job, "succeeded")


class InProcess(httpx.BaseTransport):
    """Hands requests to an application of this process."""

    def __init__(self, app: Any, portal: BlockingPortal) -> None:
        self._asgi, self._portal = httpx.ASGITransport(app, raise_app_exceptions=False, client=("127.0.0.1", 50000)), portal

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        body = request.read()
        asked = httpx.Request(request.method, request.url, headers=request.headers, content=body, extensions=request.extensions)
        response = self._portal.call(self._asgi.handle_async_request, asked)
        return httpx.Response(response.status_code, headers=response.headers, stream=httpx.ByteStream(self._portal.call(response.aread)))


@dataclass
class Stage:
    """A service and those who ask it."""

    service: Service
    app: Any
    portal: BlockingPortal
    admin: str
    project: str = ""
    engine: HandEngine = field(init=False)

    def __post_init__(self) -> None:
        self.engine = HandEngine(self.service)
        self.service.engine = self.engine  # type: ignore[assignment]

    def key(self, *scopes: str, project: str | None = None, **options: Any) -> str:
        with self.service.database.transaction() as session:
            return access.add_key(session, "test", scopes, project=project, **options)[1]

    def person(self, role: str | None, grants: dict[str, str] | None = None) -> dict[str, str]:
        """Sign in somebody of this role; return the headers with which a browser speaks for them."""
        with self.service.database.transaction() as session:
            row = people.add_person(session, f"somebody {secrets.token_hex(4)}", role=role, grants=grants)
            token = people.open_session(session, row.id)[1]
        return {"Cookie": f"{COOKIE}={token}", CSRF_HEADER: csrf_token_of(token)}

    def http(self, key: str | None) -> httpx.Client:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        return httpx.Client(base_url=ORIGIN, headers=headers, transport=InProcess(self.app, self.portal))

    def ask(self, method: str, path: str, key: str | None = "", **options: Any) -> httpx.Response:
        """Send a request, as the admin unless another key (``None``: none) is given."""
        with self.http(self.admin if key == "" else key) as client:
            return client.request(method, path, **options)

    def client(self, key: str = "") -> Client:
        return Client(ORIGIN, key or self.admin, transport=InProcess(self.app, self.portal))

    def edit(self, kind: str, values: dict[str, Any]) -> int:
        """Add an edit to the project's log; return its number."""
        with self.service.database.transaction() as session:
            return add_edit(self.service.shop, session, self.project, kind, values, "somebody")[0].number

    def new_project(self, name: str = "another") -> str:
        return str(self.ask("POST", "/v1/projects", json={"name": name}).json()["id"])


def open_stage(folder: Path, portal: BlockingPortal, **settings: Any) -> Stage:
    service = open_service(Settings(data=folder, **{"encoder": "tiny", "requests_per_minute": 1_000_000, **settings}))
    with service.database.transaction() as session:
        admin = access.add_key(session, "admin", ["admin"])[1]
    app = create_app(service)
    app.state.passwords = Passwords(QUICK_HASHER)
    return Stage(service, app, portal, admin)


def open_mined(mined_folder: Path, folder: Path, portal: BlockingPortal, **settings: Any) -> Stage:
    shutil.copytree(mined_folder, folder)
    stage = open_stage(folder, portal, **settings)
    with stage.service.database.reading() as session:
        stage.project = next(row.id for row in projects.list_projects(session) if row.name == "mined")
    return stage
