"""Bytes into characters.

Comes in: a ``Source``. Goes out: the codec its bytes are in, with a reason wherever that had to be guessed, and a text stream in
which each undecodable byte is the one character ``UNDECODABLE``. Never fails a file because of single bytes.

UTF-8 is proven over the whole file, not over its head. What is not UTF-8 is tried as Chinese in both scripts, then as Japanese and
Korean by how common the characters would be (statistical detectors call short GBK texts Korean or Mac Icelandic), and only then left
to charset-normalizer, restricted to the single-byte codecs that exports are really in.
"""

import codecs
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TextIO

from charset_normalizer import from_bytes

from feedback_miner.errors import InputError

from .source import Source, looks_utf16

__all__ = ["UNDECODABLE", "Encoding", "check_encoding", "find_encoding", "open_text"]

UNDECODABLE = "\udcff"
"""Marks an undecodable byte until its row is known; a lone surrogate, so no file can contain it. Rows hold U+FFFD instead."""

_HANDLER = "feedback_miner.mark"
_SAMPLE_BYTES = 1 << 18
_CHUNK = 1 << 20

_SIMPLIFIED = frozenset(
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方多经么去法学如"
    "都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十民第公此已工使情明性知全三又关点正业外将两高"
    "间由问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加西斯月话合回特代内信表化老给世位次度门任常先海通教儿原东声提立及比员解水"
    "名真论处走义各入几口认条平系气题活尔更别打女变四神总何电数安少报才结反受目太量再感建务做接必场件计管期市直德资命山金指克许统区保至队形社"
    "便空决治展马科司五基眼书非则听白却界达光放强即像难且权思王象完设式色路记南品住告类求据程北边死张该交规万取拉格望觉术领共确传师观清今切院"
    "让识候带导争运评价服务质量物流快递客户满意差慢售退换货商店态度建议反馈原因推荐序号提交答卷来源详题您请项选择分数日期渠道内容留言投诉联系"
)
_TRADITIONAL = frozenset(
    "的一是不了在人有我他這個們中來上大為和國地到以說時要就出會可也你對生能而子那得於著下自之年過發後作裡用道行所然家種事成方多經麼去法學如"
    "都同現當沒動面起看定天分還進好小部其些主樣理心她本前開但因只從想實日者意無力它與長把機十民第公此已工使情明性知全三又關點正業外將兩高間由"
    "問很最重並物手應向頭文體相見被利什二等產或新己制身果加西月話合回特代內信表化老給世位次度門任常先通教兒原東聲提立及比員解水名真論處走各入"
    "幾口認條平系氣題活更別打女變四總何電數安少報才結反受目太量再感建務做接必場件計管期市直資指許統區保至隊評價服質客戶滿差慢售退換貨商店態議"
)
_WESTERN = ("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "koi8_r", "iso8859_2", "iso8859_15")


@dataclass(frozen=True, slots=True)
class Encoding:
    """A codec, and one sentence on how it was found where that was a guess."""

    codec: str
    reason: str | None = None


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return UNDECODABLE, error.end


codecs.register_error(_HANDLER, _mark)


def open_text(source: Source, codec: str) -> TextIO:
    """Open a source as text whose line ends are kept as they are."""
    return io.TextIOWrapper(source.open(), encoding=codec, errors=_HANDLER, newline="")


def check_encoding(name: str) -> Encoding:
    """Take the user's word for an encoding, if there is such a one."""
    try:
        io.TextIOWrapper(io.BytesIO(), encoding=name).close()  # refuses codecs that are none for text, like hex
        codec = codecs.lookup(name).name
    except (LookupError, ValueError) as error:
        raise InputError(f"unknown encoding {name!r}; use one like utf-8, gb18030 or windows-1252") from error
    return Encoding("gb18030" if codec in {"gbk", "gb2312"} else codec)  # a superset of both


def find_encoding(source: Source) -> Encoding:
    """Find the codec of a text file from all of its bytes."""
    with source.open() as stream:
        head = stream.read(1 << 14)
    if mark := _byte_order_mark(head):
        return Encoding(mark)
    if looks_utf16(head):
        return Encoding(
            "utf-16-le" if head[1::2].count(0) > head[::2].count(0) else "utf-16-be", "read as UTF-16, which it does not declare"
        )
    valid, sample = _survey(source)
    if valid:
        return Encoding("utf-8")
    text = sample.decode("utf-8", _HANDLER)
    bad = text.count(UNDECODABLE)
    if sum(not char.isascii() for char in text) - bad >= max(bad, 1):
        return Encoding("utf-8", "read as UTF-8; bytes that are not were replaced, row by row")
    return _find_double_byte(sample) or _find_single_byte(sample)


def _byte_order_mark(head: bytes) -> str | None:
    for mark, codec in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF32_LE, "utf-32"),
        (codecs.BOM_UTF32_BE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
        (b"\x84\x31\x95\x33", "gb18030"),
    ):
        if head.startswith(mark):
            return codec
    return None


