"""The exports of survey tools, recognised by their headers: Qualtrics, SurveyMonkey, Delighted, wjx and Tencent Wenjuan.

Comes in: the first rows of a table. Goes out: ``Header``: the columns' names, the questions behind them, how many rows the header
takes, which columns are the tool's own, and which role each of those plays. Never looks at the answers (columns.py does).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from feedback_miner.domain import ScoreKind

from .headers import word_set
from .tables import FILE

__all__ = ["Header", "name_columns", "read_header"]


def _is_response(_cells: Sequence[str]) -> str | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What the first rows of a table say about its columns."""

    names: tuple[str, ...]
    questions: tuple[str, ...]
    """What each column asks, where the tool says so; else its name."""
    rows: int = 1
    """Rows that are header, not data."""
    format: str = "plain"
    own: frozenset[str] = frozenset()
    """The tool's own columns: never texts, scores or attributes by a guess."""
    date: tuple[str, ...] = ()
    """Columns that hold the time of the answer, best first; likewise below. A column without values is passed over."""
    customer: tuple[str, ...] = ()
    channel: tuple[str, ...] = ()
    score: tuple[str, ...] = ()
    score_kind: ScoreKind | None = None
    """What the tool says the score is."""
    score_kind_column: str | None = None
    """The column in which it says so."""
    blanks: frozenset[str] = frozenset()
    """Cells that stand for no answer."""
    skip: Callable[[Sequence[str]], str | None] = field(default=_is_response, compare=False)
    """Why a row is no response, or ``None``."""
    notes: tuple[tuple[str, str], ...] = ()


_QUALTRICS_OWN = word_set(
    "startdate enddate status ipaddress progress duration durationinseconds finished recordeddate responseid recipientlastname"
    " recipientfirstname recipientemail externalreference externaldatareference locationlatitude locationlongitude distributionchannel"
    " userlanguage qrecaptchascore qduplicaterespondent"
    " qballotboxstuffing qrelevantidduplicate qrelevantidfraudscore qunansweredpercentage"
)
_SURVEYMONKEY_OWN = word_set(
    "respondentid collectorid datecreated datemodified startdate enddate ipaddress emailaddress firstname lastname"
    " customdata1 customdata customvalue"
)
_WJX_LEAD = ("序号", "提交答卷时间", "所用时间", "来源", "来源详情", "来自IP")
_WJX_OWN = frozenset((*_WJX_LEAD, "总分", "来自IP地址"))
_TENCENT_OWN = frozenset(
    (
        "编号",
        "开始答题时间",
        "结束答题时间",
        "答题时长",
        "IP",
        "IP地址",
        "UA",
        "Referrer",
        "自定义字段",
        "用户ID",
        "昵称",
        "openid",
        "地理位置国家和地区",
        "语言",
    )
)
_CHINESE_BLANKS = frozenset({"(跳过)", "(空)", "（跳过）", "（空）"})
_PLAIN_ANSWERS = frozenset({"", "Response", "Open-Ended Response", "Open Ended Response"})


