"""Personal data out, placeholders in: before anything is stored and before any model reads it.

In comes a text (or one short cell of a table); out comes the same text with ``<EMAIL>``, ``<PHONE>``, … in place of what identifies a
person, aligned with its source, and how many of each were replaced. Nothing of what was found is kept, logged or put into an error.

What is found, by kind: EMAIL; PHONE; ID (Chinese, American and British identity numbers, labelled passports and licences); CARD; IBAN;
PLATE; ACCOUNT (WeChat, QQ and the like); ORDER (orders, parcels, tickets, bookings, cases, accounts); URL; HANDLE; NAME (only with a title,
an introduction or a verb that goes with people); ADDRESS (street and number, or building and flat); IP.

Its limits: bare names, hints ("the tall one at desk 3"), villages without street names, and numbers that have neither a checksum, nor a
label, nor a known form are missed. Brands' own handles and hotlines are replaced too. Words are not: "三星" is no name, 10086 no phone
number, iPhone 15 no order; the tests hold a table of such texts that all have to stay as they are.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import get_args

from feedback_miner.aligned import AlignedText
from feedback_miner.stages.personal_data import RULES, Kind, count_digits, fold

__all__ = ["PersonalData", "find_personal_data", "pseudonymise", "redact_text", "redact_value"]

_SPECIFIC: tuple[Kind, ...] = ("IBAN", "ID", "CARD", "PHONE", "EMAIL", "PLATE", "ACCOUNT", "IP")
_RANK = {kind: rank for rank, kind in enumerate(_SPECIFIC)}
"""Which kind a span is where two claim it and neither is longer; those not listed come last."""

_NEEDED = frozenset(word for rule in RULES for word in rule.needs)
_PLACEHOLDER = re.compile(rf"<(?:{'|'.join(get_args(Kind))})>")
_PSEUDONYM = re.compile(r"person-[0-9a-f]{12}")
_MAX_ROUNDS = 8


@dataclass(frozen=True, slots=True)
class PersonalData:
    """``text[start:end]`` identifies a person, or may."""

    start: int
    end: int
    kind: Kind


def find_personal_data(text: str) -> list[PersonalData]:
    """Find what identifies a person: sorted, never overlapping, the longer and more specific find winning.

    Placeholders already in the text are walls: nothing in them, and nothing across them, is found. So are the finds themselves: what
    lies between them is searched again as if it stood alone, until nothing more is found. That is what makes redaction idempotent.
    """
    folded = fold(text)
    found: list[PersonalData] = []
    open_spans = list(_gaps(0, len(text), [(match.start(), match.end()) for match in _PLACEHOLDER.finditer(folded)]))
    for _ in range(_MAX_ROUNDS):
        next_spans: list[tuple[int, int]] = []
        for start, end in open_spans:
            finds = _find_in(folded[start:end], start)
            if finds:
                found += finds
                next_spans += _gaps(start, end, [(find.start, find.end) for find in finds])
        open_spans = next_spans
        if not open_spans:
            break
    # Real texts need two or three rounds. What still yields finds was built to; it goes as a whole, so that the next pass finds nothing.
    for start, end in open_spans:
        found += [PersonalData(start, end, find.kind) for find in _find_in(folded[start:end], start)[:1]]
    return sorted(found, key=lambda find: find.start)


def redact_text(aligned: AlignedText) -> tuple[AlignedText, dict[str, int]]:
    """Replace personal data by ``<KIND>``; return the new text, still aligned with its source, and the count of each kind."""
    finds = find_personal_data(aligned.text)
    counts = Counter(find.kind for find in finds)
    return aligned.replace([(find.start, find.end, f"<{find.kind}>") for find in finds]), dict(sorted(counts.items()))


def redact_value(value: str, *, key: bytes = b"") -> str:
    """Redact a short cell: an attribute, a channel, a customer key.

    A cell that is personal data as a whole becomes ``person-`` and 12 hex digits, the same for every writing of the same e-mail address
    or number, so that one customer's rows stay together. With a secret ``key`` (64 bytes at most) nobody else can work out whose it is;
    without one, anybody who can list all phone numbers can.
    """
    if _PSEUDONYM.fullmatch(value.strip()):
        return value
    finds = find_personal_data(value)
    if len(finds) == 1 and not (value[: finds[0].start] + value[finds[0].end :]).strip():
        digest = blake2b(_canonical(value, finds[0].kind).encode("utf-8", "surrogatepass"), key=key, digest_size=6)
        return f"person-{digest.hexdigest()}"
    for find in reversed(finds):
        value = f"{value[: find.start]}<{find.kind}>{value[find.end :]}"
    return value


def pseudonymise(customer: str, *, key: bytes = b"") -> str:
    """Return the name a customer is kept under: their key itself where it holds no personal data, else ``person-`` and 12 hex digits.

    As ``redact_value``, but a key that is personal data only in part is hashed as a whole: with placeholders in them, the keys of two
    customers could come to be the same.
    """
    redacted = redact_value(customer, key=key)
    if redacted == customer or _PSEUDONYM.fullmatch(redacted):
        return redacted
    digest = blake2b(" ".join(fold(customer).split()).casefold().encode("utf-8", "surrogatepass"), key=key, digest_size=6)
    return f"person-{digest.hexdigest()}"


def _canonical(value: str, kind: Kind) -> str:
    """One writing for all writings of the same thing."""
    plain = fold(value).strip().casefold()
    if kind in ("PHONE", "ID", "CARD", "IBAN"):
        plain = re.sub(r"[^0-9a-z]", "", plain)
    if kind == "PHONE":
        plain = re.sub(r"^(?:00)?86(?=1[3-9][0-9]{9}$)", "", plain)
    return plain


def _find_in(segment: str, offset: int) -> list[PersonalData]:
    """All finds in a stretch of folded text, seen without its surroundings."""
    digits, present = count_digits(segment), set(filter(segment.lower().__contains__, _NEEDED))
    candidates: list[tuple[int, int, int, Kind]] = []
    for rule in RULES:
        if digits < rule.digits or (rule.needs and present.isdisjoint(rule.needs)):
            continue
        group = "it" if "it" in rule.pattern.groupindex else 0
        for match in rule.pattern.finditer(segment):
            start, end = match.span(group)
            if rule.check is not None:
                end = start + rule.check(match[group])
            if end > start:
                candidates.append((start - end, _RANK.get(rule.kind, len(_RANK)), start, rule.kind))
    taken = bytearray(len(segment))
    finds: list[PersonalData] = []
    for negative_length, _, start, kind in sorted(candidates):
        end = start - negative_length
        if taken.find(1, start, end) < 0:
            taken[start:end] = b"\x01" * (end - start)
            finds.append(PersonalData(start + offset, end + offset, kind))
    return sorted(finds, key=lambda find: find.start)


def _gaps(start: int, end: int, walls: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """What of ``[start, end)`` the sorted walls leave over."""
    for wall_start, wall_end in walls:
        if start < wall_start:
            yield start, wall_start
        start = wall_end
    if start < end:
        yield start, end
