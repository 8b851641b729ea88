from dataclasses import replace

import pytest
from sqlalchemy import select
from test_opinions import CODINGS, DOCUMENTS, ITEMS, OPINIONS

from feedback_miner.store import findings, projects, responses
from feedback_miner.store.customers import add_customers, find_callers, load_callers, remove_unnamed, unknown_customers
from feedback_miner.store.opinions import OpinionFilter
from feedback_miner.store.tables import CustomerRow


@pytest.fixture
def named(database, project, batch):
    """Ann in two batches, Bob in one, somebody without a key; a key of Ann's is sealed."""
    with database.transaction() as session:
        second = projects.add_batch(session, project, source="b.csv", sha256="1" * 64, options={}).id
        for place, home in ((slice(0, 2), batch), (slice(2, 4), second)):
            items = ITEMS[place]
            rows = {item.id: item.row for item in items}
            responses.add_responses(session, project, home, items, rows, DOCUMENTS[place], OPINIONS[place])
        numbers = responses.load_opinions(session, project)[1]
        findings.save_codings(session, project, 1, dict(zip(numbers, CODINGS, strict=True)))
        add_customers(session, project, {"ann": b"sealed", "bob": b"also"})
    return second


def kept(database, project):
    with database.reading() as session:
        return sorted(session.scalars(select(CustomerRow.pseudonym).where(CustomerRow.project == project)))


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, {"ann": [0, 2], "bob": [1]}),
        ({"themes": ("t-1", "t-2")}, {"ann": [0, 2]}),
        ({"themes": ()}, {"bob": [1]}),
        ({"causes": ("late",)}, {"ann": [0]}),
        ({"scores": (0.0, 6.5)}, {"ann": [0], "bob": [1]}),
        ({"words": "nobody says this"}, {}),
    ],
)
def test_customers_are_found_by_what_they_said(database, project, named, asked, found):
    with database.reading() as session:
        callers = load_callers(session, project, OpinionFilter(**asked), find_callers(session, project, OpinionFilter(**asked)))
    assert {caller.pseudonym: [said.id for said in caller.spoken] for caller in callers} == {
        name: [OPINIONS[at].id for at in places] for name, places in found.items()
    }


def test_customers_come_page_by_page_with_their_key(database, project, named):
    with database.reading() as session:
        wanted = OpinionFilter()
        assert find_callers(session, project, wanted, limit=1) == ["ann"]
        assert find_callers(session, project, wanted, after="ann") == ["bob"]
        assert find_callers(session, project, wanted, after="bob") == []
        assert find_callers(session, "prj_of_somebody_else", wanted) == []
        assert load_callers(session, "prj_of_somebody_else", wanted, ["ann"]) == []
        first, second = load_callers(session, project, wanted, ["ann", "gone", "bob"])
    assert (first.pseudonym, first.sealed, second.pseudonym, second.sealed) == ("ann", b"sealed", "bob", b"also")
    assert (first.spoken[0].text, first.spoken[0].score) == (DOCUMENTS[0].text, ITEMS[0].score)


def test_only_unknown_customers_are_to_be_sealed(database, project, named):
    with database.reading() as session:
        assert unknown_customers(session, project, ["cid", "ann", "abe", "cid"]) == ["abe", "cid"]
        assert unknown_customers(session, "prj_of_somebody_else", ["ann"]) == ["ann"]


def test_a_key_goes_with_the_last_response_of_its_customer(database, project, batch, named):
    with database.transaction() as session:
        responses.remove_batch_responses(session, named)
    assert kept(database, project) == ["ann", "bob"]
    with database.transaction() as session:
        assert responses.delete_customer(session, project, "bob") == 1
    assert kept(database, project) == ["ann"]
    with database.transaction() as session:
        responses.remove_batch_responses(session, batch)
    assert kept(database, project) == []


def test_keys_of_other_projects_stay(database, project, named):
    with database.transaction() as session:
        other = projects.add_project(session, "other", {}).id
        home = projects.add_batch(session, other, source="a.csv", sha256="0" * 64, options={}).id
        item = replace(ITEMS[0], customer="ann")
        responses.add_responses(session, other, home, [item], {item.id: 2}, [], [])
        add_customers(session, other, {"ann": b"theirs", "gone": b"x"})
        remove_unnamed(session, other)
        assert responses.delete_customer(session, project, "ann") == 2
    assert kept(database, other) == ["ann"]
    assert kept(database, project) == ["bob"]