def name_columns(raw: Sequence[str]) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Give each column a name of its own: blank ones by position, repeated ones by count; say so in notes."""
    names: list[str] = []
    notes: list[tuple[str, str]] = []
    wanted = [" ".join(name.split()) for name in raw]
    given = set(wanted)
    seen: set[str] = set()
    for position, name in enumerate(wanted, 1):
        unique = name or f"column_{position}"
        count = 1
        while unique in seen or (unique != name and unique in given):
            count += 1
            unique = f"{name or f'column_{position}'}_{count}"
        seen.add(unique)
        names.append(unique)
        if not name:
            notes.append((unique, f"column {position} has no name in the file"))
        elif unique != name:
            notes.append((unique, f"another column is named {name!r} as well"))
    return tuple(names), tuple(notes)


def read_header(rows: Sequence[Sequence[str]]) -> Header:
    """Read the header from the first rows of a table (three are enough)."""
    for recognise in (_read_qualtrics, _read_surveymonkey, _read_chinese, _read_delighted):
        if header := recognise(rows):
            return header
    names, notes = name_columns(rows[0])
    return Header(names=names, questions=names, notes=notes)


def _key(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _read_qualtrics(rows: Sequence[Sequence[str]]) -> Header | None:
    keys = {_key(cell) for cell in rows[0]}
    imports = next((number for number, row in enumerate(rows) if any(cell.lstrip().startswith('{"ImportId"') for cell in row)), None)
    if imports is None and not (
        {"responseid", "recordeddate"} <= keys and len(rows) > 1 and _key(rows[1][0]) in {"startdate", "responseid"}
    ):
        return None
    names, notes = name_columns(rows[0])
    count = 2 if imports is None else imports + 1
    asked = rows[1] if count > 1 and imports != 1 else ()
    questions = tuple((asked[index].strip() if index < len(asked) else "") or name for index, name in enumerate(names))
    by_key = {_key(name): index for index, name in reversed(list(enumerate(names)))}
    status, channel = by_key.get("status"), by_key.get("distributionchannel")

    def skip(cells: Sequence[str]) -> str | None:
        state = cells[status].strip().lower() if status is not None and status < len(cells) else ""
        way = cells[channel].strip().lower() if channel is not None and channel < len(cells) else ""
        return "survey preview" if state in {"survey preview", "survey test", "1", "2"} or way in {"preview", "test"} else None

    def present(*keys: str) -> tuple[str, ...]:
        return tuple(names[by_key[key]] for key in keys if key in by_key)

    groups = {name.removesuffix("_NPS_GROUP") for name in names if name.endswith("_NPS_GROUP")}
    return Header(
        names=names,
        questions=questions,
        rows=count,
        format="qualtrics",
        own=frozenset(name for name in names if _key(name) in _QUALTRICS_OWN or name.endswith("_NPS_GROUP")),
        date=present("recordeddate", "enddate", "startdate"),
        customer=present("externalreference", "externaldatareference", "recipientemail"),
        channel=present("distributionchannel"),
        score=tuple(name for name in names if name in groups),
        score_kind=ScoreKind.NPS if groups else None,
        skip=skip,
        notes=(
            *notes,
            *((name, "holds groups (promoter, passive, detractor), not scores") for name in names if name.endswith("_NPS_GROUP")),
        ),
    )


def _read_surveymonkey(rows: Sequence[Sequence[str]]) -> Header | None:
    keys = [_key(cell) for cell in rows[0]]
    if len(rows) < 2 or "respondentid" not in keys:
        return None
    options = [cell.strip() for cell in rows[1]]
    lead = keys.index("respondentid")
    if (options[lead] if lead < len(options) else "") or not any(options):
        return None
    questions: list[str] = []
    for index, cell in enumerate(rows[0]):
        option = options[index] if index < len(options) else ""
        question = cell.strip() or (questions[-1].partition(" - ")[0] if questions else "")
        questions.append(question if option in _PLAIN_ANSWERS else f"{question} - {option}")
    names, notes = name_columns(questions)

    def present(*wanted: str) -> tuple[str, ...]:
        return tuple(names[keys.index(key)] for key in wanted if key in keys)

    return Header(
        names=names,
        questions=names,
        rows=2,
        format="surveymonkey",
        own=frozenset(name for name, key in zip(names, keys, strict=True) if key in _SURVEYMONKEY_OWN),
        date=present("enddate", "datemodified", "startdate", "datecreated"),
        customer=present("emailaddress", "customdata1"),
        notes=notes,
    )


def _read_delighted(rows: Sequence[Sequence[str]]) -> Header | None:
    names, notes = name_columns(rows[0])
    lower = {name.lower().replace(" ", "_"): name for name in reversed(names)}
    if not {"survey_type", "score", "comment", "created_at"} <= lower.keys():
        return None
    return Header(
        names=names,
        questions=names,
        format="delighted",
        own=frozenset(
            lower[key]
            for key in ("id", "survey_type", "person", "person_id", "person_email", "person_name", "updated_at", "permalink")
            if key in lower
        ),
        date=(lower["created_at"],),
        customer=tuple(lower[key] for key in ("person", "person_id", "person_email") if key in lower),
        score=(lower["score"],),
        score_kind_column=lower["survey_type"],
        notes=notes,
    )


def _read_chinese(rows: Sequence[Sequence[str]]) -> Header | None:
    names, notes = name_columns(rows[0])
    found = set(names)
    # The sixth lead column is missing where respondents' addresses are not kept; the question numbers settle the rest.
    date: tuple[str, ...]
    channel: tuple[str, ...]
    if {"序号", "提交答卷时间", "所用时间"} <= found:
        tool, own, mark = "wjx", _WJX_OWN, "、"
        date, channel = ("提交答卷时间",), ("来源",)
    elif "编号" in found and {"结束答题时间", "开始答题时间"} & found:
        tool, own, mark = "tencent", _TENCENT_OWN, r"[.．、]"
        date, channel = ("结束答题时间", "开始答题时间"), ("来源", "渠道")
    else:
        return None
    asked = tuple(re.sub(rf"^\s*[Qq]?\d{{1,3}}\s*{mark}\s*", "", name) for name in names)
    return Header(
        names=names,
        questions=asked,
        format=tool,
        own=frozenset(name for name in names if name in own),
        date=tuple(name for name in date if name in found),
        channel=tuple(name for name in channel if name in found),
        customer=tuple(name for name in ("用户ID", "openid") if name in found),
        blanks=_CHINESE_BLANKS,
        notes=(*notes, (FILE, "(跳过) and (空) are read as blank")),
    )
