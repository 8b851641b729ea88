"""Lines into records, and the dialect they are in."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_miner.domain import RowIssue
from feedback_miner.errors import FileFormatError
from feedback_miner.ingest import delimited
from feedback_miner.ingest.delimited import Dialect, Lines, read_records
from feedback_miner.ingest.dialect import find_layout, looks_like_sentence

CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)


def records(text: str, dialect: Dialect | None = None) -> tuple[list[tuple[int, list[str]]], list[RowIssue]]:
    issues: list[RowIssue] = []
    return list(read_records(Lines(io.StringIO(text, newline=""), "file"), dialect or Dialect(","), issues.append)), issues


@given(st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=8), st.sampled_from([",", ";", "\t", "|"]))
def test_read_records_returns_what_csv_wrote(rows: list[tuple[str, ...]], separator: str) -> None:
    rows = [("first", *row) for row in rows]  # a byte-order mark or a blank line at the start is no cell
    written = io.StringIO(newline="")
    csv.writer(written, delimiter=separator).writerows(rows)
    found, issues = records(written.getvalue(), Dialect(separator))
    assert [tuple(cells) for _, cells in found] == rows
    assert issues == []


@given(st.text(st.sampled_from('ab,"\n\r \\'), max_size=80), st.booleans())
def test_read_records_survives_any_quoting_and_loses_no_letter(text: str, escape: bool) -> None:
    found, _ = records(text, Dialect(",", escape=escape))
    letters = "".join(cell for _, cells in found for cell in cells)
    assert [sum(map(letters.count, "ab"))] == [sum(map(text.count, "ab"))]
    numbers = [row for row, _ in found]
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize(
    ("text", "rows", "reason"),
    [
        ('a,b\n1,"x\ny"\n2,z\n', [(1, ["a", "b"]), (2, ["1", "x\ny"]), (4, ["2", "z"])], None),
        ('a,b\n1,"never\n2,x\n3,y\n', [(1, ["a", "b"]), (2, ["1", '"never']), (3, ["2", "x"]), (4, ["3", "y"])], "never closed"),
        ('a,b\n1,"stray\n2,"fine"\n', [(1, ["a", "b"]), (2, ["1", '"stray']), (3, ["2", "fine"])], "never closed"),
        (
            'a,b,c\n1,"two\nlines","stray\n2,x,y\n',
            [(1, ["a", "b", "c"]), (2, ["1", "two\nlines", '"stray']), (4, ["2", "x", "y"])],
            "never closed",
        ),
        (
            'a,b,c\n1,"He said "no" to me",5\n2,x,3\n',
            [(1, ["a", "b", "c"]), (2, ["1", 'He said "no" to me', "5"]), (3, ["2", "x", "3"])],
            "not doubled",
        ),
        ('a,b\n1,5" pipe\n', [(1, ["a", "b"]), (2, ["1", '5" pipe'])], None),
        ("a,b\r1,2\r", [(1, ["a", "b"]), (2, ["1", "2"])], None),
        ("a,b\n\n  \n1,2", [(1, ["a", "b"]), (4, ["1", "2"])], None),
        ("a,b\n,\n", [(1, ["a", "b"]), (2, ["", ""])], None),
    ],
)
def test_read_records_mends_where_it_stands(text: str, rows: list[tuple[int, list[str]]], reason: str | None) -> None:
    found, issues = records(text)
    assert found == rows
    assert [issue.kept for issue in issues] == [True] * (reason is not None)
    assert reason is None or (reason in issues[0].reason and issues[0].row == 2)


def test_read_records_does_not_let_a_quote_swallow_the_rows_after_it() -> None:
    text = 'a,b\n1,"open\n' + "7,x\n" * 30 + '8,5"\n9,p\n'
    found, issues = records(text)
    assert len(found) == 34
    assert found[1] == (2, ["1", '"open'])
    assert found[-1] == (34, ["9", "p"])
    assert len(issues) == 1


def test_read_records_keeps_a_long_quoted_text_that_is_no_rows() -> None:
    text = 'id,text\n1,"' + "a line of a long letter\n" * 5000 + 'end"\n2,x\n'
    found, issues = records(text)
    assert [row for row, _ in found] == [1, 2, 5003]
    assert found[1][1][1].count("\n") == 5000
    assert issues == []


def test_read_records_takes_a_cell_of_two_megabytes() -> None:
    cell = "long " * 400_000
    found, issues = records(f'id,text\n1,"{cell}"\n2,{cell}\n')
    assert [len(cells[1]) for _, cells in found[1:]] == [2_000_000, 2_000_000]
    assert issues == []


def test_read_records_reads_backslashes_where_the_dialect_has_them() -> None:
    found, issues = records('a,b\n1,"say \\"hi\\", x\\n"\n', Dialect(",", escape=True))
    assert found[1] == (2, ["1", 'say "hi", x\\n'])
    assert issues == []


def test_read_records_drops_nuls_and_says_so() -> None:
    found, issues = records('a,b\n1,"x\x00\ny\x00"\n2,z\n')
    assert found[1] == (2, ["1", "x\ny"])
    assert [(issue.row, issue.kept) for issue in issues] == [(2, True), (2, True)]


def test_lines_refuse_a_line_without_end() -> None:
    with pytest.raises(FileFormatError, match="line 2"):
        records("a,b\n" + "x" * delimited.MAX_LINE)


@pytest.mark.parametrize("count", [20_000])
def test_read_records_is_linear_in_stray_quotes(count: int) -> None:
    """Would take minutes if each stray quote, or each cell of a line, looked through all that follows."""
    found, issues = records("a,b\n" + '1,"x\n' * count)
    assert len(found) == count + 1
    assert len(issues) == count
    found, _ = records('"a,' * count + "\n")
    assert len(found) == 1


@pytest.mark.parametrize(
    ("sample", "separator"),
    [
        ("a,b,c\n1,x,y\n", ","),
        ("a;b;c\n1;x, y;z\n2;p, q, r;s\n", ";"),
        ("a\tb, c\n1\tx\n2\ty, z\n", "\t"),
        ("a|b\n1|x, y\n2|z\n", "|"),
        ('id;note\n1;"two\nlines; here"\n', ";"),
        ("id,comment\n1,late, rude, lost\n2,fine\n3,ok\n", ","),
        ("a,b,c\n1,2,3,\n4,5,6,\n", ","),
        ("a,b\n", ","),
        ("sep=;\na;b\n1;2\n", ";"),
        ("comment\nLate, bad, rude\nok, fine\nfine\n", ""),
        ("comment\nfine\n", ""),
    ],
)
def test_find_layout_finds_the_separator(sample: str, separator: str) -> None:
    layout = find_layout(sample, extension="csv", plain_lines=False)
    assert layout.dialect.separator == separator
    assert layout.header


def test_find_layout_believes_an_extension_that_fits() -> None:
    sample = "a,b\tc\n1,2\t3\n"
    assert find_layout(sample, extension="tsv", plain_lines=False).dialect.separator == "\t"


def test_find_layout_sees_spaces_and_backslashes() -> None:
    assert find_layout('a, b\n1, "x, y"\n', extension="csv", plain_lines=False).dialect.skip_space
    assert find_layout('a,b\n1,"say \\"hi\\" x"\n', extension="csv", plain_lines=False).dialect.escape
    assert not find_layout('a,b\n1,"C:\\"\n', extension="csv", plain_lines=False).dialect.escape


def test_find_layout_takes_a_sentence_for_a_comment() -> None:
    layout = find_layout("Late delivery, and a rude driver.\nok\nbad, bad, bad\n", extension="csv", plain_lines=False)
    assert not layout.header
    assert "first line is a comment" in layout.notes[0][1]


def test_find_layout_reads_text_files_line_by_line_unless_tabs_cut_them() -> None:
    assert find_layout("a, b\nc, d\n", extension="txt", plain_lines=True).dialect == Dialect("", quoted=False)
    assert find_layout("id\ttext\n1\tx\n2\ty\n", extension="txt", plain_lines=True).dialect.separator == "\t"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("comment", False),
        ("Which reason stands behind your score?", False),
        ("您为什么给出这个评分？", False),
        ("用户评论", False),
        ("The parcel came late and nobody called me back about it, so I am rather cross", True),
        ("Never again!", False),
        ("I will never buy again!", True),
        ("物流太慢了，等了三天。", True),
    ],
)
def test_looks_like_sentence_tells_comments_from_names(text: str, sentence: bool) -> None:
    assert looks_like_sentence(text) is sentence
