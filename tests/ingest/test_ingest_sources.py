"""Bytes from anywhere: encodings, packing, spooling, and files that are not what they claim."""

import csv
import gzip
import hashlib
import io
import json
import os
import stat
import tempfile
import threading
import zipfile
from pathlib import Path

import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feedback_miner.errors import FileFormatError, InputError
from feedback_miner.ingest import Ingested, IngestOptions, read_feedback

CHINESE = ["物流太慢了，等了三天才收到", "客服态度很好，问题马上解决", "包装破损，希望改进质量"]
GERMAN = ["Die Lieferung war pünktlich und die Größe passt", "Leider zu teuer für diese Qualität", "Schöne Farbe, aber schlecht genäht"]


def texts(ingested: Ingested) -> list[str]:
    return [text for item in ingested.items() for _, text in item.texts]


def reasons(ingested: Ingested) -> str:
    return " / ".join(reason for _, reason in ingested.mapping.reasons)


def write_csv(path: Path, comments: list[str], encoding: str, header: str = "comment") -> Path:
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file).writerows([["id", header], *([str(number), comment] for number, comment in enumerate(comments, 1))])
    return path


@pytest.mark.parametrize(
    ("comments", "encoding"),
    [
        (CHINESE, "utf-8"),
        (CHINESE, "utf-8-sig"),
        (CHINESE, "utf-16"),
        (CHINESE, "utf-32"),
        (CHINESE, "gb18030"),
        (CHINESE, "gbk"),
        (["物流太慢了，等了三天才收到", "客服態度很好，問題馬上解決"], "big5"),
        (["配送がとても遅かったです", "スタッフの対応がよかった"], "cp932"),
        (["배송이 너무 늦었어요", "직원이 친절하고 좋았습니다"], "cp949"),
        (GERMAN, "cp1252"),
        (["Доставка опоздала на два дня", "Оператор ответил быстро и вежливо"], "cp1251"),
        (["plain words only here", "and here again"], "ascii"),
    ],
)
def test_read_feedback_finds_the_encoding(tmp_path: Path, comments: list[str], encoding: str) -> None:
    assert texts(read_feedback(write_csv(tmp_path / "a.csv", comments, encoding))) == comments


@pytest.mark.parametrize("byte_order", ["le", "be"])
def test_read_feedback_reads_utf16_without_its_mark(tmp_path: Path, byte_order: str) -> None:
    path = write_csv(tmp_path / "a.csv", GERMAN, f"utf-16-{byte_order}")
    assert texts(read_feedback(path)) == GERMAN


def test_read_feedback_reads_one_gbk_word(tmp_path: Path) -> None:
    ingested = read_feedback(write_csv(tmp_path / "a.csv", ["fine with me", "很好"], "gbk", header="评论"))
    assert texts(ingested) == ["fine with me", "很好"]
    assert "GB18030" in reasons(ingested)


def test_read_feedback_says_when_an_encoding_is_unsure(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"id,comment\n1,a na\xefve answer again\n2,nobody was there\n")
    ingested = read_feedback(path)
    assert texts(ingested)[0] == "a naïve answer again"
    assert "not sure; pass --encoding" in reasons(ingested)


