"""People: how they get a password, sign in and out, and what ends their sessions."""

import contextlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher
from service_stage import ORIGIN, QUICK_HASHER, InProcess, Stage, open_stage
from sqlalchemy import delete
from starlette.requests import Request

from feedback_miner.store import access, people
from feedback_miner.store.people_tables import PersonRow
from feedback_miner.web.access import COOKIE, CSRF_HEADER, RequestCounter, address_of
from feedback_miner.web.passwords import Passwords, check_password
from feedback_miner.web.problems import RefusalError

PASSWORD = "correct horse battery"
ANOTHER = "staple of the correct"
MINUTE = 1_000_000_020.0


@pytest.fixture(autouse=True)
def _still(monkeypatch) -> None:
    """Count attempts in one minute, however long a test takes."""
    monkeypatch.setattr("feedback_miner.web.access.time.time", lambda: MINUTE)


@pytest.fixture(scope="module")
def house(tmp_path_factory, portal) -> Iterator[Stage]:
    stage = open_stage(tmp_path_factory.mktemp("people") / "data", portal)
    yield stage
    stage.service.database.close()


@pytest.fixture
def stage(house) -> Stage:
    """A service where nobody is, and nobody has tried anything."""
    with house.service.database.transaction() as session:
        session.execute(delete(PersonRow))
    for name in ("counter", "strangers", "attempts"):
        setattr(house.app.state, name, RequestCounter(1_000))
    house.app.state.passwords = Passwords(QUICK_HASHER)
    return house


class Browser:
    """Somebody's browser: keeps cookies, and sends the token of its session with changes."""

    def __init__(self, stage: Stage, origin: str = ORIGIN) -> None:
        self.http = httpx.Client(base_url=origin, transport=InProcess(stage.app, stage.portal))
        self.csrf = ""

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {CSRF_HEADER: self.csrf} | options.pop("headers", {})
        return self.http.request(method, path, headers=headers, **options)

    def enter(self, path: str, **values: str) -> httpx.Response:
        answer = self.http.post(path, json=values)
        if answer.is_success:
            self.csrf = answer.json()["csrf_token"]
        return answer

    def sign_in(self, name: str, password: str = PASSWORD) -> httpx.Response:
        return self.enter("/v1/session", name=name, password=password)


def invite(stage: Stage, name: str, role: str | None = "viewer", grants: dict[str, str] | None = None) -> dict[str, Any]:
    answer = stage.ask("POST", "/v1/people", json={"name": name, "role": role, "grants": grants or {}})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def welcome(stage: Stage, name: str, role: str | None = "viewer", grants: dict[str, str] | None = None) -> tuple[str, Browser]:
    """Return somebody new who has used their link: their id and their browser."""
    made, browser = invite(stage, name, role, grants), Browser(stage)
    answer = browser.enter("/v1/people/accept", token=made["invitation"]["token"], password=PASSWORD)
    assert answer.status_code == 200, answer.text
    return made["id"], browser


