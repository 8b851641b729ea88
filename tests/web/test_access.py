"""Who is let in where: every path of the API against every kind of key."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from feedback_miner.store import access, outbox, people, projects, webhooks
from feedback_miner.web.access import COOKIE, CSRF_HEADER, SCOPES, csrf_token_of


@dataclass(frozen=True)
class Entry:
    """How to ask a path, and who may. Paths hold ``{project}``, a project of ours, and the names of things in it."""

    scope: str
    asks: dict[str, Any]
    foreign: int | None = 404
    """What a key of another project is told; ``None`` where the path is about no project and shows that key its own things only."""
    path: str = ""


ITEMS = {"items": [{"text": "the courier never came"}]}
MATRIX = {
    ("POST", "/v1/projects"): Entry("ingest", {"json": {"name": "one more"}}, foreign=403),
    ("GET", "/v1/projects"): Entry("read", {}, foreign=None),
    ("GET", "/v1/projects/{project}"): Entry("read", {}),
    ("PATCH", "/v1/projects/{project}"): Entry("admin", {"json": {"retention_days": 36_500}}),
    ("POST", "/v1/projects/{project}/retention"): Entry("admin", {}),
    ("DELETE", "/v1/projects/{project}"): Entry("admin", {}),
    ("DELETE", "/v1/projects/{project}/customers/{customer}"): Entry("admin", {}),
    ("GET", "/v1/jobs/{job}"): Entry("read", {}),
    ("POST", "/v1/jobs/{job}/cancel"): Entry("ingest", {}),
    ("POST", "/v1/projects/{project}/batches"): Entry("ingest", {"json": ITEMS}),
    ("POST", "/v1/projects/{project}/batches/preview"): Entry("ingest", {"json": ITEMS}),
    ("GET", "/v1/projects/{project}/batches"): Entry("read", {}),
    ("GET", "/v1/projects/{project}/batches/{batch}/issues"): Entry("read", {}),
    ("GET", "/v1/projects/{project}/themes"): Entry("read", {}),
    ("GET", "/v1/projects/{project}/themes/{theme}"): Entry("read", {}),
    ("GET", "/v1/projects/{project}/themes/{theme}/opinions"): Entry("read", {}),
    ("POST", "/v1/projects/{project}/themes/{theme}/split-preview"): Entry("review", {"json": {"by": "clusters"}}),
    ("GET", "/v1/projects/{project}/opinions"): Entry("read", {}),
    ("GET", "/v1/projects/{project}/residual"): Entry("read", {}),
    ("POST", "/v1/projects/{project}/cases"): Entry("review", {"json": {"opinion": "{opinion}"}}),
    ("GET", "/v1/projects/{project}/cases"): Entry("read", {}),
    ("GET", "/v1/projects/{project}/cases/{case}"): Entry("read", {}),
    ("PATCH", "/v1/projects/{project}/cases/{case}"): Entry("review", {"json": {"owner": "somebody"}}),
    ("GET", "/v1/projects/{project}/customers"): Entry("contact", {}),
    ("GET", "/v1/projects/{project}/customers.csv"): Entry("contact", {}),
    ("POST", "/v1/projects/{project}/remine"): Entry("review", {}),
    ("GET", "/v1/projects/{project}/lineage"): Entry("read", {}),
    ("GET", "/v1/projects/{project}/scores"): Entry("read", {}),
    ("GET", "/v1/projects/{project}/causes"): Entry("read", {}),
    ("GET", "/v1/projects/{project}/trends"): Entry("read", {}),
    ("GET", "/v1/projects/{project}/report.{kind}"): Entry("read", {}),
    ("GET", "/v1/projects/{project}/edits"): Entry("read", {}),
    ("GET", "/v1/projects/{project}/corrections.csv"): Entry("read", {}),
    ("POST", "/v1/projects/{project}/edits"): Entry("review", {"json": {"kind": "pin", "values": {"theme": "{theme}", "pinned": True}}}),
    ("POST", "/v1/projects/{project}/edits/{number}/undo"): Entry("review", {}),
    ("POST", "/v1/projects/{project}/edits/{number}/redo"): Entry("review", {}),
    ("POST", "/v1/projects/{project}/webhooks"): Entry("admin", {"json": {"url": "https://hooks.example/", "events": ["job.finished"]}}),
    ("GET", "/v1/projects/{project}/webhooks"): Entry("admin", {}),
    ("PATCH", "/v1/projects/{project}/webhooks/{webhook}"): Entry("admin", {"json": {"events": ["theme.born"]}}),
    ("DELETE", "/v1/projects/{project}/webhooks/{webhook}"): Entry("admin", {}),
    ("POST", "/v1/projects/{project}/webhooks/{webhook}/test"): Entry("admin", {}),
    ("GET", "/v1/projects/{project}/webhooks/{webhook}/deliveries"): Entry("admin", {}),
    ("POST", "/v1/projects/{project}/webhooks/{webhook}/deliveries/{delivery}/retry"): Entry("admin", {}),
    ("POST", "/v1/classify"): Entry("classify", {"json": {"texts": ["late again"], "project": "{project}"}}),
    ("POST", "/v1/keys"): Entry("admin", {"json": {"name": "colleague", "scopes": ["read"], "project": "{project}"}}),
    ("GET", "/v1/keys"): Entry("admin", {}, foreign=None),
    ("DELETE", "/v1/keys/{key}"): Entry("admin", {}),
    ("GET", "/v1/audit"): Entry("admin", {}, foreign=None),
    ("POST", "/v1/people"): Entry("admin", {"json": {"name": "{newcomer}", "role": "viewer"}}, foreign=403),
    ("GET", "/v1/people"): Entry("admin", {}, foreign=403),
    ("PATCH", "/v1/people/{person}"): Entry("admin", {"json": {"role": "analyst", "grants": {"{project}": "viewer"}}}, foreign=403),
    ("DELETE", "/v1/people/{person}"): Entry("admin", {}, foreign=403),
    ("POST", "/v1/people/{person}/invitations"): Entry("admin", {}, foreign=403),
}
OWN = {("GET", "/v1/session"), ("DELETE", "/v1/session"), ("PUT", "/v1/session/password")}
"""Of whoever asks, whatever they may otherwise; test_people_endpoint.py asks them."""
SIGN_IN = {("POST", "/v1/session"), ("POST", "/v1/people/accept")}
"""Open to all, and counted."""
OPEN = {("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/metrics")}
MAY = {
    "viewer": {"read"},
    "analyst": {"read", "review", "ingest", "classify"},
    "admin": {"read", "review", "ingest", "classify", "admin"},
}
"""Nobody reads customers' own keys by a role."""