def _survey(source: Source) -> tuple[bool, bytes]:
    """(all of it is UTF-8, lines with bytes beyond ASCII from all over the file)."""
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    valid = True
    sample: list[bytes] = []
    room = _SAMPLE_BYTES
    for chunk in _chunks(source):
        if valid:
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError:
                valid = False
        if room > 0 and not chunk.isascii():
            share = min(room, _SAMPLE_BYTES // 8)
            for line in chunk.splitlines(keepends=True):
                if share > 0 and not line.isascii():
                    sample.append(line[:4096])
                    share -= len(sample[-1])
                    room -= len(sample[-1])
    if valid:
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            valid = False
    return valid, b"".join(sample)


def _chunks(source: Source) -> Iterator[bytes]:
    with source.open() as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


def _find_double_byte(sample: bytes) -> Encoding | None:
    for codec, name, common in (("gb18030", "GB18030", _SIMPLIFIED), ("big5hkscs", "Big5", _TRADITIONAL)):
        foreign = [char for char in sample.decode(codec, _HANDLER) if char > "\x7f"]
        ideographs = [char for char in foreign if "\u4e00" <= char <= "\u9fff"]
        known = sum(char in common for char in ideographs)
        if ideographs and known >= 0.2 * len(ideographs) and foreign.count(UNDECODABLE) <= 0.1 * len(foreign):
            sure = known >= 4
            return Encoding(codec, f"read as {name} by its characters" + ("" if sure else _UNSURE))
    for codec, name, first, last in (("cp932", "Shift-JIS", "\u3040", "\u30ff"), ("cp949", "EUC-KR", "\uac00", "\ud7a3")):
        foreign = [char for char in sample.decode(codec, _HANDLER) if char > "\x7f"]
        known = sum(first <= char <= last for char in foreign)
        if known >= 4 and known >= 0.3 * len(foreign) and foreign.count(UNDECODABLE) <= 0.1 * len(foreign):
            return Encoding(codec, f"read as {name} by its characters")
    return None


_UNSURE = ", which is not sure; pass --encoding if letters look wrong"


def _find_single_byte(sample: bytes) -> Encoding:
    matches = from_bytes(sample[: _SAMPLE_BYTES // 4], cp_isolation=list(_WESTERN), enable_fallback=False)
    best = matches.best()
    if best is None:
        return Encoding("cp1252", "read as windows-1252, for nothing fits its bytes well" + _UNSURE)
    fits = {match.encoding: match for match in matches}
    for match in matches:
        fits.update(dict.fromkeys(match.could_be_from_charset, match))
    western = fits.get("cp1252")
    # Bytes seldom tell windows-1252 from its Central European sister; by far more files are in the former.
    prefer = western is not None and western.chaos <= best.chaos + 0.02 and western.coherence >= best.coherence - 0.1
    best_codec = "cp1252" if prefer else best.encoding
    sure = len({str(match) for match in matches if match.chaos <= best.chaos + 0.02}) == 1
    name = best_codec.replace("cp12", "windows-12")
    return Encoding(best_codec, f"read as {name} by its bytes" + ("" if sure else _UNSURE))