class TestALink:
    def test_becomes_a_password_and_a_session_once(self, stage):
        made = invite(stage, "Ada@Example.com", "analyst")
        link, token = made["invitation"]["link"], made["invitation"]["token"]
        assert (made["name"], made["role"], made["has_password"]) == ("ada@example.com", "analyst", False)
        assert link == f"{ORIGIN}/accept#{token}"
        browser = Browser(stage)
        answer = browser.enter("/v1/people/accept", token=token, password=PASSWORD)
        assert answer.status_code == 200
        assert browser.ask("GET", "/v1/session").json() == answer.json()
        assert answer.json()["id"] == made["id"]
        again = Browser(stage).enter("/v1/people/accept", token=token, password=ANOTHER)
        assert again.status_code == 404
        assert "ask an admin for another" in again.json()["detail"]
        assert Browser(stage).sign_in("ADA@example.com ").status_code == 200
        assert stage.ask("GET", "/v1/people").json()["items"][0]["has_password"] is True

    def test_leads_to_the_public_address(self, stage, monkeypatch):
        monkeypatch.setattr(stage.service, "settings", replace(stage.service.settings, public_url="https://feedback.example.com/"))
        assert invite(stage, "ada")["invitation"]["link"].startswith("https://feedback.example.com/accept#fmi_")

    def test_that_is_none_costs_no_hashing(self, stage, monkeypatch):
        monkeypatch.setattr(stage.app.state.passwords, "hash", lambda _: pytest.fail("hashed"))
        assert Browser(stage).enter("/v1/people/accept", token="fmi_unknown", password=PASSWORD).status_code == 404

    @pytest.mark.parametrize("password", ["eleven char", "x" * 201, "grace.hopper", " Grace.HOPPER ", "\ud800" * 12])
    def test_takes_no_password_that_is_none(self, stage, password):
        token = invite(stage, "grace.hopper")["invitation"]["token"]
        content = ('{"token": "' + token + '", "password": "' + "".join(f"\\u{ord(letter):04x}" for letter in password) + '"}').encode()
        answer = Browser(stage).http.post("/v1/people/accept", content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422
        assert password not in answer.text
        assert Browser(stage).enter("/v1/people/accept", token=token, password=PASSWORD).status_code == 200

    def test_that_is_new_ends_what_was(self, stage):
        person, browser = welcome(stage, "ada")
        link = stage.ask("POST", f"/v1/people/{person}/invitations")
        assert link.status_code == 201
        assert browser.ask("GET", "/v1/session").status_code == 401
        assert Browser(stage).sign_in("ada").status_code == 401
        assert Browser(stage).enter("/v1/people/accept", token=link.json()["token"], password=ANOTHER).status_code == 200
        assert Browser(stage).sign_in("ada", ANOTHER).status_code == 200


class TestTheCookie:
    def test_is_for_this_site_and_no_script(self, stage):
        welcome(stage, "ada")
        cookie = Browser(stage).sign_in("ada").headers["Set-Cookie"]
        parts = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert cookie.startswith(f"{COOKIE}=")
        assert {"httponly", "samesite=strict", "path=/", "max-age=604800"} <= parts
        assert "secure" not in parts

    @pytest.mark.parametrize(("origin", "public"), [("https://test", ""), (ORIGIN, "https://feedback.example.com")])
    def test_goes_over_https_alone_where_there_is_https(self, stage, monkeypatch, origin, public):
        welcome(stage, "ada")
        monkeypatch.setattr(stage.service, "settings", replace(stage.service.settings, public_url=public))
        assert "secure" in Browser(stage, origin).sign_in("ada").headers["Set-Cookie"].lower()

    def test_is_another_at_each_sign_in_and_the_one_before_ends(self, stage):
        _, browser = welcome(stage, "ada")
        before = browser.http.cookies[COOKIE]
        assert browser.sign_in("ada").status_code == 200
        assert browser.http.cookies[COOKIE] != before
        assert stage.ask("GET", "/v1/session", None, headers={"Cookie": f"{COOKIE}={before}"}).status_code == 401

    def test_is_kept_nowhere(self, stage, caplog):
        with caplog.at_level(logging.DEBUG):
            _, browser = welcome(stage, "ada")
            Browser(stage).sign_in("ada", ANOTHER)
        stage.service.database.empty_log()
        kept = (stage.service.settings.data / "feedback-miner.sqlite").read_bytes()
        for secret in (browser.http.cookies[COOKIE], browser.csrf, PASSWORD, ANOTHER):
            assert secret.encode() not in kept
            assert secret not in caplog.text
            assert secret not in stage.ask("GET", "/metrics", None).text

    def test_gives_way_to_a_key_and_stands_beside_a_proxys_own_sign_in(self, stage):
        person, browser = welcome(stage, "ada")
        assert browser.ask("GET", "/v1/session", headers={"Authorization": "Basic Zm06Zm0="}).json()["id"] == person
        assert browser.ask("GET", "/v1/session", headers={"Authorization": f"Bearer {stage.admin}"}).json()["id"].startswith("key_")
        assert browser.ask("GET", "/v1/session", headers={"Authorization": "Bearer fm_unknown"}).status_code == 401


class TestSigningIn:
    def test_tells_an_unknown_name_what_it_tells_a_wrong_password(self, stage, monkeypatch):
        welcome(stage, "ada")
        invite(stage, "grace")  # who has no password yet
        checked = []

        class Watched(PasswordHasher):
            def verify(self, hash, password):  # noqa: A002 - the library's name
                checked.append(hash[: hash.index("p=")])
                return super().verify(hash, password)

        monkeypatch.setattr(stage.app.state.passwords, "_hasher", Watched(time_cost=1, memory_cost=8, parallelism=1))
        answers = [Browser(stage).sign_in(name, ANOTHER) for name in ("ada", "nobody", "grace")]
        assert [answer.status_code for answer in answers] == [401, 401, 401]
        assert len({answer.text for answer in answers}) == 1
        assert len(checked) == 3
        assert len(set(checked)) == 1  # at the same cost

    def test_hashes_anew_when_the_costs_have_changed(self, stage, monkeypatch):
        person, _ = welcome(stage, "ada")
        dearer = Passwords(PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))
        stage.app.state.passwords = dearer
        assert Browser(stage).sign_in("ada").status_code == 200
        with stage.service.database.reading() as session:
            digest = people.get_person(session, person).digest
        assert digest is not None
        assert "m=16,t=2" in digest
        assert not dearer.is_outdated(digest)
        assert Browser(stage).sign_in("ada").status_code == 200

    def test_holds_nobody_up_while_it_hashes(self, stage, monkeypatch):
        welcome(stage, "ada")
        database, check, opened = stage.service.database, stage.app.state.passwords.check, []

        def watched(begin: Callable[[], Any]) -> Callable[[], Any]:
            @contextlib.contextmanager
            def begin_watched() -> Iterator[Any]:
                with begin() as session:
                    opened.append(session)
                    yield session
                    opened.remove(session)

            return begin_watched

        monkeypatch.setattr(database, "reading", watched(database.reading))
        monkeypatch.setattr(database, "transaction", watched(database.transaction))

        def check_alone(*arguments: Any) -> bool:
            assert opened == []
            return bool(check(*arguments))

        monkeypatch.setattr(stage.app.state.passwords, "check", check_alone)
        assert Browser(stage).sign_in("ada").status_code == 200

    def test_fails_where_the_password_changed_meanwhile(self, stage, monkeypatch):
        person, _ = welcome(stage, "ada")
        check = stage.app.state.passwords.check

        def check_slowly(*arguments: Any) -> bool:
            with stage.service.database.transaction() as session:
                people.invite(session, person)
            return bool(check(*arguments))

        monkeypatch.setattr(stage.app.state.passwords, "check", check_slowly)
        assert Browser(stage).sign_in("ada").status_code == 401

    def test_is_counted_by_name(self, stage, monkeypatch):
        monkeypatch.setattr(stage.app.state.attempts, "limit", 3)
        addresses = (f"10.0.0.{number}" for number in range(99))
        monkeypatch.setattr("feedback_miner.web.sessions.address_of", lambda _: next(addresses))
        welcome(stage, "ada")
        statuses = [Browser(stage).sign_in(name, ANOTHER).status_code for name in ("ada", "ADA", " ada", "ada", "grace")]
        assert statuses == [401, 401, 401, 429, 401]
        assert Browser(stage).sign_in("ada").status_code == 429

    def test_is_counted_by_address(self, stage, monkeypatch):
        monkeypatch.setattr(stage.app.state.attempts, "limit", 3)
        browser = Browser(stage)
        answers = [browser.sign_in(f"name {number}") for number in range(3)]
        answers += [browser.enter("/v1/people/accept", token="fmi_unknown", password=PASSWORD)]
        assert [answer.status_code for answer in answers] == [401, 401, 401, 429]
        assert answers[3].headers["Retry-After"] == "60"
        monkeypatch.setattr("feedback_miner.web.access.time.time", lambda: MINUTE + 60)
        assert browser.sign_in("name 4").status_code == 401

    @pytest.mark.parametrize("path", ["/v1/session", "/v1/people/accept"])
    def test_reads_no_form_and_no_large_body(self, stage, path):
        http = Browser(stage).http
        assert http.post(path, data={"name": "ada", "password": PASSWORD}).status_code == 415
        assert http.post(path, json={"name": "ada", "password": "x" * (1 << 20)}).status_code == 413
        assert http.post(path, content=b"{", headers={"Content-Type": "application/json"}).status_code == 422


