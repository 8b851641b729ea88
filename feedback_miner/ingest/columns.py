"""Which column plays which role, and why.

Comes in: a ``Header``, a sample of rows, and what the user said. Goes out: a ``ColumnMapping`` with a reason for each role given or
refused. Depends on the set of sampled rows only, never on their order. Where a name and its values disagree, no role is given.
"""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field

from feedback_miner.domain import ColumnMapping, ScoreKind
from feedback_miner.errors import ColumnError

from .chat import customer_words
from .exports import Header
from .options import IngestOptions
from .profiles import Profile, near_copies, profile_columns
from .scores import find_score
from .values import is_number

__all__ = ["guess_columns"]

MAX_ATTRIBUTES = 12
MAX_ATTRIBUTE_LENGTH = 60
MAX_ATTRIBUTE_VALUES = 30
MAX_NUMERIC_VALUES = 12


@dataclass(slots=True)
class _Draft:
    """A mapping in the making."""

    header: Header
    rows: Sequence[Sequence[str]]
    profiles: dict[str, Profile]
    reasons: list[tuple[str, str]] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)

    def free(self) -> list[Profile]:
        return [profile for profile in self.profiles.values() if profile.name not in self.taken and profile.name not in self.header.own]

    def give(self, name: str, reason: str) -> str:
        self.taken.add(name)
        self.reasons.append((name, reason))
        return name


def guess_columns(header: Header, rows: Sequence[Sequence[str]], options: IngestOptions, *, source: str) -> ColumnMapping:
    """Give each role to a column. Raises ``ColumnError`` where the user names none that fits, or nothing is text."""
    draft = _Draft(header, rows, profile_columns(header, rows))
    asked = _resolve(options, header, source)
    draft.taken.update(asked.texts, *([name] for name in (asked.score, asked.date, asked.customer, asked.channel, asked.weight) if name))
    for role, name in (("date", asked.date), ("customer key", asked.customer), ("channel", asked.channel), ("survey weight", asked.weight)):
        if name:
            draft.reasons.append((name, f"{role}: named by the user"))
    weight = asked.weight or _guess_weight(draft)
    date = asked.date or _guess_date(draft)
    score, kind = find_score(draft.profiles, draft.free(), header, asked, draft.reasons)
    if score:
        draft.taken.add(score)
    texts = _asked_texts(draft, asked.texts) if asked.texts else _guess_texts(draft)
    if not texts:
        raise ColumnError(
            f"no column of {source} looks like text to be mined (columns: {', '.join(header.names)}); name one with --text if there is one"
        )
    customer = asked.customer or _guess_customer(draft)
    channel = asked.channel or _guess_channel(draft)
    if asked.attributes:
        attributes = asked.attributes
        draft.reasons.extend((name, "attribute: named by the user") for name in attributes)
    else:
        attributes = _guess_attributes(draft)
    transcripts = [name for name in texts if any(customer_words(value) is not None for value in draft.profiles[name].values)]
    draft.reasons.extend((name, "holds whole conversations: only the customer's lines are mined") for name in transcripts)
    return ColumnMapping(
        texts=texts,
        score=score,
        score_kind=kind,
        date=date,
        customer=customer,
        channel=channel,
        weight=weight,
        attributes=attributes,
        format="chat" if transcripts and header.format == "plain" else header.format,
        reasons=header.notes + tuple(draft.reasons),
    )


def _resolve(options: IngestOptions, header: Header, source: str) -> IngestOptions:
    """Replace what the user called a column by its name here."""

    def one(name: str | None, option: str) -> str | None:
        return None if name is None else _find(name, header, f"--{option}", source)

    return IngestOptions(
        texts=tuple(dict.fromkeys(_find(name, header, "--text", source) for name in options.texts)),
        score=one(options.score, "score"),
        score_kind=None if options.score_kind is None else ScoreKind(options.score_kind),
        date=one(options.date, "date"),
        customer=one(options.customer, "customer"),
        channel=one(options.channel, "channel"),
        weight=one(options.weight, "weight"),
        attributes=tuple(dict.fromkeys(_find(name, header, "--attribute", source) for name in options.attributes)),
    )


def _find(wanted: str, header: Header, option: str, source: str) -> str:
    if wanted in header.names:
        return wanted
    folded = " ".join(wanted.split()).casefold()
    for candidates in (header.names, header.questions):
        matches = [name for name, label in zip(header.names, candidates, strict=True) if " ".join(label.split()).casefold() == folded]
        if len(matches) == 1:
            return matches[0]
    near = difflib.get_close_matches(folded, [name.casefold() for name in header.names], n=1, cutoff=0.5)
    hint = next((f"; did you mean {name!r}?" for name in header.names if near and name.casefold() == near[0]), "")
    raise ColumnError(f"column {wanted!r} not found in {source} (columns: {', '.join(header.names)}){hint}; pass another {option}")


def _guess_weight(draft: _Draft) -> str | None:
    for profile in draft.free():
        if profile.hints.weight and profile.filled and profile.numbers >= 0.95:
            return draft.give(profile.name, "survey weight: by its name, and all of it is numbers")
    return None