@pytest.fixture(scope="module")
def names(stage) -> dict[str, str]:
    """Things of the mined project, by the names they have in paths."""
    with stage.service.database.transaction() as session:
        batch = projects.list_batches(session, stage.project)[0].id
        job = projects.add_job(session, stage.project, None).id
        key = access.add_key(session, "spare", ["read"], project=stage.project)[0].id
        person = people.add_person(session, "spare", role=None).id
        webhook = webhooks.add_webhook(session, stage.project, "https://hooks.example/", ["job.finished"], b"")
        delivery = outbox.tell_one(session, webhook, "ping", {}, at=projects.now()).id
    themes = stage.ask("GET", f"/v1/projects/{stage.project}/themes").json()["items"]
    theme = next(theme["id"] for theme in themes if theme["parent"] is not None)
    opinion = stage.ask("GET", f"/v1/projects/{stage.project}/opinions").json()["items"][0]["id"]
    case = stage.ask("POST", f"/v1/projects/{stage.project}/cases", json={"opinion": opinion}).json()["id"]
    return {
        "project": stage.project,
        "batch": batch,
        "job": job,
        "theme": theme,
        "opinion": opinion,
        "case": str(case),
        "key": key,
        "person": person,
        "newcomer": "somebody new",
        "webhook": webhook.id,
        "delivery": str(delivery),
        "kind": "json",
        "customer": "nobody",
        "number": "1",
    }


@pytest.fixture(scope="module")
def throwaways(stage, names) -> Callable[[str, str], dict[str, Any]]:
    """What a path destroys is made anew for it."""

    def make(method: str, path: str) -> dict[str, Any]:
        made: dict[str, Any] = dict(names)
        if method == "DELETE" and path.endswith(("{project}", "{customer}")):  # of a project where an upload waits no customer is deleted
            made["project"] = stage.new_project()
        if path.endswith(("/undo", "/redo")):
            values = {"theme": names["theme"], "hidden": True}
            made["number"] = stage.edit("hide", values)
            if path.endswith("/redo"):
                stage.edit("undo", {"edit": made["number"]})
        made["newcomer"] = f"newcomer {secrets.token_hex(4)}"
        with stage.service.database.transaction() as session:
            if "{person}" in path:
                made["person"] = people.add_person(session, made["newcomer"], role=None).id
            if path.endswith("/retention"):
                projects.get_project(session, stage.project).retention_days = 36_500
            if path.endswith("/cancel"):
                made["job"] = projects.add_job(session, stage.project, None).id
            if method == "DELETE" and path.endswith("{webhook}"):
                made["webhook"] = webhooks.add_webhook(session, stage.project, "https://to-go.example/", ["job.finished"], b"").id
            if method == "DELETE" and path.endswith("{key}"):
                made["key"] = access.add_key(session, "to go", ["read"], project=stage.project)[0].id
        return made

    return make


