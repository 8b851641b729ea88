"""People, their links and their sessions, on both databases."""

import threading
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, text

from feedback_miner.errors import ConflictError, NotFoundError
from feedback_miner.store import people, projects
from feedback_miner.store.people_tables import GrantRow, InvitationRow, SessionRow


@pytest.fixture
def person(database) -> str:
    with database.transaction() as session:
        return people.add_person(session, "Ada", role="admin").id


@pytest.fixture
def clock(monkeypatch) -> list[datetime]:
    """The time, as the store of people reads it; what a test puts in its first place."""
    times = [projects.now()]
    monkeypatch.setattr(people, "now", lambda: times[0])
    return times


def accept(database, person: str) -> None:
    """Give a person a password."""
    with database.transaction() as session:
        people.accept_invitation(session, people.invite(session, person)[1], f"digest of {person}")


def sign_in(database, person: str) -> str:
    with database.transaction() as session:
        return people.open_session(session, person)[1]


def is_signed_in(database, token: str) -> bool:
    with database.reading() as session:
        return people.find_session(session, token) is not None


class TestNames:
    @pytest.mark.parametrize("typed", ["ada", "ADA", "  Ada ", "Ａｄａ"])
    def test_are_the_same_however_they_are_typed(self, database, person, typed):
        with database.transaction() as session:
            found = people.find_person(session, typed)
            assert found is not None
            assert found.id == person
            with pytest.raises(ConflictError, match="'ada' already"):
                people.add_person(session, typed, role=None)
            assert people.add_person(session, "grace", role=None).name == "grace"  # the transaction goes on

    def test_that_nobody_has_find_nobody(self, database, person):
        with database.reading() as session:
            assert people.find_person(session, "grace") is None
            with pytest.raises(NotFoundError, match="per_none"):
                people.get_person(session, "per_none")


class TestGrants:
    def test_are_replaced_whole(self, database, person, project):
        with database.transaction() as session:
            other = projects.add_project(session, "other", {}).id
            people.set_grants(session, person, {project: "viewer", other: "analyst"})
            assert people.grants_of(session, [person, "per_none"]) == {person: {project: "viewer", other: "analyst"}, "per_none": {}}
            people.set_grants(session, person, {other: "admin"})
            assert people.grants_of(session, [person]) == {person: {other: "admin"}}

    def test_in_no_project_are_refused(self, database, person):
        with pytest.raises(NotFoundError, match="prj_none"), database.transaction() as session:
            people.set_grants(session, person, {"prj_none": "viewer"})

    def test_go_with_their_project(self, database, person, project):
        with database.transaction() as session:
            people.set_grants(session, person, {project: "viewer"})
        with database.transaction() as session:
            session.delete(projects.get_project(session, project))
        with database.reading() as session:
            assert people.grants_of(session, [person]) == {person: {}}


class TestInvitations:
    def test_set_a_password_once(self, database, person):
        with database.transaction() as session:
            row, token = people.invite(session, person)
            assert token not in (row.digest, row.person)
        with database.transaction() as session:
            assert people.accept_invitation(session, token, "digest").id == person
        with database.transaction() as session:
            assert people.get_person(session, person).digest == "digest"
            assert people.find_invited(session, token) is None
            with pytest.raises(NotFoundError, match="ask an admin for another"):
                people.accept_invitation(session, token, "another")

    def test_end_after_three_days(self, database, person, clock):
        with database.transaction() as session:
            token = people.invite(session, person)[1]
        clock[0] += timedelta(hours=71)
        with database.reading() as session:
            assert people.find_invited(session, token) is not None
        clock[0] += timedelta(hours=1)
        with database.transaction() as session:
            assert people.find_invited(session, token) is None
            with pytest.raises(NotFoundError):
                people.accept_invitation(session, token, "digest")

    def test_end_what_was_before(self, database, person):
        accept(database, person)
        token = sign_in(database, person)
        with database.transaction() as session:
            first = people.invite(session, person)[1]
            second = people.invite(session, person)[1]
            assert people.get_person(session, person).digest is None
        assert not is_signed_in(database, token)
        with database.reading() as session:
            assert people.find_invited(session, first) is None
            assert people.find_invited(session, second) is not None

    def test_are_used_by_one_of_two_at_once(self, database, person):
        with database.transaction() as session:
            token = people.invite(session, person)[1]
        results: list[str] = []

        def use(digest: str) -> None:
            try:
                with database.transaction() as session:
                    people.accept_invitation(session, token, digest)
                results.append(digest)
            except NotFoundError:
                results.append("refused")

        with database.transaction() as session:  # both wait for this one, then for each other
            people.lock_person(session, person)
            threads = [threading.Thread(target=use, args=(digest,)) for digest in ("one", "two")]
            for thread in threads:
                thread.start()
        for thread in threads:
            thread.join()
        winner = next(result for result in results if result != "refused")
        assert sorted(results) == sorted(["refused", winner])
        with database.reading() as session:
            assert people.get_person(session, person).digest == winner


