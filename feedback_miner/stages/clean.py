"""Repair a raw text into the verbatim, and derive from a verbatim what machines compare.

In comes a text cell as it was exported; out comes the text that everything downstream quotes, aligned with what was sent. Beside it two
lossy forms of a verbatim that are never shown: ``matching_text`` for the encoder and lexical features, ``text_key`` to recognise
duplicates. It never rewords a verbatim: width, script, letter case, emoji and spelling stay as written.
"""

import re
import unicodedata
from functools import lru_cache
from html import unescape
from html.entities import html5
from itertools import groupby

import emoji
import ftfy
import opencc
from ftfy.badness import is_bad

from feedback_miner.aligned import AlignedText, Edit
from feedback_miner.stages.letters import drop_salutation

__all__ = ["clean_text", "is_repost", "matching_text", "text_key"]

# --- The verbatim -------------------------------------------------------------------------------------------------------------------

_NESTED_PASSES = 4
"""Entities inside tags inside entities: exports escape twice, hardly ever three times."""

_BLOCK_TAGS = (
    "article|aside|blockquote|body|br|center|dd|div|dl|dt|figure|footer|form|h[1-6]|head|header|hr|html|li|main|nav|ol|p|pre|section|table|"
    "tbody|tfoot|thead|title|tr|ul"
)
_CELL_TAGS = "td|th|option"
_INLINE_TAGS = (
    "a|abbr|acronym|address|audio|b|big|button|cite|code|col|colgroup|del|em|embed|fieldset|font|i|iframe|img|input|ins|kbd|label|legend|link|"
    "mark|meta|object|q|s|samp|script|select|small|source|span|strike|strong|style|sub|sup|svg|textarea|time|tt|u|var|video|wbr|[movwx]:[a-z]++"
)
_ATTRIBUTE = (
    r"(?:\s++(?:[a-z_:@][\w:.@-]*+\s*+=\s*+(?:\"[^\"<>]*+\"|'[^'<>]*+'|[^\s\"'<>=`]++)"
    r"|(?:async|autoplay|checked|controls|defer|disabled|hidden|loop|muted|nowrap|readonly|required|selected)\b))"
)
# No possessive groups: up to Python 3.11.4 they swallow what only half of them matches (https://github.com/python/cpython/issues/106052).
_MARKUP = re.compile(
    r"<(?:style|script)\b[^<>]*+>[^<]*+</(?:style|script)\s*+>"
    r"|<!--[^<>]*+(?:(?<=--)|(?<=\]))>|<!\[endif\](?:--)?>|<!doctype\b[^<>]*+>"
    rf"|</?(?:(?P<block>{_BLOCK_TAGS})|(?P<cell>{_CELL_TAGS})|(?P<image>img)|{_INLINE_TAGS})"
    r"(?=[\s/>])(?P<attributes>(?>" + _ATTRIBUTE + r"*))\s*+/?>"
    r"|&(?P<escapes>(?:(?:amp|\#0{0,6}38|\#x0{0,6}26);)*)(?P<entity>(?:[a-z][a-z0-9]{1,31}|\#[0-9]{1,8}|\#x[0-9a-f]{1,8});|nbsp(?![a-z0-9;=]))?",
    re.IGNORECASE,
)
_IMAGE_CODE = re.compile(r"\balt\s*=\s*[\"']?(\[[^\[\]\s\"'<>]{1,12}\])", re.IGNORECASE)

_SURROGATE = re.compile("[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff]")
_C1 = re.compile("[\x80-\x9f]")
_MAYBE_MOJIBAKE = re.compile("[\x80-\u052f\u2200-\u25ff]")
"""What a UTF-8 lead byte looks like in the single-byte code pages. Chinese text has none, and ftfy's own test is slow on it."""