def send(stage, method: str, path: str, key: str | None, names: dict[str, str], headers: dict[str, str] | None = None) -> Any:
    """Ask a path with a key, or with the headers of somebody's browser."""
    asks = {name: fill(value, names) for name, value in MATRIX[method, path].asks.items()}
    return stage.ask(method, path.format(**names), key, headers=headers, **asks)


def fill(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name.format(**names): fill(part, names) for name, part in value.items()}
    return value.format(**names) if isinstance(value, str) else value


def test_the_matrix_knows_every_path(stage):
    described = {(method.upper(), path) for path, operations in stage.app.openapi()["paths"].items() for method in operations}
    assert described == set(MATRIX) | OWN | SIGN_IN | OPEN


@pytest.mark.parametrize(("method", "path"), MATRIX)
class TestEveryPath:
    def test_refuses_who_brings_no_valid_key(self, stage, names, method, path):
        expired = stage.key("admin", expires_at=projects.now() - timedelta(seconds=1))
        for key, why in [(None, "a key is needed"), ("fm_unknown", "not known"), ("", "a key is needed"), (expired, "expired")]:
            answer = send(stage, method, path, key or None, names)
            assert answer.status_code == 401, (key, answer.text)
            assert why in answer.json()["detail"]
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")

    def test_asks_for_the_key_before_it_reads_what_is_sent(self, stage, names, method, path):
        answer = stage.ask(method, path.format(**names), None, content=b"{no json", headers={"Content-Type": "application/json"})
        assert answer.status_code == 401

    def test_refuses_every_other_scope(self, stage, names, method, path):
        wanted = MATRIX[method, path].scope
        others = [scope for scope in SCOPES if scope not in {wanted, "admin"}]
        answer = send(stage, method, path, stage.key(*others), names)
        assert answer.status_code == 403, answer.text
        assert repr(wanted) in answer.json()["detail"]

    def test_tells_a_key_of_another_project_nothing(self, stage, names, method, path):
        wanted, other = MATRIX[method, path], stage.new_project("of others")
        answer = send(stage, method, path, stage.key("admin", wanted.scope, project=other), names)
        if wanted.foreign is None:
            assert answer.status_code == 200
            assert stage.project not in answer.text
        else:
            assert answer.status_code == wanted.foreign, answer.text

    def test_lets_in_who_has_just_this_scope_for_just_this_project(self, stage, throwaways, method, path):
        names = throwaways(method, path)
        wanted = MATRIX[method, path]
        bound = None if wanted.foreign == 403 else names["project"]
        answer = send(stage, method, path, stage.key(wanted.scope, project=bound), names)
        assert answer.is_success, answer.text

    def test_lets_people_in_by_their_role(self, stage, throwaways, method, path):
        wanted = MATRIX[method, path]
        for role, scopes in MAY.items():
            for everywhere in (True, False):
                names = throwaways(method, path)
                browser = stage.person(role) if everywhere else stage.person(None, {names["project"]: role})
                answer = send(stage, method, path, None, names, browser)
                if wanted.scope in scopes and (everywhere or wanted.foreign != 403):
                    assert answer.is_success, (role, everywhere, answer.text)
                else:
                    assert answer.status_code == 403, (role, everywhere, answer.text)
                    assert repr(wanted.scope) in answer.json()["detail"]

    def test_tells_people_of_another_project_nothing(self, stage, names, method, path):
        wanted, other = MATRIX[method, path], stage.new_project("of others")
        answer = send(stage, method, path, None, names, stage.person(None, {other: "admin"}))
        if wanted.scope == "contact":
            assert answer.status_code == 403
        elif wanted.foreign is None:
            assert answer.status_code == 200
            assert stage.project not in answer.text
        else:
            assert answer.status_code == wanted.foreign, answer.text

    def test_shows_those_who_may_look_that_they_may_do_no_more(self, stage, names, method, path):
        wanted, other = MATRIX[method, path], stage.new_project("of others")
        if wanted.scope in {"read", "contact"} or wanted.foreign != 404 or "{project}" not in path:
            return
        answer = send(stage, method, path, None, names, stage.person(None, {names["project"]: "viewer", other: "admin"}))
        assert answer.status_code == 403, answer.text
        assert f"{wanted.scope!r} is needed in project {names['project']}; you have read" in answer.json()["detail"]

    def test_changes_nothing_for_a_browser_that_cannot_say_the_token(self, stage, names, method, path):
        browser, other = stage.person("admin"), stage.person("admin")
        cookie = {"Cookie": browser["Cookie"]}
        for headers in (cookie, cookie | {CSRF_HEADER: ""}, cookie | {CSRF_HEADER: other[CSRF_HEADER]}):
            answer = send(stage, method, path, None, names, headers)
            if method == "GET":
                assert CSRF_HEADER not in answer.text
            else:
                assert answer.status_code == 403
                assert CSRF_HEADER in answer.json()["detail"]

    def test_refuses_a_session_that_is_none(self, stage, names, method, path):
        answer = send(stage, method, path, None, names, {"Cookie": f"{COOKIE}=unknown", CSRF_HEADER: csrf_token_of("unknown")})
        assert answer.status_code == 401
        assert "session has ended" in answer.json()["detail"]


