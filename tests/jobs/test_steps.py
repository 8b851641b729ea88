import json

import pytest
from front_desk import Row, as_csv, comments
from sqlalchemy import event, func, select

import feedback_miner
from feedback_miner.corpus import read_corpus
from feedback_miner.errors import ColumnError, InputError
from feedback_miner.ingest import read_feedback
from feedback_miner.jobs import steps
from feedback_miner.jobs.claim import ClaimLost, JobCancelled, WorkerStopping, claim_job
from feedback_miner.jobs.forget import forget_customer
from feedback_miner.progress import report_to_nobody
from feedback_miner.report import findings_to_json
from feedback_miner.store import findings, projects, responses
from feedback_miner.store.tables import CodingRow, DocumentRow, OpinionRow, ResponseRow, VectorRow


def test_a_job_finds_what_mine_finds(desk, tmp_path):
    content = as_csv(comments(120))
    (tmp_path / "answers.csv").write_bytes(content)
    project = desk.add_project()
    job = desk.upload(project, content)
    key = desk.shop.pseudonym_key()
    desk.run(job)
    analysis = feedback_miner.mine(tmp_path / "answers.csv", config=desk.config)
    want = json.loads(findings_to_json(analysis.findings, analysis.run))
    got = desk.analysis(project)
    assert {name: got[name] for name in got if name != "items"} == {name: want[name] for name in got if name != "items"}
    assert len(key) == 32
    assert [item["id"] for item in got["items"]] == [item["id"] for item in want["items"]]
    assert not desk.shop.spool_path(desk.job(job).batch).exists()


def test_two_files_give_the_ids_that_one_file_of_both_gives(desk):
    rows = [*comments(60), *comments(20)[:10]]  # some rows once more, word for word
    together, apart = desk.add_project(), desk.add_project()
    desk.step("ingest", desk.upload(together, as_csv(rows)))
    for part in (rows[:30], rows[30:55], rows[55:]):
        desk.step("ingest", desk.upload(apart, as_csv(part)))
    with desk.database.reading() as session:
        assert _without_rows(responses.load_items(session, apart)) == _without_rows(responses.load_items(session, together))
        assert responses.load_documents(session, apart) == responses.load_documents(session, together)
        assert responses.load_opinions(session, apart)[0] == responses.load_opinions(session, together)[0]


def test_a_wave_that_says_nothing_new_gives_the_analysis_of_both_in_one_file(desk):
    rows = comments(80)
    together, apart = desk.add_project(), desk.add_project()
    desk.mine(together, [*rows, *rows, rows[0]])
    desk.mine(apart, rows)
    version = _theme_set(desk, apart)
    desk.mine(apart, [*rows, rows[0]])
    assert _theme_set(desk, apart) == version
    got, want = desk.analysis(apart), desk.analysis(together)
    assert [coding["sentiment"] for coding in got["codings"]] == [coding["sentiment"] for coding in want["codings"]]
    for name in ("items", "documents", "opinions", "counts", "score"):
        assert got[name] == want[name], name


def test_an_identical_response_gets_a_number_nobody_has_after_a_deletion(desk):
    project, row = desk.add_project(), comments(1)[0]
    desk.step("ingest", desk.upload(project, as_csv([row, row, row])))
    with desk.database.transaction() as session:
        first = session.scalars(select(ResponseRow).where(~ResponseRow.item.contains("-"))).one()
        session.delete(first)
    desk.step("ingest", desk.upload(project, as_csv([row, *comments(2, seed=9)])))
    with desk.database.reading() as session:
        numbers = sorted(item.id.partition("-")[2] for item in responses.load_items(session, project) if item.id.startswith(first.item))
    assert numbers == ["2", "3", "4"]


def test_a_second_wave_codes_only_what_is_new(desk):
    project = desk.add_project()
    desk.mine(project, comments(60))
    job = desk.upload(project, as_csv(comments(10, seed=5)))
    desk.step("ingest", job)
    while desk.step("encode", job, 0) is not None:
        pass
    with desk.database.reading() as session:
        number = findings.get_theme_set(session, project).number
        new = findings.count_uncoded(session, project, number)
        before = session.scalar(select(func.count()).select_from(CodingRow))
    written = _watch(desk, "INSERT INTO codings")
    desk.step("code", job)
    assert sum(written) == new
    with desk.database.reading() as session:
        assert findings.count_uncoded(session, project, number) == 0
        assert session.scalar(select(func.count()).select_from(CodingRow)) == before + new