_EMOJI = "\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u2460-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
_JOINED_SCRIPTS = "\u0600-\u0dff"
"""Arabic, Syriac and the Indic scripts: there a zero-width (non-)joiner is spelling."""
_INVISIBLE = (
    "\x00-\x08\x0e-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff"
    "\U000e0000-\U000e0fff"
)
_SPACE = " \t\u00a0\u1680\u2000-\u200a\u202f\u205f\u2800\u3000\u3164\uffa0"
_BREAK = "\n\r\x0b\x0c\u2028\u2029"
_BLANKS = re.compile(rf"[{_SPACE}{_BREAK}{_INVISIBLE}]++")
_BREAK_RUN = re.compile(rf"[{_BREAK}]")
_INVISIBLE_RUN = re.compile(rf"[{_INVISIBLE}]++")
_SPELLED_JOINER = re.compile(
    rf"(?<=[{_EMOJI}\ufe0f])\u200d(?=[{_EMOJI}])"
    rf"|(?<=[{_JOINED_SCRIPTS}])[\u200c\u200d](?=[{_JOINED_SCRIPTS}])"
    "|(?<=\U0001f3f4)[\U000e0020-\U000e007e]{1,8}\U000e007f"  # the flags of England, Scotland and Wales
)
_NON_ASCII_RUN = re.compile(r"[\x00-\x7f]?[^\x00-\x7f]++")


def clean_text(raw: str) -> AlignedText:
    """Repair ``raw``: mojibake, markup, entities, control and zero-width characters, white space, Unicode NFC. Cleaning twice = once.

    White-space runs become one space, or one ``\\n`` where they hold a line break; lone surrogates become U+FFFD.
    """
    aligned = AlignedText.of(raw)
    for _ in range(_NESTED_PASSES):
        cleaned = _clean_once(aligned)
        if cleaned.text == aligned.text:
            return cleaned
        aligned = cleaned
    # Only text built to be nasty, such as "<<<<<b>b>b>b>b>", gets here. Without openers nothing can nest, and all that is left to do
    # shortens the text or leaves it alone, so that the loop ends.
    aligned = aligned.replace([(place, place + 1, "") for place, character in enumerate(aligned.text) if character in "<&"])
    while (cleaned := _clean_once(aligned)).text != aligned.text:
        aligned = cleaned
    return aligned


def _clean_once(aligned: AlignedText) -> AlignedText:
    for find_edits in (_surrogate_edits, _mojibake_edits, _markup_edits, _blank_edits, _composition_edits):
        aligned = aligned.replace(find_edits(aligned.text))
    return aligned


def _surrogate_edits(text: str) -> list[Edit]:
    """Join surrogate pairs that a wrong decoder left apart; a lone half is lost for good."""
    return [
        (match.start(), match.end(), match[0].encode("utf-16-le", "surrogatepass").decode("utf-16-le") if len(match[0]) == 2 else "\ufffd")
        for match in _SURROGATE.finditer(text)
    ]


def _mojibake_edits(text: str) -> list[Edit]:
    """Undo wrong decoding, line by line, and within a line word by word where the words still correspond."""
    edits: list[Edit] = []
    if text.isascii() or not _MAYBE_MOJIBAKE.search(text):
        return edits
    start = 0
    for line in text.split("\n"):
        if _MAYBE_MOJIBAKE.search(line) and is_bad(line) and (fixed := ftfy.fix_encoding(line)) != line:
            edits += _word_edits(line, fixed, start)
        else:
            edits += [(start + match.start(), start + match.end(), _from_c1(match[0])) for match in _C1.finditer(line)]
        start += len(line) + 1
    return edits


def _from_c1(character: str) -> str:
    """Read a C1 control as what it nearly always was: a Windows-1252 quote, dash or ellipsis."""
    return character.encode("latin-1").decode("cp1252", "ignore")


def _word_edits(line: str, fixed: str, offset: int) -> list[Edit]:
    old, new = line.split(" "), fixed.split(" ")
    if len(old) != len(new):
        return [(offset, offset + len(line), fixed)]
    edits: list[Edit] = []
    for before, after in zip(old, new, strict=True):
        if before != after:
            edits.append((offset, offset + len(before), after))
        offset += len(before) + 1
    return edits