@pytest.mark.parametrize(("method", "path"), sorted(OPEN))
def test_whoever_runs_it_needs_no_key(stage, method, path):
    assert stage.ask(method, path, None).status_code == 200


@pytest.mark.parametrize("header", ["Basic Zm06Zm0=", "Bearer", "Bearer ", "fm_naked", "Bearer \u00e9\u00e9"])
def test_anything_but_a_bearer_key_is_no_key(stage, header):
    answer = stage.ask("GET", "/v1/projects", None, headers={"Authorization": header.encode("latin-1")})
    assert answer.status_code == 401


def test_a_keys_life(stage):
    made = stage.ask("POST", "/v1/keys", json={"name": "dashboard", "scopes": ["read"], "expires_at": "2999-01-01T02:00:00+02:00"})
    key = made.json()
    assert made.status_code == 201
    assert key["key"].startswith("fm_")
    assert key["expires_at"] == "2999-01-01T00:00:00Z"
    assert stage.ask("GET", "/v1/projects", key["key"]).status_code == 200
    listed = next(row for row in stage.ask("GET", "/v1/keys", params={"limit": 500}).json()["items"] if row["id"] == key["id"])
    assert "key" not in listed
    assert listed["last_used_at"] is not None
    assert stage.ask("DELETE", f"/v1/keys/{key['id']}").status_code == 204
    assert stage.ask("GET", "/v1/projects", key["key"]).status_code == 401
    assert stage.ask("DELETE", f"/v1/keys/{key['id']}").status_code == 404


def test_a_projects_admin_makes_keys_for_that_project_alone(stage):
    admin = stage.key("admin", project=stage.project)
    made = stage.ask("POST", "/v1/keys", admin, json={"name": "mine", "scopes": ["admin"]}).json()
    assert made["project"] == stage.project
    assert stage.ask("GET", "/v1/projects", made["key"]).json()["items"][0]["id"] == stage.project


@pytest.mark.parametrize(
    "wrong",
    [{"scopes": ["everything"]}, {"scopes": []}, {"project": "prj_none"}, {"expires_at": "0001-01-01T00:00:00+14:00"}, {"name": "\u0000"}],
)
def test_a_key_that_cannot_be_is_refused(stage, wrong):
    answer = stage.ask("POST", "/v1/keys", json={"name": "odd", "scopes": ["read"]} | wrong)
    assert answer.status_code in {404, 422}, answer.text
    assert "odd" not in [row["name"] for row in stage.ask("GET", "/v1/keys", params={"limit": 500}).json()["items"]]


def test_the_audit_says_who_did_what(stage):
    before = stage.ask("GET", "/v1/audit", params={"limit": 500}).json()["items"]
    key = stage.ask("POST", "/v1/keys", json={"name": "reader", "scopes": ["read"]}).json()
    theme = stage.ask("GET", f"/v1/projects/{stage.project}/themes").json()["items"][0]["id"]
    stage.ask("GET", f"/v1/projects/{stage.project}/themes/{theme}/opinions", key["key"])
    stage.ask("GET", f"/v1/projects/{stage.project}/report.csv", key["key"])
    after = stage.ask("GET", "/v1/audit", params={"limit": 500, "cursor": before[-1]["id"]}).json()["items"]
    assert [(row["action"], row["actor"]) for row in after[1:]] == [("read opinions", key["id"]), ("export report.csv", key["id"])]
    assert after[0]["action"] == "create key"
    assert after[0]["subject"] == key["id"]


def test_reading_notes_a_keys_use_once_and_writes_nothing_else(stage, monkeypatch):
    key = stage.key("read")
    stage.ask("GET", "/v1/projects", key)
    monkeypatch.setattr(stage.service.database, "transaction", lambda: pytest.fail("a reader waits for a writer"))
    for path in (
        "/v1/projects",
        f"/v1/projects/{stage.project}",
        f"/v1/projects/{stage.project}/themes",
        f"/v1/projects/{stage.project}/causes",
    ):
        assert stage.ask("GET", path, key).status_code == 200