def test_read_feedback_takes_the_users_word_for_an_encoding(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("id,comment\n1,zásilka přišla pozdě a rozbitá\n".encode("cp1250"))
    assert texts(read_feedback(path, options=IngestOptions(encoding="windows-1250"))) == ["zásilka přišla pozdě a rozbitá"]
    with pytest.raises(InputError, match="unknown encoding 'klingon'"):
        read_feedback(path, options=IngestOptions(encoding="klingon"))
    with pytest.raises(InputError, match="unknown encoding 'hex'"):
        read_feedback(path, options=IngestOptions(encoding="hex"))


def test_read_feedback_replaces_single_bad_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("id,comment\n1,很好 很满意的服务\n2,b".encode() + b"\xff" + "ad 不太好\n3,还可以的服务\n".encode())
    ingested = read_feedback(path)
    assert texts(ingested) == ["很好 很满意的服务", "b\ufffdad 不太好", "还可以的服务"]
    assert [(issue.row, issue.kept) for issue in ingested.issues] == [(3, True)]
    assert "UTF-8" in reasons(ingested)


def test_read_feedback_drops_nuls(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"id,comment\n1,late\x00 again today\n2,all was well here\n")
    ingested = read_feedback(path)
    assert texts(ingested) == ["late again today", "all was well here"]
    assert [(issue.row, "NUL" in issue.reason) for issue in ingested.issues] == [(2, True)]


def test_read_feedback_reads_gzip(tmp_path: Path) -> None:
    for name, content in (
        ("a.csv.gz", "id,comment\n1,too slow for me\n"),
        ("b.jsonl.gz", '{"comment": "too slow for me"}\n'),
        ("c.txt.gz", "too slow for me\n"),
    ):
        path = tmp_path / name
        path.write_bytes(gzip.compress(content.encode()))
        assert texts(read_feedback(path)) == ["too slow for me"]


def test_read_feedback_stops_at_a_gzip_bomb(tmp_path: Path) -> None:
    path = tmp_path / "bomb.csv.gz"
    with gzip.open(path, "wb") as file:
        file.write(b"id,comment\n")
        for _ in range(70):
            file.write(b"1,aaaaaaaa\n" * 100_000)
    with pytest.raises(FileFormatError, match="unpacks to more than"):
        read_feedback(path)


def test_read_feedback_refuses_a_torn_gzip(tmp_path: Path) -> None:
    path = tmp_path / "torn.csv.gz"
    packed = gzip.compress(b"id,comment\n" + os.urandom(5000).hex().encode())
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(FileFormatError, match="torn or damaged"):
        read_feedback(path)


def test_read_feedback_stops_at_a_workbook_bomb(tmp_path: Path) -> None:
    path = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", "x")
        with archive.open("xl/worksheets/sheet1.xml", "w") as sheet:
            for _ in range(300):
                sheet.write(b" " * 2**20)
    with pytest.raises(FileFormatError, match="unpacks to more than"):
        read_feedback(path)


def test_read_feedback_spools_a_stream_privately_and_deletes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    content = b"id,comment\n1,too slow for me\n2,very kind people\n"
    ingested = read_feedback(io.BytesIO(content))
    (spooled,) = tmp_path.iterdir()
    assert stat.S_IMODE(spooled.stat().st_mode) == 0o600
    assert texts(ingested) == ["too slow for me", "very kind people"]
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match="read already"):
        ingested.items()


def test_read_feedback_deletes_the_spool_of_a_stream_that_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ingested = read_feedback(io.StringIO("id,comment\n1,too slow for me\n"))
    assert len(list(tmp_path.iterdir())) == 1
    ingested.close()
    assert list(tmp_path.iterdir()) == []
    for stream in (io.BytesIO(b""), io.BytesIO(b"a,b\n"), io.BytesIO(b"%PDF-1.7")):
        with pytest.raises(InputError):
            read_feedback(stream)
    assert list(tmp_path.iterdir()) == []


def test_read_feedback_recognises_a_stream_by_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet().write_column(0, 0, ["comment", "too slow for me"])
    for content in (
        path.read_bytes(),
        b'[{"comment": "too slow for me"}]',
        b'{"comment": "too slow for me"}\n',
        gzip.compress(b"comment\ntoo slow for me\n", mtime=0),
    ):
        assert texts(read_feedback(io.BytesIO(content))) == ["too slow for me"]


def test_read_feedback_reads_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("id,comment\n1,too slow for me\n",))
    writer.start()
    assert texts(read_feedback(pipe)) == ["too slow for me"]
    writer.join()


