"""Bytes from anywhere: opened, spooled, unpacked and recognised.

Comes in: a path or a binary stream. Goes out: ``Source``, bytes that can be opened again and again, and the ``FileKind`` that the
bytes themselves show. Never trusts a file's extension against its bytes, and never decompresses without a limit.
"""

import gzip
import hashlib
import io
import os
import re
import stat
import tempfile
import weakref
import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from feedback_miner.errors import FileFormatError, InputError

__all__ = ["FileKind", "Source", "check_unpacked", "looks_utf16", "open_path", "sniff", "spool", "spool_chunks"]

MAX_RATIO = 200
"""Unpacked bytes per packed byte. Feedback packs 3-30 to 1; a decompression bomb a thousand to 1."""
FREE_BYTES = 64 * 2**20
"""Below this size no ratio is suspicious: a small file of equal rows packs very well."""
MAX_BYTES = 64 * 2**30

_CHUNK = 1 << 20
_HEAD = 1 << 16
_CONTROLS = bytes(code for code in range(32) if code not in b"\x00\t\n\r\x0b\x0c\x1a\x1b") + b"\x7f"
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_FOREIGN = {
    b"%PDF": "a PDF",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"7z\xbc\xaf": "a 7z archive; unpack it",
    b"Rar!": "a RAR archive; unpack it",
    b"\x28\xb5\x2f\xfd": "a zstd archive; unpack it",
    b"BZh": "a bzip2 archive; unpack it",
    b"\xfd7zXZ": "an xz archive; unpack it",
    b"ARROW1": "an Arrow file; save it as Parquet",
    b"SQLite format 3": "a database; export a table as CSV",
    b"\x7fELF": "a program",
    b"MZ\x90": "a program",
}
_MARKUP = re.compile(rb"\s*<(?:!doctype|html|head|table|meta|\?xml)", re.IGNORECASE)


class FileKind(StrEnum):
    """What a file is, by its bytes; its extension only decides between text formats."""

    DELIMITED = "delimited"
    LINES = "lines"
    JSON = "json"
    JSONL = "jsonl"
    SHEETS = "sheets"
    PARQUET = "parquet"


@dataclass(frozen=True, slots=True)
class Source:
    """A file on disk, whoever put it there. ``close`` deletes it where we did."""

    path: Path
    name: str
    """For messages and results: the file's name without its folder."""
    sha256: str
    """Of the bytes as they came, packed or not."""
    packed: bool
    close: Callable[[], object] = field(default=lambda: None, compare=False)

    def open(self) -> BinaryIO:
        """Open the unpacked bytes from their start."""
        try:
            stream = self.path.open("rb")
        except OSError as error:
            raise InputError(f"{self.name} cannot be read: {error.strerror or error}") from error
        if not self.packed:
            return stream
        return cast(BinaryIO, io.BufferedReader(_LimitedGzip(stream, self.path.stat().st_size, self.name), _CHUNK))

    @property
    def extension(self) -> str:
        """Lower case, without the dot and without ``.gz``; empty where there is none."""
        stem = self.name[:-3] if self.packed and self.name.lower().endswith(".gz") else self.name
        return Path(stem).suffix.lower().removeprefix(".")


class _LimitedGzip(io.RawIOBase):
    """Unpacks gzip and stops at a bomb or a torn end with an error that a user can act on."""

    def __init__(self, stream: IO[bytes], packed_bytes: int, name: str) -> None:
        self._stream = stream
        self._unpacked = gzip.GzipFile(fileobj=stream)
        self._limit = min(max(FREE_BYTES, packed_bytes * MAX_RATIO), MAX_BYTES)
        self._name = name
        self._seen = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            chunk = self._unpacked.read(len(buffer))
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise FileFormatError(f"{self._name} is torn or damaged: its gzip data ends or breaks in the middle; send it again") from error
        self._seen += len(chunk)
        if self._seen > self._limit:
            raise FileFormatError(
                f"{self._name} unpacks to more than {self._limit:,} bytes, {MAX_RATIO} times its size or more: "
                "no feedback packs that well; unpack it yourself and pass the plain file if it is genuine"
            )
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def close(self) -> None:
        self._unpacked.close()
        self._stream.close()
        super().close()


def open_path(path: Path) -> Source:
    """Open a file by its path; whatever is not a regular file (a pipe, say) is spooled first."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise InputError(f"{path} is a folder; pass one file of it")
        with path.open("rb") as stream:
            if not stat.S_ISREG(mode):
                return spool(stream, path.name)
            return _describe(path, path.name, stream)
    except FileNotFoundError as error:
        raise InputError(f"no such file: {path}") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error


def spool(stream: IO[bytes] | IO[str], name: str) -> Source:
    """Copy a stream into a private file (0600) that ``close``, or the end of the process, deletes."""

    def chunks() -> Iterable[bytes]:
        while chunk := stream.read(_CHUNK):
            yield chunk.encode("utf-8", "replace") if isinstance(chunk, str) else chunk

    return spool_chunks(chunks(), name)


def spool_chunks(chunks: Iterable[bytes], name: str) -> Source:
    """Write chunks of bytes into a private file (0600) that ``close``, or the end of the process, deletes."""
    handle, filename = tempfile.mkstemp(prefix="feedback-miner-")
    path = Path(filename)
    try:
        with os.fdopen(handle, "wb") as spooled:
            for chunk in chunks:
                spooled.write(chunk)
        with path.open("rb") as stream:
            source = _describe(path, name, stream)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    token = _Spooled()
    remove = weakref.finalize(token, path.unlink, missing_ok=True)
    return Source(source.path, source.name, source.sha256, source.packed, _Remover(token, remove))


class _Spooled:
    """Whose end is the spool file's end."""

    __slots__ = ("__weakref__",)


