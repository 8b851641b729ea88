"""What a service does around a job, without a service; and made-up comments for it."""

import csv
import gzip
import hashlib
import io
import itertools
import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from feedback_miner.config import MiningConfig
from feedback_miner.jobs import steps
from feedback_miner.jobs.claim import claim_job
from feedback_miner.jobs.living import add_edit
from feedback_miner.jobs.workshop import Workshop
from feedback_miner.store import findings, projects

LATE = ["The parcel came {} late", "Delivery took {} too long", "I waited {} longer for the courier than promised"]
RUDE = ["The staff were rude to me {}", "She shouted at me {} on the phone", "The help desk was impolite {}"]
SLOW = ["two days", "a week", "three weeks", "a month", "ages", "half a year", "four days", "nine days", "many hours", "forever"]
WHEN = ["again", "twice", "yesterday", "on Monday", "in the shop", "at the counter", "last week", "at noon", "all day", "this time"]
HEADER = ["comment", "nps", "customer", "date"]

Row = Sequence[str]


def comments(count: int, *, seed: int = 1, customers: int = 40) -> list[Row]:
    """Return made-up responses on two themes, some of them twice, in two languages."""
    draw = random.Random(seed)
    rows = []
    for number in range(count):
        first = draw.choice(LATE).format(draw.choice(SLOW))
        second = draw.choice(RUDE).format(draw.choice(WHEN))
        text = draw.choice(
            [
                first,
                second,
                f"{first}. {second}.",
                "送货太慢了，等了两个星期",
                "客服态度很差，店员骂人 \U0001f620",
                f"{first} ({number % 97})",
            ]
        )
        rows.append(
            (text, str(draw.randint(0, 10)), f"customer-{draw.randrange(customers)}", f"2026-0{draw.randint(1, 9)}-1{draw.randint(0, 9)}")
        )
    return rows


def as_csv(rows: Sequence[Row]) -> bytes:
    file = io.StringIO()
    csv.writer(file).writerows([HEADER, *rows])
    return file.getvalue().encode()


class Desk:
    """What a service does around a job, without a service."""

    def __init__(self, shop: Workshop, config: MiningConfig) -> None:
        self.shop, self.database, self.config = shop, shop.database, config

    def add_project(self) -> str:
        with self.database.transaction() as session:
            return projects.add_project(session, "test", asdict(self.config)).id

    def upload(self, project: str, content: bytes, *, source: str = "answers.csv", options: dict[str, Any] | None = None) -> str:
        with self.database.transaction() as session:
            batch = projects.add_batch(session, project, source=source, sha256=hashlib.sha256(content).hexdigest(), options=options or {})
            job = projects.add_job(session, project, batch.id)
        self.shop.spool_path(batch.id).write_bytes(content)
        return job.id

    def mine(self, project: str, rows: Sequence[Row]) -> str:
        """Upload rows and run their job, without an engine."""
        job = self.upload(project, as_csv(rows))
        self.run(job)
        return job

    def run(self, job: str) -> None:
        """Run a job's steps in their order."""
        for name in steps.ORDER:
            after: int | None = 0
            while after is not None:
                after = self.step("encode", job, after) if name == "encode" else self.step(name, job)
        with self.database.transaction() as session:
            projects.end_job(session, job, "succeeded")

    def step(self, name: str, job: str, *rest: Any) -> Any:
        claim = claim_job(self.shop, job)
        assert claim is not None
        return getattr(steps, name)(claim, *rest)

    def edit(self, project: str, kind: str, values: Mapping[str, Any], **more: Any) -> tuple[Any, str]:
        """Add an edit to the log; return its row and the job that follows."""
        with self.database.transaction() as session:
            return add_edit(self.shop, session, project, kind, values, "anna", **more)

    def job(self, job: str) -> Any:
        with self.database.reading() as session:
            return projects.get_job(session, job)

    def analysis(self, project: str) -> dict[str, Any]:
        """Return the current analysis without what may differ between two runs."""
        with self.database.reading() as session:
            values = json.loads(gzip.decompress(findings.get_analysis(session, project).packed))
        del values["run"]
        return values


def wait_for(condition: Callable[[], Any], *, seconds: float = 300.0) -> Any:
    """Return what the condition says as soon as it is anything; a limit that only a broken program meets."""
    for _ in itertools.repeat(None, int(seconds / 0.02)):
        if answer := condition():
            return answer
        time.sleep(0.02)
    raise AssertionError("waited in vain")