def _markup_edits(text: str) -> list[Edit]:
    """Drop tags and decode entities. Only real ones: "<3", "a < b", "<EMAIL>" and "R&D;" are text."""
    edits: list[Edit] = []
    if "<" not in text and "&" not in text:
        return edits
    for match in _MARKUP.finditer(text):
        replacement = _entity_text(match) if match[0].startswith("&") else _tag_text(match)
        if replacement != match[0]:
            edits.append((match.start(), match.end(), replacement))
    return edits


def _tag_text(match: re.Match[str]) -> str:
    if match[0] == "<ADDRESS>":  # a redaction placeholder that happens to be a tag's name
        return match[0]
    if match["block"]:
        return "\n"
    if match["image"] and (code := _IMAGE_CODE.search(match["attributes"])):
        return code[1]  # Weibo pages draw [泪] as a picture
    return " " if match["cell"] else ""


def _entity_text(match: re.Match[str]) -> str:
    """Decode an entity, however often its ampersand was escaped; an unknown name stays."""
    entity = match["entity"] or ""
    if entity == "" or entity.startswith("#") or entity in html5:
        return unescape("&" + entity)
    return unescape("&" + entity.lower()) if entity.lower() in html5 else "&" + entity


def _blank_edits(text: str) -> list[Edit]:
    """Drop what cannot be seen, make every white-space run one space or one line break, trim both ends."""
    edits: list[Edit] = []
    size = len(text)
    for match in _BLANKS.finditer(text):
        run = match[0]
        start, end = match.span()
        if start == 0 or end == size:
            replacement = ""
        elif run in {" ", "\n"}:
            continue
        elif _INVISIBLE_RUN.fullmatch(run):
            replacement = _joiners(text, start, end)
        else:
            replacement = "\n" if _BREAK_RUN.search(run) else " "
        if replacement != run:
            edits.append((start, end, replacement))
    return edits


def _joiners(text: str, start: int, end: int) -> str:
    """Return what of the invisible ``text[start:end]`` belongs to an emoji or to the spelling of a word."""
    kept: list[str] = []
    while start < end:
        match = _SPELLED_JOINER.match(text, start)
        kept.append(match[0] if match else "")
        start = match.end() if match else start + 1
    return "".join(kept)


def _composition_edits(text: str) -> list[Edit]:
    """Compose to NFC, one base character with its marks at a time, so that offsets stay exact."""
    if unicodedata.is_normalized("NFC", text):
        return []
    edits: list[Edit] = []
    for run in _NON_ASCII_RUN.finditer(text):
        if unicodedata.is_normalized("NFC", run[0]):
            continue
        start = run.start()
        for end in range(run.start() + 1, run.end() + 1):
            if end < run.end() and _is_attached(text[end]):
                continue
            composed = unicodedata.normalize("NFC", text[start:end])
            if composed != text[start:end]:
                edits.append((start, end, composed))
            start = end
    return edits


def _is_attached(character: str) -> bool:
    """Whether NFC may join this character to the one before: a mark, or a vowel or final of conjoining Hangul."""
    return unicodedata.category(character).startswith("M") or "\u1160" <= character <= "\u11ff" or unicodedata.combining(character) > 0


# --- What machines compare ----------------------------------------------------------------------------------------------------------