class TestSessions:
    def test_are_found_by_their_token_and_kept_without_it(self, database, person):
        token = sign_in(database, person)
        with database.reading() as session:
            found = people.find_session(session, token)
            assert found is not None
            assert found[1].id == person
            assert found[1].last_seen_at is not None
            assert token not in str(session.execute(text("SELECT * FROM sessions")).all())
            assert people.find_session(session, token[:-1]) is None

    def test_end_when_nobody_uses_them(self, database, person, clock):
        token = sign_in(database, person)
        clock[0] += timedelta(hours=12) - timedelta(seconds=1)
        assert is_signed_in(database, token)
        with database.transaction() as session:
            found = people.find_session(session, token)
            assert found is not None
            assert not people.was_seen_lately(found[0])
            people.note_session_use(session, found[0])
        clock[0] += timedelta(hours=11)
        assert is_signed_in(database, token)
        clock[0] += timedelta(hours=1)
        assert not is_signed_in(database, token)

    def test_end_after_a_week_of_use(self, database, person, clock):
        token = sign_in(database, person)
        for _ in range(14):
            assert is_signed_in(database, token)
            clock[0] += timedelta(hours=12) - timedelta(minutes=1)
            with database.transaction() as session:
                people.note_session_use(session, session.scalars(select(SessionRow)).one())
        clock[0] += timedelta(minutes=14)
        assert not is_signed_in(database, token)

    def test_that_are_over_are_forgotten_with_the_next(self, database, person, clock):
        sign_in(database, person)
        clock[0] += timedelta(hours=13)
        token = sign_in(database, person)
        with database.reading() as session:
            assert len(session.scalars(select(SessionRow)).all()) == 1
        assert is_signed_in(database, token)

    def test_end_one_by_one_or_with_the_password(self, database, person):
        one, two = sign_in(database, person), sign_in(database, person)
        with database.transaction() as session:
            people.close_session(session, one)
        assert not is_signed_in(database, one)
        assert is_signed_in(database, two)
        with database.transaction() as session:
            people.set_password(session, people.lock_person(session, person), "new")
        assert not is_signed_in(database, two)


class TestTheLastAdmin:
    def test_stays_an_admin(self, database, person):
        with database.transaction() as session:
            people.add_person(session, "viewer", role="viewer")
            with pytest.raises(ConflictError, match="'ada' is the last admin"):
                people.set_role(session, person, "viewer")
            with pytest.raises(ConflictError, match="'ada' is the last admin"):
                people.remove_person(session, person)
            people.set_role(session, person, "admin")
            assert people.get_person(session, person).role == "admin"

    def test_who_has_a_password_stays_one_beside_those_who_have_none(self, database, person):
        accept(database, person)
        with database.transaction() as session:
            other = people.add_person(session, "grace", role="admin").id
            with pytest.raises(ConflictError, match="last admin who can sign in"):
                people.remove_person(session, person)
        accept(database, other)
        with database.transaction() as session:
            people.remove_person(session, person)
            assert [row.id for row in people.list_admins(session)] == [other]

    def test_is_kept_when_two_step_back_at_once(self, database, person):
        with database.transaction() as session:
            other = people.add_person(session, "grace", role="admin").id
        accept(database, person)
        accept(database, other)
        refused = []

        def step_back() -> None:
            try:
                with database.transaction() as session:
                    people.set_role(session, other, None)
            except ConflictError:
                refused.append(other)

        thread = threading.Thread(target=step_back)
        with database.transaction() as session:
            people.set_role(session, person, None)
            thread.start()
        thread.join()
        assert refused == [other]
        with database.reading() as session:
            assert [row.id for row in people.list_admins(session)] == [other]


def test_nothing_is_left_of_who_is_removed(database, person, project):
    with database.transaction() as session:
        gone = people.add_person(session, "grace", role=None, grants={project: "viewer"}).id
        people.invite(session, gone)
    token = sign_in(database, gone)
    with database.transaction() as session:
        people.remove_person(session, gone)
    assert not is_signed_in(database, token)
    with database.reading() as session:
        for table in (GrantRow, SessionRow, InvitationRow):
            assert session.scalars(select(table)).all() == []
        assert people.find_person(session, "grace") is None


class TestTheFirstAdmin:
    def test_is_made_where_there_is_nobody_and_invited_until_somebody_comes(self, database):
        with database.transaction() as session:
            assert people.invite_first_admin(session, create=False) is None
            assert not people.has_people(session)
        with database.transaction() as session:
            invited = people.invite_first_admin(session, create=True)
            assert invited is not None
            assert invited[0] == "admin"
        with database.transaction() as session:
            again = people.invite_first_admin(session, create=False)
            assert again is not None
            assert again != invited
            assert people.find_invited(session, invited[1]) is None
            people.accept_invitation(session, again[1], "digest")
        with database.transaction() as session:
            assert people.invite_first_admin(session, create=True) is None
            assert len(people.list_people(session)) == 1

    def test_is_not_made_beside_others(self, database):
        with database.transaction() as session:
            people.add_person(session, "viewer", role="viewer")
            assert people.invite_first_admin(session, create=True) is None
            assert people.list_admins(session) == []


def test_people_come_in_pages(database):
    with database.transaction() as session:
        made = sorted(people.add_person(session, f"p{number}", role=None).id for number in range(5))
        first = [row.id for row in people.list_people(session, limit=3)]
        assert first == made[:3]
        assert [row.id for row in people.list_people(session, after=first[-1], limit=3)] == made[3:]
