"""Cells into points in time.

Comes in: the text of one cell, and the order of day and month that its column was found to use. Goes out: a datetime without a
zone (UTC where the cell names a zone, else as written), or a ``ValueError`` whose message never holds the cell. Zone names other
than UTC, GMT and the North American ones are ambiguous (CST is Chicago and Shanghai): such a time is taken as written.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

__all__ = ["DateOrder", "find_date_order", "follows_order", "is_date", "parse_date"]

_ZONES = {"z": 0, "utc": 0, "gmt": 0, "edt": -4, "est": -5, "mdt": -6, "mst": -7, "pdt": -7, "pst": -8}
_MONTHS = {
    name: number for number, name in enumerate(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1)
}
_MONTH = (
    r"(?P<name>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)"
)
_WEEKDAY = r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?,?\s+)?"
_TIME = (
    r"(?:(?P<before>上午|下午|中午|凌晨|早上|晚上)\s*)?(?P<hour>\d{1,2})"
    r"(?:[:：时点](?P<minute>\d{1,2})?|(?=\s*[ap]\.?m))(?:[:：分](?P<second>\d{1,2})?)?"
    r"(?:秒|[.,](?P<fraction>\d{1,9}))?\s*(?P<half>[ap]\.?m\.?)?"
)
_ZONE = r"(?:\s*(?P<zone>z|[+-]\d{2}:?\d{2}|(?:utc|gmt)[+-]\d{1,2}(?::?\d{2})?|[a-z]{2,5})(?:\s*\([^()]{1,40}\))?)?"
_CLOCK = re.compile(rf"(?:(?:\s*(?:t|,|at)\s*|\s*(?=[上下中凌早晚])|\s+){_TIME}{_ZONE})?|{_ZONE.replace('zone>', 'zone_alone>')}")

# A date is read as its day (one of these, from the start of the cell) and its time of day (all of the rest).
_YEAR_FIRST = re.compile(r"(?P<year>\d{4})(?P<sep>[-/.])(?P<month>\d{1,2})(?P=sep)(?P<day>\d{1,2})(?!\d)")
_CHINESE = re.compile(r"(?P<year>\d{4})\s*年\s*(?P<month>\d{1,2})\s*月\s*(?P<day>\d{1,2})\s*[日号](?:\s*(?:星期|周)[一二三四五六日天])?")
_YEAR_LAST = re.compile(r"(?P<first>\d{1,2})(?P<sep>[-/.])(?P<second>\d{1,2})(?P=sep)(?P<year>\d{4}|\d{2})(?!\d)")
_DAY_NAMED = re.compile(rf"{_WEEKDAY}(?P<day>\d{{1,2}})(?:st|nd|rd|th)?[-\s.]+{_MONTH}[-\s.,]+(?P<year>\d{{4}})(?!\d)")
_NAME_FIRST = re.compile(rf"{_WEEKDAY}{_MONTH}[\s.]+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<year>\d{{4}})(?![\d:])")
_TWITTER = re.compile(
    rf"{_WEEKDAY}{_MONTH}\s+(?P<day>\d{{1,2}})(?P<clock>\s+\d{{1,2}}:[\d:]{{2,6}}(?:\s*[+-]\d{{4}}|\s+[a-z]{{3,4}})?)\s+(?P<year>\d{{4}})"
)
_DIGITS = re.compile(r"(\d{5,16})(?:\.(\d+))?")
_HALF_DAY = re.compile(r"[ap]\.?m\.?$", re.IGNORECASE)

_EXCEL_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - a serial has no zone
_UNREADABLE = "unreadable as a date"
_IMPOSSIBLE = "no such date or time"


@dataclass(frozen=True, slots=True)
class DateOrder:
    """How a column writes a date whose year comes last, and why it was taken to."""

    day_first: bool
    reason: str | None
    """``None``: the column has no such dates, so nothing had to be decided."""


def is_date(cell: str) -> bool:
    """Tell whether a cell is written as a date; numbers alone (unix seconds, Excel serials) are not enough."""
    text = cell.strip()
    if not 6 <= len(text) <= 64 or text.isdigit():
        return False
    for day_first in (True, False):
        try:
            parse_date(text, day_first=day_first)
        except ValueError:
            continue
        return not _DIGITS.fullmatch(text)
    return False


def find_date_order(cells: Iterable[str], *, american: bool = False) -> DateOrder:
    """Decide between 16/7/2021 and 7/16/2021 from all the cells seen; ``american`` is evidence from other columns."""
    day_first = month_first = ambiguous = halves = 0
    for cell in cells:
        text = cell.strip().lower()
        match = _YEAR_LAST.match(text)
        if not match:
            continue
        first, second = int(match["first"]), int(match["second"])
        halves += bool(_HALF_DAY.search(text))
        if match["sep"] == ".":
            day_first += second <= 12
        elif first > 12 >= second:
            day_first += 1
        elif second > 12 >= first:
            month_first += 1
        else:
            ambiguous += 1
    if day_first and month_first:
        order = "day first" if day_first >= month_first else "month first"
        return DateOrder(day_first >= month_first, f"both orders of day and month occur; ambiguous dates are read {order}")
    if day_first:
        return DateOrder(day_first=True, reason="day before month: some dates allow no other order")
    if month_first:
        return DateOrder(day_first=False, reason="month before day: some dates allow no other order")
    if not ambiguous:
        return DateOrder(day_first=True, reason=None)
    if halves or american:
        why = "a.m. and p.m." if halves else "an American locale in another column"
        return DateOrder(day_first=False, reason=f"no date tells day from month; read month first because of {why}")
    return DateOrder(day_first=True, reason="no date tells day from month; read day first")


def parse_date(cell: str, *, day_first: bool = True) -> datetime:
    """Read one date. A date that only the other order allows is read in that order. Raises ``ValueError``."""
    text = cell.strip().lower()
    if len(text) > 64:
        raise ValueError(_UNREADABLE)
    if match := _DIGITS.fullmatch(text):
        return _from_digits(match[1], match[2] or "")
    for pattern in (_YEAR_FIRST, _CHINESE, _YEAR_LAST, _DAY_NAMED, _NAME_FIRST):
        if match := pattern.match(text):
            day = _day(match, day_first=day_first)
            return _at(day, (" " if pattern is _CHINESE else "") + text[match.end() :])  # 3日10时 has no space
    if match := _TWITTER.fullmatch(text):
        return _at(_day(match, day_first=day_first), match["clock"])
    raise ValueError(_UNREADABLE)


def follows_order(cell: str, *, day_first: bool) -> bool:
    """Tell whether a cell can be read in the order of its column (most cells do not depend on it)."""
    match = _YEAR_LAST.match(cell.strip().lower())
    if not match or match["sep"] == ".":
        return True
    return int(match["second"] if day_first else match["first"]) <= 12


def _from_digits(digits: str, fraction: str) -> datetime:
    number = int(digits)
    share = float(f"0.{fraction}") if fraction else 0.0
    moment: datetime | None
    try:
        match len(digits):
            case 5:
                moment = _EXCEL_EPOCH + timedelta(days=number, seconds=round(share * 86400))
            case 8 | 14:
                moment = datetime(int(digits[:4]), *(int(digits[at : at + 2]) for at in range(4, len(digits), 2)))  # type: ignore[arg-type]  # noqa: DTZ001
            case 9 | 10:
                moment = _from_unix(number + share)
            case 13:
                moment = _from_unix(number / 1e3)
            case 16:
                moment = _from_unix(number / 1e6)
            case _:
                moment = None
    except (ValueError, OverflowError, OSError) as error:
        raise ValueError(_IMPOSSIBLE) from error
    if moment is None:
        raise ValueError(_UNREADABLE)
    return _plausible(moment)


def _from_unix(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, tz=UTC).replace(tzinfo=None)


def _day(match: re.Match[str], *, day_first: bool) -> datetime:
    parts = match.groupdict()
    year = int(parts["year"])
    if "first" in parts:
        first, second = int(parts["first"]), int(parts["second"])
        day_leads = parts["sep"] == "." or day_first
        if (second if day_leads else first) > 12:
            day_leads = not day_leads
        day, month = (first, second) if day_leads else (second, first)
        if len(parts["year"]) == 2:
            year += 2000 if year < 70 else 1900
    else:
        day = int(parts["day"])
        month = _MONTHS[parts["name"][:3]] if "name" in parts else int(parts["month"])
    try:
        return datetime(year, month, day)  # noqa: DTZ001 - as written
    except ValueError as error:
        raise ValueError(_IMPOSSIBLE) from error


def _at(day: datetime, clock: str) -> datetime:
    match = _CLOCK.fullmatch(clock.strip() and clock)
    if not match:
        raise ValueError(_UNREADABLE)
    hour = int(match["hour"] or 0)
    before = match["before"] or ""
    half = (match["half"] or "")[:1] or ("p" if before in {"下午", "晚上", "中午"} and not (before == "中午" and hour == 11) else "")
    if half == "p" and hour < 12:
        hour += 12
    elif half == "a" and hour == 12:
        hour = 0
    micro = int((match["fraction"] or "")[:6].ljust(6, "0"))
    try:
        moment = day.replace(hour=hour, minute=int(match["minute"] or 0), second=int(match["second"] or 0), microsecond=micro)
        offset = _offset(match["zone"] or match["zone_alone"] or "")
        if offset is not None:
            moment = moment.replace(tzinfo=timezone(offset)).astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError) as error:
        raise ValueError(_IMPOSSIBLE) from error
    return _plausible(moment)


def _offset(zone: str) -> timedelta | None:
    if zone in _ZONES:
        return timedelta(hours=_ZONES[zone])
    text = zone.removeprefix("utc").removeprefix("gmt")
    if text[:1] not in {"+", "-"}:
        return None
    digits = text[1:].replace(":", "")
    hours, minutes = (int(digits[:-2]), int(digits[-2:])) if len(digits) > 2 else (int(digits), 0)
    return timedelta(hours=hours, minutes=minutes) * (-1 if text[0] == "-" else 1)


def _plausible(moment: datetime) -> datetime:
    if not 1900 <= moment.year <= 2100:
        raise ValueError("date outside 1900-2100")
    return moment