_HAN = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003134f]")
_WIDE_ASCII = {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)}
_NAME = r"(?:<[A-Z][A-Z_]*>|@[\w.·\-]{1,40})"
_REPOST = re.compile(
    rf"\A\s*(?:转发微博|轉發微博|repost\b|(?:转发|轉發)\s*(?:\Z|//|[:,。!@])|(?:fwd?|转发|轉發)\s*:)|(?<!\w)RT\s*:?\s*{_NAME}|//\s*{_NAME}"
    r"|\A\s*RT\s*:", re.IGNORECASE
)  # fmt: skip
_REPOST_MARK = re.compile(
    rf"\A\s*(?:(?:转发微博|轉發微博|repost\b|(?:转发|轉發)(?=\s*(?:\Z|//|[:,。!@]))|fwd?\s*:)[\s:,。!]*)|(?<!\w)RT\s*:?\s*{_NAME}\s*:?"
    rf"|//\s*{_NAME}\s*:?|\A\s*RT\s*:", re.IGNORECASE
)  # fmt: skip
_URL = re.compile(r"(?:https?://|www\.)[!#-;=?-Z_a-z~]++", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"<[A-Z][A-Z0-9_]{1,30}>")
_HANDLE = re.compile(r"(?<![\w@])@(?:[A-Za-z0-9_.·\-]{1,40}+(?![^\W\d_])|[\w·\-]{1,20}+(?=[\s:]|//|\Z))")
_TOPIC = re.compile(r"#([^#\s](?:[^#\n]{0,60}[^#\s])?)#")
_HASHTAG = re.compile(r"(?<![\w&])#(\w{1,80}+)")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|_+|(?<=[A-Za-z])(?=\d)")
_MEDIA_CODE = re.compile(
    r"\[(?:图片|圖片|照片|视频|視頻|语音|語音|链接|表情|动画表情|文件|位置|image|photo|video|sticker|gif)\]", re.IGNORECASE
)
_FACE_CODE = re.compile(r"(\[([\u4e00-\u9fff]{1,5}|[A-Z][a-z]{2,12})\])(?:\s*\1)*")
_EMOTICONS: tuple[tuple[str, str], ...] = (
    # (pattern over half-width text, the emoji whose name is spoken)
    (r"[(]?╯[^╯\w]{0,2}□[^╯\w]{0,2}[)]?\s?╯\s?(?:︵\s?┻━┻)?", "😡"),
    (r"</3", "💔"),
    (r"<3(?!\s*(?:\d|[.,]\d|%|个|天|小|分|年|days?\b|hours?\b|h(?:rs?)?\b|min|weeks?\b|months?\b|years?\b|stars?\b))", "❤️"),
    (r"(?<!\d)[:;=]['\"]?-?\(+(?!\w)|\)-?:(?!\w)", "🙁"),
    (r"(?<!\w):['’]\(", "😢"),
    (r"(?<!\d)[:=]-?\)+(?!\w)|\(:(?!\w)", "🙂"),
    (r"(?<!\d);-?\)(?!\w)", "😉"),
    (r"(?<!\w)[:=]-?D+\b|(?<!\w)X-?D+\b", "😀"),
    (r"(?<!\w):-?[\\/](?=\s|$)", "😕"),
    (r"(?<!\w):-?\|(?=\s|$)", "😐"),
    (r"(?<!\w):-?[pP]\b", "😛"),
    (r"[(]?\^[_\-.o]*\^[)]?;*", "😊"),
    (r"[(]?>[_\-.]+<[)]?", "😣"),
    (r"(?<!\w)[(]?(?:T_+T|T\.T|QAQ|Q_Q|;_+;)(?!\w)[)]?", "😭"),
    (r"(?<!\w)[(]?-_+-[)]?[|#]*", "😑"),
    (r"¯\\_\(ツ\)_/¯", "🤷"),
)
_EMOTICON = re.compile("|".join(f"(?P<e{place}>{pattern})" for place, (pattern, _) in enumerate(_EMOTICONS)))
_EMOJI_RUN = re.compile(
    rf"(?:[0-9#*]\ufe0f?\u20e3|[{_EMOJI}][\ufe0e\ufe0f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]*+(?:\u200d[{_EMOJI}][\ufe0f\U0001f3fb-\U0001f3ff]*+)*+)"
)
_EMOTICON_START = re.compile(r"[╯<>:;=()^TQX¯-]")
_SKIN = re.compile("[\U0001f3fb-\U0001f3ff]")
_REPEATED = re.compile(r"([^\W\d])\1{3,}|([^\w\s])\2{3,}")
_SPOKEN_LANGUAGES = frozenset(emoji.LANGUAGES)