@pytest.mark.parametrize("step", ["ingest", "mask", "encode", "themes", "code", "measure"])
def test_a_step_that_is_repeated_changes_nothing(desk, step):
    project = desk.add_project()
    job = desk.mine(project, comments(60))
    before, counts = desk.analysis(project), _counts(desk)
    with desk.database.transaction() as session:
        projects.get_job(session, job).state = "running"
    desk.step(step, job, *([0] if step == "encode" else []))
    assert (desk.analysis(project), _counts(desk)) == (before, counts)


@pytest.mark.parametrize(
    ("content", "kind", "reason"),
    [
        (b"", InputError, "survey-2026.csv is empty"),
        (b"a,b\n1,2\n3,4\n", ColumnError, "no column of survey-2026.csv looks like text"),
        (b"\x00\x01\x02\x03PNG" * 50, InputError, "survey-2026.csv"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_by_its_own_name(desk, content, kind, reason):
    job = desk.upload(desk.add_project(), content, source="survey-2026.csv")
    with pytest.raises(kind, match=reason) as caught:
        desk.step("ingest", job)
    assert desk.job(job).batch not in str(caught.value)


def test_an_upload_that_is_gone_is_asked_for_again(desk):
    job = desk.upload(desk.add_project(), as_csv(comments(3)))
    desk.shop.spool_path(desk.job(job).batch).unlink()
    with pytest.raises(InputError, match=r"the upload of answers\.csv is gone; upload it again"):
        desk.step("ingest", job)


def test_ingest_begins_anew_after_it_was_cut_off(desk, monkeypatch):
    monkeypatch.setattr(steps, "_CHUNK", 20)
    project = desk.add_project()
    job = desk.upload(project, as_csv(comments(70)))
    _break_at(desk, "INSERT INTO responses", 3)
    with pytest.raises(_CutError):
        desk.step("ingest", job)
    assert _counts(desk)["responses"] == 40
    desk.step("ingest", job)
    assert _counts(desk)["responses"] == 70


def test_what_was_read_half_way_goes_with_its_job(desk, monkeypatch):
    monkeypatch.setattr(steps, "_CHUNK", 20)
    job = desk.upload(desk.add_project(), as_csv(comments(70)))
    _break_at(desk, "INSERT INTO responses", 3)
    with pytest.raises(_CutError):
        desk.step("ingest", job)
    steps.abandon(claim_job(desk.shop, job), "failed", "a reason")
    assert _counts(desk)["responses"] == 0
    assert not desk.shop.spool_path(desk.job(job).batch).exists()
    assert (desk.job(job).state, desk.job(job).reason) == ("failed", "a reason")
    assert claim_job(desk.shop, job) is None


def test_a_job_that_was_abandoned_later_keeps_what_was_read(desk):
    job = desk.upload(desk.add_project(), as_csv(comments(20)))
    desk.step("ingest", job)
    steps.abandon(claim_job(desk.shop, job), "cancelled", None)
    assert _counts(desk)["responses"] == 20


def test_a_step_stops_where_somebody_asked_for_it(desk):
    job = desk.upload(desk.add_project(), as_csv(comments(20)))
    claim = claim_job(desk.shop, job)
    steps.ingest(claim)
    with desk.database.transaction() as session:
        assert projects.request_cancel(session, job).state == "cancelling"
    for step in (steps.mask, lambda claim: steps.encode(claim, 0)):
        with pytest.raises(JobCancelled):
            step(claim)


def test_a_step_stops_where_its_process_does(desk):
    claim = claim_job(desk.shop, desk.upload(desk.add_project(), as_csv(comments(20))))
    desk.shop.stopping.set()
    with pytest.raises(WorkerStopping):
        steps.ingest(claim)


def test_whoever_was_only_slow_writes_nothing_any_more(desk):
    job = desk.upload(desk.add_project(), as_csv(comments(20)))
    slow = claim_job(desk.shop, job)
    quick = claim_job(desk.shop, job)
    with pytest.raises(ClaimLost):
        steps.ingest(slow)
    assert _counts(desk)["responses"] == 0
    steps.ingest(quick)
    assert _counts(desk)["responses"] == 20
    with pytest.raises(ClaimLost):
        steps.abandon(slow, "failed", "from beyond")
    assert desk.job(job).state == "running"


@pytest.mark.parametrize("step", ["mask", "encode", "themes", "code", "measure"])
def test_a_deletion_meanwhile_makes_a_step_begin_again(desk, step):
    rows = [*comments(60, customers=5), ("The walrus in the lobby sang all night", "1", "walrus", "2026-01-10")]
    project = desk.add_project()
    job = desk.upload(project, as_csv(rows))
    for name in ("ingest", "mask", "encode", "themes", "code", "measure"):
        if name == step:
            break
        desk.step(name, job, *([0] if name == "encode" else []))
    claim = _DeletingClaim(claim_job(desk.shop, job), desk, project)
    getattr(steps, step)(claim, *([0] if step == "encode" else []))
    assert claim.deleted
    with desk.database.reading() as session:
        assert "walrus" not in " ".join(document.text for document in responses.load_documents(session, project))
        keys = {*session.scalars(select(OpinionRow.text_key)), *session.scalars(select(DocumentRow.text_key))} - {None}
        assert set(session.scalars(select(VectorRow.text_key))) <= keys
        assert set(session.scalars(select(CodingRow.opinion))) <= set(session.scalars(select(OpinionRow.id)))
        if step in {"themes", "code", "measure"}:
            assert b"walrus" not in findings.get_theme_set(session, project).description
        if step == "measure":
            assert "walrus" not in json.dumps(desk.analysis(project))


def test_statements_do_not_grow_with_rows(desk, monkeypatch):
    monkeypatch.setattr("feedback_miner.jobs.fitting._REPORT_EVERY", float("inf"))  # or they grow with the seconds it takes

    def count(rows: list[Row]) -> dict[str, int]:
        project = desk.add_project()
        job = desk.upload(project, as_csv(rows))
        counts = {}
        for name in ("ingest", "mask", "encode", "themes", "code", "measure"):
            seen = _watch(desk, "")
            desk.step(name, job, *([0] if name == "encode" else []))
            counts[name] = len(seen)
        return counts

    assert count(comments(95)) == count(comments(40))


@pytest.mark.parametrize("text", ["nul \x00 in it", "a smile \U0001f600 and a rare one \U00020bb7", "ein ﬁne\u200b Ｗide \u2028 line"])
def test_odd_characters_are_stored_as_they_are_read(desk, text):
    rows = [(f"The parcel came late {text}", "3", f"c {text}", "2026-01-10"), *comments(5)]
    project = desk.add_project()
    job = desk.upload(project, as_csv(rows))
    spool = desk.shop.spool_path(desk.job(job).batch)
    want = read_corpus(read_feedback(spool).items(), report_to_nobody, key=desk.shop.pseudonym_key())
    desk.step("ingest", job)
    with desk.database.reading() as session:
        assert responses.load_items(session, project) == want.items
        assert {document.id: document.text for document in responses.load_documents(session, project)} == {
            document.id: document.text for document in want.documents
        }
        assert responses.load_opinions(session, project)[0] == want.opinions


class _CutError(BaseException):
    """The power went."""


class _DeletingClaim:
    """A claim during whose first writing a customer is deleted by somebody else."""

    def __init__(self, claim, desk, project) -> None:
        self._claim, self._desk, self._project, self.deleted = claim, desk, project, 0

    def __getattr__(self, name):
        return getattr(self._claim, name)

    def writing(self, *, deletions=None):
        if deletions is not None and not self.deleted:
            self.deleted, _ = forget_customer(self._desk.shop, self._project, "walrus")
        return self._claim.writing(deletions=deletions)


def _break_at(desk, words: str, times: int) -> None:
    """Cut the power before the n-th statement with these words, once."""
    seen = [0]

    @event.listens_for(desk.database.engine, "before_cursor_execute")
    def watch(_connection, _cursor, statement, *_rest) -> None:
        seen[0] += words in statement
        if seen[0] == times:
            seen[0] += 1
            raise _CutError


def _watch(desk, words: str) -> list[int]:
    """Return a list that grows with each statement with these words, by the number of its rows."""
    seen: list[int] = []

    @event.listens_for(desk.database.engine, "before_cursor_execute")
    def watch(_connection, _cursor, statement, parameters, _context, many) -> None:
        if words in statement:
            seen.append(len(parameters) if many else 1)

    return seen


def _counts(desk) -> dict[str, int]:
    with desk.database.reading() as session:
        return {
            table.__tablename__: session.scalar(select(func.count()).select_from(table))
            for table in (ResponseRow, OpinionRow, CodingRow, VectorRow)
        }


def _theme_set(desk, project: str) -> str:
    with desk.database.reading() as session:
        return findings.get_theme_set(session, project).version


def _without_rows(items):
    return [(item.id, item.score, item.created_at, item.customer, item.channel, item.weight, item.attributes) for item in items]