def test_read_feedback_names_the_source_and_hashes_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "wave.csv"
    path.write_bytes(b"id,comment\n1,too slow for me\n")
    ingested = read_feedback(str(path))
    assert ingested.source == "wave.csv"
    assert ingested.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("empty.csv", b"", "empty"),
        ("blank.csv", b"\n\n  \n", "blank lines only"),
        ("header.csv", b"id,comment\n", "no rows under it"),
        ("picture.csv", b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "a picture"),
        ("noise.csv", bytes(range(1, 9)) * 40, "binary"),
        ("nuls.csv", b"ab\x00\x00\x00" * 200, "binary"),
        ("page.xls", b"<html><body><table>", "web page"),
        ("archive.xlsx", None, "zip archive"),
        ("torn.xlsx", b"PK\x03\x04" + b"x" * 50, "torn"),
        ("locked.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1000) + "EncryptedPackage".encode("utf-16-le"), "password"),
        ("torn.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(5000), "torn"),
        ("torn.parquet", b"PAR1" + bytes(100), "Parquet"),
        ("torn.json", b'[{"comment": "too slow"}, {"comm', "not valid JSON after record 1"),
        ("torn2.json", b'{"data": [{"comment": ', "not valid JSON"),
        ("two.json", b'{"a": [{"x": 1}], "b": [{"x": 1}]}', "2 arrays"),
        ("none.json", b"[]", "no records"),
        ("none.jsonl", b"nonsense\n", "no records"),
        ("packed.xlsx.gz", gzip.compress(b"PK\x03\x04" + b"x" * 50, mtime=0), "unpack it"),
        ("packed.csv.gz", gzip.compress(b"", mtime=0), "empty once unpacked"),
    ],
)
def test_read_feedback_refuses_what_holds_no_feedback(tmp_path: Path, name: str, content: bytes | None, says: str) -> None:
    path = tmp_path / name
    if content is None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.csv", "x")
    else:
        path.write_bytes(content)
    with pytest.raises(InputError, match=says) as caught:
        read_feedback(path)
    assert name in str(caught.value)


def test_read_feedback_refuses_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such file: nowhere\.csv"):
        read_feedback("nowhere.csv")
    with pytest.raises(InputError, match="is a folder"):
        read_feedback(tmp_path)
    with pytest.raises(InputError, match="characters is no path"):
        read_feedback("They never\ncalled back")
    with pytest.raises(InputError, match="cannot be read"):
        read_feedback("x" * 3000)
    for source in (b"bytes", {"comment": "x"}, 5, [], [1, 2], iter([]), iter([3])):
        with pytest.raises(InputError):
            read_feedback(source)
    path = write_csv(tmp_path / "a.csv", GERMAN, "utf-8")
    with pytest.raises(InputError, match="no sheets"):
        read_feedback(path, options=IngestOptions(sheet="One"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_read_feedback_says_when_it_may_not_read(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", GERMAN, "utf-8")
    path.chmod(0)
    with pytest.raises(InputError, match="cannot be read"):
        read_feedback(path)


@pytest.mark.parametrize("name", ["dump", "dump.log", "dump.xls", "dump.dat"])
def test_read_feedback_reads_text_under_any_extension(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("id\tcomment\n1\ttoo slow for me\n2\tvery kind people\n")
    assert texts(read_feedback(path)) == ["too slow for me", "very kind people"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.binary(max_size=200) | st.text(st.sampled_from('a1,;\t"\n\r{}[]: 好\x00\\'), max_size=200).map(str.encode),
    st.sampled_from(["csv", "txt", "json", "jsonl", "xlsx"]),
)
def test_read_feedback_reads_or_refuses_any_bytes(tmp_path: Path, content: bytes, extension: str) -> None:
    path = tmp_path / f"a.{extension}"
    path.write_bytes(content)
    try:
        ingested = read_feedback(path)
        count = sum(1 for _ in ingested.items())
    except InputError:
        return
    assert ingested.rows == count + sum(not issue.kept for issue in ingested.issues)


def test_errors_and_issues_never_echo_a_comment(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    secret = "my card number is a secret"
    path.write_text(
        "\n".join(
            [
                json.dumps({"comment": secret, "nps": secret, "date": secret}),
                f'{{"comment": "{secret}',
                json.dumps({"comment": "b", "nps": 7, "date": "2026-01-01"}),
            ]
            * 5
        )
    )
    ingested = read_feedback(path, options=IngestOptions(texts=("comment",), score="nps", score_kind="nps", date="date"))  # type: ignore[arg-type]
    assert len(list(ingested.items())) == 10
    assert ingested.rows == 15
    assert len(ingested.issues) == 15
    assert not any(secret[:12] in str(issue) for issue in ingested.issues)
    assert secret[:12] not in str(ingested.mapping)