@lru_cache(maxsize=1)
def _to_simplified() -> opencc.OpenCC:
    return opencc.OpenCC("t2s")


def is_repost(text: str) -> bool:
    """Tell whether ``text`` carries somebody else's words: ``RT @…``, ``转发微博``, ``…//@…``."""
    return _REPOST.search(text.translate(_WIDE_ASCII)) is not None


def matching_text(text: str, language: str) -> str:
    """Return what the encoder and lexical features see of ``text``; never shown, offsets not kept.

    Simplified characters, half-width forms, emoji and emoticons spoken in ``language``; without salutation, repost marks, links, handles
    and placeholders; drawn-out letters and punctuation folded to three.
    """
    result = drop_salutation(text).translate(_WIDE_ASCII)
    result = _URL.sub(" ", result)
    result = _REPOST_MARK.sub(" ", result)
    result = _HANDLE.sub(" ", _PLACEHOLDER.sub(" ", result))
    result = _HASHTAG.sub(_hashtag_words, _TOPIC.sub(r" \1 ", result))
    result = _FACE_CODE.sub(lambda match: f" {match[2].lower()} ", _MEDIA_CODE.sub(" ", result))
    result = _draw_emoticons(result)
    result = _speak_emoji(result, language if language in _SPOKEN_LANGUAGES else "en")
    result = unicodedata.normalize("NFKC", result)
    if language in {"zh", "und"} and _HAN.search(result):
        result = _to_simplified().convert(result)
    result = _REPEATED.sub(lambda match: match[0][:3], result)
    return " ".join(result.split())


def _hashtag_words(match: re.Match[str]) -> str:
    return f" {_HUMP.sub(' ', match[1])} "


def _draw_emoticons(text: str) -> str:
    """Replace emoticons by the emoji they stand for. Looking only where one can begin is ten times faster than ``_EMOTICON.sub``."""
    pieces: list[str] = []
    done = 0
    for start in _EMOTICON_START.finditer(text):
        if start.start() >= done and (match := _EMOTICON.match(text, start.start())):
            pieces += [text[done : match.start()], f" {_EMOTICONS[int((match.lastgroup or 'e0')[1:])][1]} "]
            done = match.end()
    return "".join([*pieces, text[done:]])


def _speak_emoji(text: str, language: str) -> str:
    """Replace each run of emoji by their names, equal neighbours spoken once."""
    pieces: list[str] = []
    spoken = ""
    done = 0
    for match in _EMOJI_RUN.finditer(text):
        between = text[done : match.start()]
        name = _emoji_name(_SKIN.sub("", match[0]), language)
        if between.strip():
            spoken = ""
        pieces.append(between)
        if name != spoken:
            pieces.append(f" {name} ")
        spoken, done = name, match.end()
    return "".join([*pieces, text[done:]])


@lru_cache(maxsize=4096)
def _emoji_name(symbol: str, language: str) -> str:
    """Name one emoji in words; a symbol without a name stands for itself."""
    name: str = emoji.demojize(symbol, language=language, delimiters=("", ""))
    return name.replace("_", " ").replace("-", " ")


def text_key(text: str) -> str:
    """Return the form by which duplicates are recognised: casefolded, simplified, without punctuation and white space; emoji stay.

    Empty where the text has no letter, digit or emoji.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    if _HAN.search(folded):
        folded = _to_simplified().convert(folded)
    return "".join("".join(run) for kept, run in groupby(folded, _is_keyed) if kept)


def _is_keyed(character: str) -> bool:
    return character.isalnum() or (unicodedata.category(character) in {"So", "Mn", "Mc"} and character not in "\ufe0e\ufe0f")
