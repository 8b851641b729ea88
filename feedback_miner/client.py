"""A client of the service, for Python: upload, wait, read themes, classify.

with Client("http://127.0.0.1:8080", key) as client:
    project = client.create_project("Checkout survey")
    client.wait(client.upload(project, "wave-1.csv"))
    client.themes(project)
    client.classify(["the parcel came two weeks late"], project=project)
"""

import base64
import binascii
import hmac
import json
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import quote

import httpx

from feedback_miner.errors import FeedbackMinerError, InputError
from feedback_miner.progress import Progress, report_to_nobody

__all__ = ["Client", "JobFailedError", "ServiceError", "SignatureError", "verify_webhook"]

_ENDED = frozenset({"succeeded", "failed", "cancelled"})
_PERIOD = {"since": "from", "until": "to"}
"""``from`` is no name in Python."""
_TRIES = 5
_LONGEST_WAIT = 60


class ServiceError(FeedbackMinerError):
    """The service refused. ``status`` is its HTTP status, the message its problem's detail."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"{detail} (status {status})")
        self.status = status


class JobFailedError(FeedbackMinerError):
    """A job failed or was cancelled; the message is its reason."""


class SignatureError(FeedbackMinerError):
    """A delivery that the service did not send, or sent too long ago."""


def verify_webhook(secret: str, headers: Mapping[str, str], body: bytes, *, tolerance: int = 300) -> dict[str, Any]:
    """Return the event that a webhook was sent. Raises SignatureError where it is not signed with ``secret`` (``whsec_…``).

    ``body`` is what was received, byte for byte; ``tolerance`` is how many seconds ago it may have been sent. The same event may come more
    than once, under the same ``Webhook-Id``.
    """
    given = {name.lower(): value for name, value in headers.items()}
    event, timestamp, signatures = (given.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    if not (event and timestamp and signatures):
        raise SignatureError("this is no delivery: Webhook-Id, Webhook-Timestamp and Webhook-Signature are needed")
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        raise SignatureError("this is no webhook's secret; it begins with whsec_") from None
    proof = base64.b64encode(hmac.digest(key, f"{event}.{timestamp}.".encode() + body, "sha256"))
    sent = (signature.removeprefix("v1,") for signature in signatures.split() if signature.startswith("v1,"))
    if not any(hmac.compare_digest(proof, signature.encode()) for signature in sent):
        raise SignatureError("the signature is not of this secret and this body; compare the body as it was received")
    if not (timestamp.isascii() and timestamp.isdecimal()) or abs(time.time() - int(timestamp)) > tolerance:
        raise SignatureError(f"it was not sent within {tolerance} seconds of now; it may be replayed, or a clock is wrong")
    return cast("dict[str, Any]", json.loads(body))


class Client:
    """Talks to one service with one key. Waits and tries again where the service says it is busy; use as a context manager."""

    def __init__(self, url: str, key: str, *, timeout: float = 60.0, transport: httpx.BaseTransport | None = None) -> None:
        self._http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=timeout, transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def create_project(self, name: str, **options: Any) -> str:
        """Create a project; return its id. ``options``: ``encoder``, ``taxonomy``."""
        return cast(str, self.request("POST", "/v1/projects", json={"name": name, **options})["id"])

    def upload(self, project: str, source: str | Path | Sequence[Mapping[str, Any]], **mapping: Any) -> str | None:
        """Upload a file, or items as mappings (``text``, ``score``, …); return the job's id, ``None`` where nothing is left to do.

        ``mapping`` says what is known of the columns: ``texts=["comment"]``, ``score="nps"``, …
        """
        path = f"/v1/projects/{project}/batches"
        if isinstance(source, str | Path):
            with Path(source).open("rb") as file:
                answer = self.request("POST", path, files={"file": (Path(source).name, file)}, data={"mapping": json.dumps(mapping)})
        else:
            answer = self.request("POST", path, json={"items": [dict(item) for item in source], **mapping})
        return cast("str | None", answer["job"])

    def wait(self, job: str | None, *, progress: Progress = report_to_nobody, every: float = 1.0, timeout: float = 3_600.0) -> None:
        """Wait for a job to succeed. Raises JobFailedError with its reason where it does not, TimeoutError where it takes too long."""
        deadline = time.monotonic() + timeout
        while job is not None:
            state = self.job(job)
            progress(state["stage"], state["done"], state["total"])
            if state["state"] == "succeeded":
                return
            if state["state"] in _ENDED:
                raise JobFailedError(f"job {job} {state['state']}: {state['reason'] or 'no reason given'}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"job {job} is still at {state['stage']} after {timeout:.0f} seconds")
            time.sleep(every)

    def job(self, job: str) -> dict[str, Any]:
        """Return where a job is."""
        return self.request("GET", f"/v1/jobs/{job}")

    def themes(self, project: str) -> Any:
        """Return a project's themes as a polars DataFrame, most people first."""
        import polars

        found = self.request("GET", f"/v1/projects/{project}/themes")["items"]
        return polars.DataFrame(
            [
                {
                    "id": theme["id"],
                    "parent": theme["parent"],
                    **{f"name_{language}": theme["names"].get(language) for language in ("en", "zh")},
                    "people": theme["people"],
                    "opinions": theme["opinions"],
                    "share": theme["share"],
                    **{polarity: theme["polarity"].get(polarity, 0) for polarity in ("negative", "neutral", "positive")},
                }
                for theme in found
            ],
            infer_schema_length=None,
        )

    def opinions(self, project: str, theme: str | None = None, **filters: Any) -> Iterator[dict[str, Any]]:
        """Yield opinions, page after page: a theme's, those in none (``"residual"``), or all of a project.

        ``filters``: ``since`` and ``until`` (dates, the second left out), ``score_group``, ``sentiment``, ``type``, ``cause``, ``reason``,
        ``channel``, ``language``, ``attribute`` (``name:value``, or a list of them), ``words``, and ``meaning``: nearest first.
        """
        place = "opinions" if theme is None else "residual" if theme == "residual" else f"themes/{theme}/opinions"
        return self._pages(f"/v1/projects/{project}/{place}", filters)

    def customers(self, project: str, **filters: Any) -> Iterator[dict[str, Any]]:
        """Yield customers to call back, by their own keys, with what they said. ``filters``: those of ``opinions`` but ``meaning``, and
        ``theme``. The key must have the scope ``contact``.
        """
        return self._pages(f"/v1/projects/{project}/customers", filters)

    def open_case(self, project: str, opinion: str, **values: Any) -> dict[str, Any]:
        """Open a case for an opinion's response, with ``owner``, ``due`` (``"2026-05-01"``) and ``note``; where there is one, it stays."""
        return self.request("POST", f"/v1/projects/{project}/cases", json={"opinion": opinion, **values})

    def cases(self, project: str, **filters: Any) -> Iterator[dict[str, Any]]:
        """Yield cases, oldest first. ``filters``: ``state``, ``owner``, and ``due_before``: what was to be closed before that day."""
        return self._pages(f"/v1/projects/{project}/cases", filters)

    def change_case(self, project: str, case: int, **values: Any) -> dict[str, Any]:
        """Change a case's ``state``, ``outcome`` (to close it), ``owner``, ``due`` or ``note``."""
        return self.request("PATCH", f"/v1/projects/{project}/cases/{case}", json=values)

    def preview_split(self, project: str, theme: str, **asked: Any) -> dict[str, Any]:
        """Return what a theme might be split into: ``parts=3``, or ``words`` or ``meaning`` that part it in two."""
        body = {"by": "clusters" if "parts" in asked else "query", **asked}
        return self.request("POST", f"/v1/projects/{project}/themes/{theme}/split-preview", json=body)

    def report(self, project: str, kind: str = "html", *, language: str = "en") -> bytes:
        """Return a project's report: ``html``, ``json`` or ``csv``."""
        return self._send("GET", f"/v1/projects/{project}/report.{kind}", params={"language": language}).content

    def edit(self, project: str, kind: str, **values: Any) -> dict[str, Any]:
        """Make an edit; return its entry in the log."""
        return self.request("POST", f"/v1/projects/{project}/edits", json={"kind": kind, "values": values})

    def corrections(self, project: str) -> bytes:
        """Return what analysts said of opinions, as the CSV that ``feedback-miner train`` reads."""
        return self._send("GET", f"/v1/projects/{project}/corrections.csv").content

    def undo(self, project: str, number: int) -> dict[str, Any]:
        """Take an edit back."""
        return self.request("POST", f"/v1/projects/{project}/edits/{number}/undo")

    def remine(self, project: str) -> str:
        """Ask for the themes of all waves to be found anew; return the job's id."""
        return str(self.request("POST", f"/v1/projects/{project}/remine")["id"])

    def classify(self, texts: Sequence[str], *, project: str | None = None, language: str = "en") -> list[dict[str, Any]]:
        """Classify texts; with a project, by its themes."""
        body = {"texts": list(texts), "project": project, "language": language}
        return cast("list[dict[str, Any]]", self.request("POST", "/v1/classify", json=body)["results"])

    def delete_customer(self, project: str, customer: str) -> dict[str, Any]:
        """Delete everything a customer said. Raises InputError for a key that an address cannot hold: it might come to name the project."""
        if {"", ".", ".."} & set(customer.split("/")):
            raise InputError("a customer key without empty parts and dot parts is needed")
        return self.request("DELETE", f"/v1/projects/{project}/customers/{quote(customer, safe='')}")

    def request(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """Send any request; return its JSON object (empty where there is none)."""
        response = self._send(method, path, **options)
        return cast("dict[str, Any]", response.json()) if response.content else {}

    def _pages(self, path: str, filters: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        renamed = {_PERIOD.get(name, name): value for name, value in filters.items() if value is not None}
        cursor: str | None = None
        while True:
            page = self.request("GET", path, params={**({} if cursor is None else {"cursor": cursor}), "limit": 500, **renamed})
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        once = {"Idempotency-Key": secrets.token_hex(16)} if method == "POST" else {}  # the same for every try
        for attempt in range(_TRIES):
            for _, file in options.get("files", {}).values():
                file.seek(0)
            response = self._http.request(method, path, headers=once, **options)
            if response.status_code not in {429, 503} or attempt + 1 == _TRIES:
                break
            time.sleep(_seconds_to_wait(response))
        if response.is_error:
            try:
                detail = str(response.json()["detail"])
            except (ValueError, KeyError, TypeError):
                detail = response.reason_phrase
            raise ServiceError(response.status_code, detail)
        return response


def _seconds_to_wait(response: httpx.Response) -> int:
    """Return what the service asks for; whoever stands in between may say it as a date, or not at all."""
    asked = response.headers.get("Retry-After", "")
    return min(_LONGEST_WAIT, int(asked)) if asked.isdecimal() else 1
