"""Ten thousand comments with personal data in them, through the real service: it is found nowhere afterwards."""

import contextlib
import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from planted_personal_data import plant
from real_server import PATIENCE, Server, everything_kept, start_server
from service_stage import LATE, RUDE, SLOW, WHEN
from webhook_receiver import receiving

from feedback_miner.client import Client, JobFailedError

pytestmark = [pytest.mark.slow, pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]

COMMENTS = 10_000
SHORTEST = 8
"""Characters of a secret that cannot stand in a file by chance."""
UNHEARD = "gallimaufry quincunx"


def planted_rows() -> tuple[list[list[str]], set[str]]:
    """Return rows as an export has them, and every secret in them: in the comment, the customer's key, the channel, an attribute."""
    rows, secrets = [], set()
    for number, (_, secret, text) in enumerate(plant(COMMENTS // 190, seed=41)):
        said = (LATE if number % 2 else RUDE)[number % 3].format((SLOW if number % 2 else WHEN)[number % 10])
        customer = f"buyer.{number % 500}@shop-customers.example"
        row = [f"{said}. {text}", str(number % 11), f"2026-0{1 + number % 9}-15", customer, "web", ""]
        if number % 50 == 7:
            row[4], row[5] = text, f"agent said: {text}"
        rows.append(row)
        secrets |= {secret, customer}
        if len(rows) == COMMENTS:
            break
    return rows, {secret for secret in secrets if len(secret) >= SHORTEST}


def as_csv(rows: Iterable[Iterable[str]]) -> bytes:
    file = io.StringIO()
    csv.writer(file).writerows([["comment", "nps", "date", "customer", "channel", "note"], *rows])
    return file.getvalue().encode()


def spellings(secret: str) -> set[str]:
    """How a secret may be written where it has no business to be."""
    return {secret, json.dumps(secret)[1:-1]}


def leaks(secrets: set[str], places: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return (place, secret) of what stands where it should not. One that goes on as a longer number or word is something else."""
    by_start: dict[str, set[str]] = {}
    for spelling in set().union(*map(spellings, secrets)):
        by_start.setdefault(spelling[:4], set()).add(spelling)
    starts = np.zeros(1 << 20, bool)
    starts[[start_keys(start)[0] for start in by_start]] = True
    found = set()
    for place, text in places:
        for at in np.flatnonzero(starts[start_keys(text)]).tolist():
            for secret in by_start.get(text[at : at + 4], ()):
                around = text[max(0, at - 1) : at] + text[at + len(secret) : at + len(secret) + 1]
                if text.startswith(secret, at) and not re.search("[0-9A-Za-z]", around):
                    found.add((place, secret))
    return found


def start_keys(text: str) -> np.ndarray:
    """Return a number below 2^20 for each four characters of a text: hundreds of megabytes are looked through."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    four = codes[:-3] * 2654435761 + codes[1:-2] * 40503 + codes[2:-1] * 9973 + codes[3:] * 31
    return four >> 12


@pytest.fixture
def server(server_database: str | None, tmp_path: Path) -> Iterator[Server]:
    server = start_server(tmp_path / "data", server_database, "--print-key", "--log-level", "debug")
    yield server
    if server.process.poll() is None:
        server.kill()


def test_ten_thousand_comments_leave_no_personal_data(server: Server, tmp_path: Path) -> None:
    rows, secrets = planted_rows()
    assert len(rows) == COMMENTS
    assert len(secrets) > COMMENTS / 3
    # One more who says what nobody else says, to be deleted in the end.
    rows += [
        [f"The {UNHEARD} at the desk was rude to me {when}.", "1", "2026-05-05", "leaver@shop-customers.example", "web", ""]
        for when in WHEN
    ]
    shown: list[tuple[str, str]] = []
    file = tmp_path / "export.csv"
    file.write_bytes(as_csv(rows))
    keyed = {"Authorization": f"Bearer {server.key}"}
    http = httpx.Client(base_url=server.url, headers=keyed, timeout=PATIENCE)
    with http, receiving() as receiver, Client(server.url, server.key, timeout=PATIENCE) as client:
        project = client.create_project("Private")
        hook = {"url": receiver.url, "events": ["job.finished", "theme.born"]}
        client.request("POST", f"/v1/projects/{project}/webhooks", json=hook)
        client.wait(client.upload(project, file, score_kind="nps"), every=0.5, timeout=5 * PATIENCE)

        theme = client.themes(project)["id"][0]
        texts = [row[0] for row in rows[:40]]
        client.classify(texts, project=project)
        named = client.edit(project, "rename", theme=theme, names={"en": f"call {rows[3][3]}"})
        client.wait(named["job"], every=0.1, timeout=PATIENCE)

        def show(name: str, method: str, path: str, **asked: Any) -> None:
            answer = http.request(method, f"/v1/projects/{project}/{path}", **asked)
            shown.append((name, answer.text))

        bad = texts[0]
        show("wrong field", "POST", "edits", json={"kind": bad, "values": {bad: bad}})
        show("wrong column", "POST", "batches", files={"file": ("x.csv", file.read_bytes()[:5_000])}, data={"texts": bad})
        show(
            "rejected rows",
            "POST",
            "batches",
            files={"file": ("bad.csv", as_csv([[t, t, t, t, t, t] for t in texts]))},
            data={"texts": "comment", "score": "nps"},
        )
        show("preview", "POST", "batches/preview", files={"file": ("x.csv", as_csv(rows[:30]))})
        for secret in sorted(secrets)[:50]:
            show("words", "GET", "opinions", params={"words": secret})
        for path in (
            "report.html",
            "report.json",
            "report.csv",
            "themes",
            "residual",
            "edits",
            "batches",
            "lineage",
            "webhooks",
            "scores",
            "causes",
        ):
            show(path, "GET", path)
        for batch in client.request("GET", f"/v1/projects/{project}/batches")["items"]:
            show("issues", "GET", f"batches/{batch['id']}/issues")
        shown.append(("audit", http.get("/v1/audit", params={"limit": 200}).text))
        shown.append(("metrics", http.get("/metrics").text))
        for job in re.findall(r"\bjob_\w+", " ".join(text for name, text in shown if name in ("wrong column", "rejected rows"))):
            with contextlib.suppress(JobFailedError):
                client.wait(job, every=0.5, timeout=PATIENCE)
            shown.append(("job", json.dumps(client.job(job))))
        gone = client.delete_customer(project, "leaver@shop-customers.example")
        assert gone["responses"] == len(WHEN)
        client.wait(gone["job"], every=0.5, timeout=5 * PATIENCE)
        shown += [("webhook", request.body.decode()) for request in receiver.requests]
        assert len(receiver.requests) >= 2
    code, _ = server.stop()
    assert code == 0
    assert leaks(secrets, [("planted", rows[0][0])])  # it would be seen
    assert leaks(secrets, shown) == set()
    kept = list(everything_kept(server))
    assert leaks(secrets, kept) == set()
    for word in UNHEARD.split():
        assert [place for place, text in kept if word in text] == []