@dataclass(frozen=True, slots=True)
class _Remover:
    token: _Spooled
    remove: Callable[[], object]

    def __call__(self) -> object:
        return self.remove()


def _describe(path: Path, name: str, stream: IO[bytes]) -> Source:
    digest = hashlib.sha256()
    head = stream.read(_HEAD)
    if not head:
        raise FileFormatError(f"{name} is empty (0 bytes)")
    chunk = head
    while chunk:
        digest.update(chunk)
        chunk = stream.read(_CHUNK)
    return Source(path, name, digest.hexdigest(), head.startswith(b"\x1f\x8b"))


def sniff(source: Source) -> FileKind:
    """Recognise a file by its bytes. Raises ``FileFormatError`` naming what it is where it is nothing to be mined."""
    with source.open() as stream:
        head = stream.read(_HEAD)
    if not head:
        raise FileFormatError(f"{source.name} is empty once unpacked")
    kind = _sniff_container(source, head)
    if kind is None:
        _refuse_foreign(source, head)
        return _sniff_text(source.extension, head)
    if source.packed:
        raise FileFormatError(f"{source.name}: only text formats are read from gzip; unpack it and pass the {kind.value} file")
    return kind


def _sniff_container(source: Source, head: bytes) -> FileKind | None:
    if head.startswith(b"PAR1"):
        return FileKind.PARQUET
    if head.startswith(_OLE):
        if not source.packed and _holds(source, "EncryptedPackage".encode("utf-16-le")):
            raise FileFormatError(f"{source.name} is protected by a password; open it, save it without one (or as CSV) and pass that")
        return FileKind.SHEETS
    if not head.startswith(b"PK\x03\x04"):
        return None
    if source.packed:
        return FileKind.SHEETS
    try:
        with zipfile.ZipFile(source.path) as archive:
            names = {name.lower() for name in archive.namelist()}
            check_unpacked(source, sum(entry.file_size for entry in archive.infolist()))
    except (zipfile.BadZipFile, OSError) as error:
        raise FileFormatError(f"{source.name} is torn or damaged: the workbook ends in the middle; save or send it again") from error
    if {"xl/workbook.xml", "xl/workbook.bin"} & names or {"mimetype", "content.xml"} <= names:
        return FileKind.SHEETS
    raise FileFormatError(f"{source.name} is a zip archive, not a workbook; unpack it and pass one file of it")


def check_unpacked(source: Source, unpacked_bytes: int) -> None:
    """Raise where a container would unpack to far more than it is: a bomb, not a file of answers."""
    limit = min(max(FREE_BYTES * 4, source.path.stat().st_size * MAX_RATIO), MAX_BYTES)
    if unpacked_bytes > limit:
        raise FileFormatError(f"{source.name} unpacks to more than {limit:,} bytes, far beyond its size; save it as CSV if it is genuine")


def _holds(source: Source, mark: bytes) -> bool:
    tail = b""
    with source.open() as stream:
        while chunk := stream.read(_CHUNK):
            if mark in tail + chunk:
                return True
            tail = chunk[-len(mark) :]
    return False


def _refuse_foreign(source: Source, head: bytes) -> None:
    for magic, what in _FOREIGN.items():
        if head.startswith(magic):
            raise FileFormatError(f"{source.name} is {what}; pass CSV, XLSX, JSON, Parquet or plain text")
    if _MARKUP.match(head):
        raise FileFormatError(
            f"{source.name} is a web page or XML whatever its extension; open it in a spreadsheet and save it as XLSX or CSV"
        )
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return
    nuls = head.count(0)
    if nuls > len(head) // 10 and not looks_utf16(head):
        raise FileFormatError(f"{source.name} is binary, not text; pass CSV, XLSX, JSON, Parquet or plain text")
    controls = len(head) - len(head.translate(None, _CONTROLS))
    if nuls <= len(head) // 10 and controls > max(16, len(head) // 50):
        raise FileFormatError(f"{source.name} is binary, not text (control characters); pass CSV, XLSX, JSON, Parquet or plain text")


def looks_utf16(head: bytes) -> bool:
    """UTF-16 without its mark: nearly all NULs are on one side of the pairs."""
    even, odd = head[::2].count(0), head[1::2].count(0)
    return max(even, odd) > 10 * min(even, odd) and max(even, odd) > len(head) // 6


def _sniff_text(extension: str, head: bytes) -> FileKind:
    if extension in {"jsonl", "ndjson"}:
        return FileKind.JSONL
    start = head.replace(b"\x00", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    if extension == "json" or extension not in {"csv", "tsv", "tab", "psv", "txt", "text"}:
        if start.startswith(b"[") and (extension == "json" or re.match(rb"\[\s*[\[{\"\]]", start)):
            return FileKind.JSON
        if start.startswith(b"{") and (extension == "json" or re.match(rb'\{\s*["}]', start)):
            return FileKind.JSON
    return FileKind.LINES if extension in {"txt", "text"} else FileKind.DELIMITED