class TestOtherSites:
    @pytest.mark.parametrize(
        ("headers", "refused"),
        [
            ({}, False),
            ({"Sec-Fetch-Site": "same-origin", "Origin": "http://behind.a.proxy"}, False),
            ({"Sec-Fetch-Site": "none"}, False),
            ({"Sec-Fetch-Site": "same-site"}, True),
            ({"Sec-Fetch-Site": "cross-site"}, True),
            ({"Origin": ORIGIN}, False),
            ({"Origin": "HTTP://TEST"}, False),
            ({"Origin": "https://feedback.example.com"}, False),
            ({"Origin": "http://test.evil.example"}, True),
            ({"Origin": "http://test:8081"}, True),
            ({"Origin": "null"}, True),
        ],
    )
    def test_change_nothing_and_sign_nobody_in(self, stage, monkeypatch, headers, refused):
        _, browser = welcome(stage, "ada", "admin")
        monkeypatch.setattr(stage.service, "settings", replace(stage.service.settings, public_url="https://feedback.example.com"))
        changed = browser.ask("POST", "/v1/projects", json={"name": "theirs"}, headers=headers)
        entered = Browser(stage).http.post("/v1/session", json={"name": "ada", "password": PASSWORD}, headers=headers)
        if refused:
            assert (changed.status_code, entered.status_code) == (403, 403)
            assert "another site" in changed.json()["detail"]
        else:
            assert (changed.status_code, entered.status_code) == (201, 200)

    def test_do_not_matter_to_a_key(self, stage):
        assert stage.ask("POST", "/v1/projects", json={"name": "ours"}, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 201


class TestASession:
    def test_ends_with_signing_out(self, stage):
        _, browser = welcome(stage, "ada")
        answer = browser.ask("DELETE", "/v1/session", headers={CSRF_HEADER: "wrong"})
        assert answer.status_code == 403
        token = browser.http.cookies[COOKIE]
        assert browser.ask("DELETE", "/v1/session").status_code == 204
        assert COOKIE not in browser.http.cookies
        assert stage.ask("GET", "/v1/session", None, headers={"Cookie": f"{COOKIE}={token}"}).status_code == 401

    def test_ends_with_its_person(self, stage):
        person, browser = welcome(stage, "ada")
        assert browser.ask("GET", "/v1/projects").status_code == 200
        assert stage.ask("DELETE", f"/v1/people/{person}").status_code == 204
        assert browser.ask("GET", "/v1/projects").status_code == 401
        assert Browser(stage).sign_in("ada").status_code == 401
        assert stage.ask("DELETE", f"/v1/people/{person}").status_code == 404

    def test_goes_on_with_a_new_password_and_all_others_end(self, stage):
        _, browser = welcome(stage, "ada")
        other = Browser(stage)
        other.sign_in("ada")
        change = {"current": PASSWORD, "password": ANOTHER}
        assert browser.ask("PUT", "/v1/session/password", json=change | {"current": ANOTHER}).status_code == 403
        assert browser.ask("PUT", "/v1/session/password", json=change | {"password": "short"}).status_code == 422
        changed = browser.ask("PUT", "/v1/session/password", json=change)
        assert changed.status_code == 200
        assert browser.ask("GET", "/v1/session").json()["csrf_token"] == changed.json()["csrf_token"] != browser.csrf
        assert other.ask("GET", "/v1/session").status_code == 401
        assert Browser(stage).sign_in("ada").status_code == 401
        assert Browser(stage).sign_in("ada", ANOTHER).status_code == 200

    def test_is_no_way_to_guess_the_password(self, stage, monkeypatch):
        _, browser = welcome(stage, "ada")
        monkeypatch.setattr(stage.app.state.attempts, "limit", 2)
        wrong = {"current": ANOTHER, "password": ANOTHER}
        assert [browser.ask("PUT", "/v1/session/password", json=wrong).status_code for _ in range(3)] == [403, 403, 429]

    def test_follows_its_persons_role_at_once(self, stage):
        person, browser = welcome(stage, "ada", "viewer")
        project = stage.new_project()
        upload = {"json": {"items": [{"text": "late again"}]}}
        assert browser.ask("POST", f"/v1/projects/{project}/batches", **upload).status_code == 403
        assert stage.ask("PATCH", f"/v1/people/{person}", json={"role": "analyst"}).json()["role"] == "analyst"
        assert browser.ask("POST", f"/v1/projects/{project}/batches", **upload).status_code == 202
        changed = stage.ask("PATCH", f"/v1/people/{person}", json={"role": None, "grants": {project: "viewer"}}).json()
        assert (changed["role"], changed["grants"]) == (None, {project: "viewer"})
        assert browser.ask("POST", f"/v1/projects/{project}/batches", **upload).status_code == 403
        assert browser.ask("GET", f"/v1/projects/{project}").status_code == 200
        assert stage.ask("PATCH", f"/v1/people/{person}", json={}).json() == stage.ask("GET", "/v1/people").json()["items"][0]
        assert stage.ask("PATCH", f"/v1/people/{person}", json={"grants": {}}).json()["grants"] == {}
        assert browser.ask("GET", f"/v1/projects/{project}").status_code == 403
        assert browser.ask("GET", "/v1/session").status_code == 200

    def test_shows_its_person_their_own_projects_alone(self, stage):
        ours, also, theirs = (stage.new_project(name) for name in ("ours", "also", "theirs"))
        _, browser = welcome(stage, "ada", None, {ours: "viewer", also: "analyst"})
        listed = browser.ask("GET", "/v1/projects").json()["items"]
        assert {project["id"] for project in listed} == {ours, also}
        me = browser.ask("GET", "/v1/session").json()
        assert (me["role"], me["scopes"], me["grants"]) == (None, [], {ours: "viewer", also: "analyst"})
        assert me["projects"][also] == ["classify", "ingest", "read", "review"]
        unknown = browser.ask("GET", "/v1/projects/prj_none").json()["detail"]
        assert browser.ask("GET", f"/v1/projects/{theirs}").json()["detail"] == unknown.replace("prj_none", theirs)
        job = stage.ask("POST", f"/v1/projects/{theirs}/batches", json={"items": [{"text": "late again"}]}).json()["job"]
        assert browser.ask("GET", f"/v1/jobs/{job}").json()["detail"] == f"there is no job {job!r}"

    def test_counts_as_one_with_its_persons_others(self, stage, monkeypatch):
        _, browser = welcome(stage, "ada")
        other = Browser(stage)
        other.sign_in("ada")
        first = int(browser.ask("GET", "/v1/session").headers["RateLimit-Remaining"])
        assert int(other.ask("GET", "/v1/session").headers["RateLimit-Remaining"]) == first - 1

    def test_is_who_the_audit_names(self, stage):
        person, browser = welcome(stage, "ada", "analyst")
        browser.ask("POST", "/v1/projects", json={"name": "hers"})
        browser.ask("DELETE", "/v1/session")
        audit = stage.ask("GET", "/v1/audit", params={"limit": 500}).json()["items"]
        assert [row["action"] for row in audit if row["actor"] == person] == ["accept invitation", "create project", "sign out"]
        assert [row["action"] for row in audit if row["subject"] == person] == ["create person"]

    def test_reads_without_writing(self, stage, monkeypatch):
        _, browser = welcome(stage, "ada")
        monkeypatch.setattr(stage.service.database, "transaction", lambda: pytest.fail("a reader waits for a writer"))
        assert browser.ask("GET", "/v1/projects").status_code == 200


class TestAKey:
    def test_may_ask_who_it_is(self, stage):
        project = stage.new_project()
        me = stage.ask("GET", "/v1/session", stage.key("read", "ingest", project=project)).json()
        assert (me["name"], me["role"], me["csrf_token"], me["expires_at"]) == ("test", None, None, None)
        assert (me["scopes"], me["projects"]) == ([], {project: ["ingest", "read"]})

    @pytest.mark.parametrize(("method", "path"), [("DELETE", "/v1/session"), ("PUT", "/v1/session/password")])
    def test_has_no_session_to_end(self, stage, method, path):
        options = {"json": {"current": PASSWORD, "password": ANOTHER}} if method == "PUT" else {}
        assert stage.ask(method, path, **options).status_code == 403
        assert stage.ask(method, path, None, **options).status_code == 401

    def test_that_is_unknown_may_be_tried_so_often(self, stage, monkeypatch):
        monkeypatch.setattr(stage.app.state.strangers, "limit", 2)
        answers = [stage.ask("GET", "/v1/projects", f"fm_{number}") for number in range(3)]
        answers.append(stage.ask("GET", "/v1/projects", None, headers={"Cookie": f"{COOKIE}=unknown"}))
        assert [answer.status_code for answer in answers] == [401, 401, 429, 429]
        assert answers[2].headers["Retry-After"] == "60"
        assert stage.ask("GET", "/v1/projects").status_code == 200  # those who share the address go on

    def test_for_customers_own_keys_is_made_by_name_and_stands_in_the_audit(self, stage):
        project = stage.new_project()
        path = f"/v1/projects/{project}/customers"
        assert stage.ask("GET", path).status_code == 403
        made = stage.ask("POST", "/v1/keys", json={"name": "call-backs", "scopes": ["contact"], "project": project}).json()
        assert stage.ask("GET", path, made["key"]).status_code == 404  # let in, where nothing is mined yet
        assert stage.ask("GET", f"/v1/projects/{project}", made["key"]).status_code == 403
        audit = stage.ask("GET", "/v1/audit", params={"limit": 500}).json()["items"]
        assert [row["action"] for row in audit if row["subject"] == made["id"]] == ["create key with contact"]

    def test_made_by_the_admin_of_some_projects_is_for_one_of_them(self, stage):
        ours, also, theirs = (stage.new_project(name) for name in ("ours", "also", "theirs"))
        _, browser = welcome(stage, "ada", None, {ours: "admin", also: "admin", theirs: "viewer"})
        wanted = {"name": "hers", "scopes": ["read"]}
        unnamed = browser.ask("POST", "/v1/keys", json=wanted)
        assert unnamed.status_code == 422
        assert ours in unnamed.json()["detail"]
        assert browser.ask("POST", "/v1/keys", json=wanted | {"project": theirs}).status_code == 403
        made = browser.ask("POST", "/v1/keys", json=wanted | {"project": also}).json()
        with stage.service.database.transaction() as session:
            access.add_key(session, "of theirs", ["read"], project=theirs)
        assert [key["id"] for key in browser.ask("GET", "/v1/keys").json()["items"]] == [made["id"]]
        assert {row["project"] for row in browser.ask("GET", "/v1/audit").json()["items"]} == {ours, also}


class TestPeople:
    def test_are_listed_in_pages(self, stage):
        names = {invite(stage, f"somebody {number}")["name"] for number in range(5)}
        first = stage.ask("GET", "/v1/people", params={"limit": 3}).json()
        second = stage.ask("GET", "/v1/people", params={"limit": 3, "cursor": first["next"]}).json()
        assert {row["name"] for row in first["items"] + second["items"]} == names
        assert second["next"] is None
        assert "token" not in str(first)

    def test_have_names_of_their_own(self, stage):
        invite(stage, "Ada")
        answer = stage.ask("POST", "/v1/people", json={"name": " ADA"})
        assert answer.status_code == 409
        assert "'ada' already" in answer.json()["detail"]

    @pytest.mark.parametrize(
        ("wrong", "status"),
        [
            ({"name": " "}, 422),
            ({"name": "a\nb"}, 422),
            ({"role": "owner"}, 422),
            ({"grants": {"prj_none": "viewer"}}, 404),
            ({"grants": {"no id": "viewer"}}, 422),
            ({"grants": {"prj_none": "owner"}}, 422),
            ({"password": PASSWORD}, 422),
        ],
    )
    def test_that_cannot_be_are_refused(self, stage, wrong, status):
        answer = stage.ask("POST", "/v1/people", json={"name": "ada"} | wrong)
        assert answer.status_code == status, answer.text
        assert stage.ask("GET", "/v1/people").json()["items"] == []

    def test_keep_an_admin(self, stage):
        person, browser = welcome(stage, "ada", "admin")
        for answer in (
            browser.ask("DELETE", f"/v1/people/{person}"),
            browser.ask("PATCH", f"/v1/people/{person}", json={"role": "viewer"}),
        ):
            assert answer.status_code == 409
            assert "make somebody else an admin first" in answer.json()["detail"]
        welcome(stage, "grace", "admin")
        assert browser.ask("PATCH", f"/v1/people/{person}", json={"role": "viewer"}).status_code == 200
        assert browser.ask("GET", "/v1/people").status_code == 403

    def test_that_are_not_there_are_not_found(self, stage):
        for method, path, options in (
            ("PATCH", "/v1/people/per_none", {"json": {"role": "viewer"}}),
            ("PATCH", "/v1/people/per_none", {"json": {"role": "admin"}}),
            ("DELETE", "/v1/people/per_none", {}),
            ("POST", "/v1/people/per_none/invitations", {}),
        ):
            assert stage.ask(method, path, **options).status_code == 404


class TestPasswords:
    def test_are_one_however_their_letters_are_composed(self):
        passwords = Passwords(QUICK_HASHER)
        digest = passwords.hash("crème brûlée, twice")
        assert passwords.check(digest, "cre\u0300me bru\u0302le\u0301e\uff0c twice")
        assert not passwords.check(digest, "creme brulee, twice")
        assert not passwords.check("no digest", "crème brûlée, twice")
        assert not passwords.check(None, "crème brûlée, twice")

    def test_are_hashed_in_turn_and_not_by_all_at_once(self):
        passwords = Passwords(QUICK_HASHER, queue=1)
        with passwords._one_at_a_time(), pytest.raises(RefusalError) as refused:
            passwords.check(None, PASSWORD)
        assert refused.value.status == 503
        assert "Retry-After" in refused.value.headers
        assert passwords.check(passwords.hash(PASSWORD), PASSWORD)

    def test_cost_what_the_library_recommends(self):
        assert "$argon2id$v=19$m=65536,t=3,p=4$" in Passwords()._nobody
        assert not Passwords().is_outdated(Passwords()._nobody)

    def test_are_not_the_name(self):
        assert check_password("ada lovelace 1", "ada lovelace") == "ada lovelace 1"


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("a socket", "a socket"),
    ],
)
def test_an_address_is_what_one_caller_has(host, address):
    assert address_of(Request({"type": "http", "client": (host, 1)})) == address
    assert address_of(Request({"type": "http", "client": None})) == ""