def _guess_date(draft: _Draft) -> str | None:
    for name in draft.header.date:
        if draft.profiles[name].filled:
            return draft.give(name, f"date: where {draft.header.format} puts the time of the answer")
    candidates: list[tuple[float, int, Profile]] = []
    for position, profile in enumerate(draft.free()):
        if profile.hints.date and (profile.dates >= 0.8 or (profile.numbers >= 0.8 and profile.serials >= 0.95)):
            candidates.append((profile.hints.date + profile.dates, -position, profile))
        elif not profile.hints.other_date and not profile.hints.private and profile.dates >= 0.95 and profile.distinct > 1:
            candidates.append((0.5, -position, profile))
    if not candidates:
        return None
    best = max(candidates)[2]
    for _, _, profile in candidates:
        if profile is not best:
            draft.give(profile.name, f"a date as well, but {best.name!r} is likelier the time of the answer; pass --date to choose")
    return draft.give(best.name, "date: its values are dates" + (", and its name says so" if best.hints.date else ""))


def _asked_texts(draft: _Draft, names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        values = draft.profiles[name].values
        if values and all(is_number(value) for value in values):
            raise ColumnError(f"column {name!r} holds numbers, not text; pass --text with a column of comments")
        draft.reasons.append((name, "text: named by the user"))
    return names


def _guess_texts(draft: _Draft) -> tuple[str, ...]:
    free = [profile for profile in draft.free() if profile.filled]
    named = [profile for profile in free if profile.hints.text and profile.is_words(lenient=True)]
    # Beside a column that says it is text, another must look the part by its values alone.
    unnamed = [
        profile
        for profile in free
        if profile not in named and not profile.hints.no_text and not profile.hints.second_text and profile.is_words(lenient=False)
    ]
    if named:
        unnamed = [
            profile
            for profile in unnamed
            if profile.hints.question or (profile.mean_words >= 8 and profile.distinct >= 0.8 * profile.filled)
        ]
    seconds = [profile for profile in free if profile.hints.second_text and profile.is_words(lenient=True)]
    chosen = [profile for profile in free if profile in named or profile in unnamed]
    for copy, original in near_copies([profile.name for profile in chosen], draft.header, draft.rows):
        draft.give(copy, f"nearly a copy of {original!r}: not mined twice; pass --text to choose")
        chosen.remove(draft.profiles[copy])
    if chosen:
        for profile in seconds:
            draft.give(profile.name, "a title, or an answer to the customer: not mined beside the text; pass --text to have it mined")
    else:
        chosen = seconds or _last_resort(draft)
    several = "; mined side by side, pass --text to choose" if len(chosen) > 1 else ""
    for profile in chosen:
        if profile in named:
            why = "its name says so and its values are words"
        elif profile in unnamed:
            why = "its values are sentences that seldom repeat"
        else:
            why = "nothing else is, and its name allows it"
        draft.give(profile.name, f"text: {why}{several}")
    return tuple(profile.name for profile in chosen)


def _last_resort(draft: _Draft) -> list[Profile]:
    """Columns that say they are text and hold too little of it to tell: stock answers, emoji, nothing at all."""
    return [
        profile
        for profile in draft.free()
        if profile.hints.text and not profile.hints.date and max(profile.numbers, profile.dates, profile.links) <= 0.5
    ]


def _guess_customer(draft: _Draft) -> str | None:
    for name in draft.header.customer:
        if draft.profiles[name].filled and name not in draft.taken:
            return draft.give(name, f"customer key: where {draft.header.format} puts it")
    fitting = [
        (profile.hints.customer, -position, profile)
        for position, profile in enumerate(draft.free())
        if profile.hints.customer and profile.filled and profile.mean_length <= 64 and (profile.distinct > 1 or profile.filled == 1)
    ]
    return draft.give(max(fitting)[2].name, "customer key: by its name") if fitting else None


def _guess_channel(draft: _Draft) -> str | None:
    own = [draft.profiles[name] for name in draft.header.channel if name not in draft.taken]
    for profile in own + [profile for profile in draft.free() if profile.hints.channel]:
        if profile.filled and profile.longest <= MAX_ATTRIBUTE_LENGTH and profile.distinct <= MAX_ATTRIBUTE_VALUES:
            return draft.give(profile.name, "channel: by its name, and its values are few and short")
    return None


def _guess_attributes(draft: _Draft) -> tuple[str, ...]:
    fitting = [profile for profile in draft.free() if _is_attribute(profile)]
    for profile in fitting[:MAX_ATTRIBUTES]:
        draft.give(profile.name, f"attribute: {profile.distinct} different values, all short")
    for profile in fitting[MAX_ATTRIBUTES:]:
        draft.reasons.append((profile.name, f"could be an attribute, but {MAX_ATTRIBUTES} are taken before it; pass --attribute to choose"))
    return tuple(profile.name for profile in fitting[:MAX_ATTRIBUTES])


def _is_attribute(profile: Profile) -> bool:
    if profile.hints.private or profile.hints.date or profile.hints.customer or not 2 <= profile.distinct <= MAX_ATTRIBUTE_VALUES:
        return False
    if profile.longest > MAX_ATTRIBUTE_LENGTH or profile.mean_words > 8 or profile.dates > 0.5 or profile.decimals > 0.2:
        return False
    if profile.numbers > 0.5 and profile.distinct > MAX_NUMERIC_VALUES:
        return False  # a measurement or a count, not a group
    return profile.distinct <= (profile.filled + 1) // 2 or (profile.filled <= 6 and profile.mean_words <= 3 and profile.numbers < 0.5)
