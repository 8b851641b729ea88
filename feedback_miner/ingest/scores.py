"""Which column is the score, and what its numbers mean.

Comes in: column profiles, and what the user said. Goes out: a column and a ``ScoreKind``, or neither: a scale is never guessed from
numbers alone, for a wrong score is worse than none.
"""

from collections.abc import Iterable, Mapping, Sequence

from feedback_miner.domain import ScoreKind
from feedback_miner.errors import ColumnError

from .exports import Header
from .options import IngestOptions
from .profiles import Profile
from .values import SCALES, parse_number, without_value

__all__ = ["find_score"]

_ENOUGH = 0.8
_GROUPS = frozenset(
    ["promoter", "promoters", "passive", "passives", "neutral", "detractor", "detractors", "推荐者", "中立者", "被动者", "贬损者", "批评者"]
)
_SURVEY_TYPES = {"nps": ScoreKind.NPS, "csat": ScoreKind.CSAT, "ces": ScoreKind.CES, "stars": ScoreKind.STARS, "star": ScoreKind.STARS}
_RANKS = tuple(ScoreKind)


def find_score(
    profiles: Mapping[str, Profile], free: Sequence[Profile], header: Header, asked: IngestOptions, reasons: list[tuple[str, str]]
) -> tuple[str | None, ScoreKind | None]:
    """Choose the score column and its kind; say why, and why not the others."""
    if asked.score:
        return _asked_score(profiles[asked.score], header, asked.score_kind, reasons)
    said = asked.score_kind or _said_kind(profiles, header, reasons)
    fitting: list[tuple[int, int, int, str, ScoreKind, str]] = []
    for position, profile in enumerate(free):
        if not profile.filled:
            continue
        preferred = profile.name in header.score
        if not (preferred or profile.hints.score or profile.hints.number or _shows_scale(profile)):
            continue
        kind, why = _judge(profile, (said if preferred else None) or asked.score_kind)
        if kind is not None and asked.score_kind in {None, kind}:
            generic = profile.hints.score is None and not _shows_scale(profile)
            fitting.append((not preferred, generic, _RANKS.index(kind) * 1000 + position, profile.name, kind, why))
        elif why:
            reasons.append((profile.name, f"not taken as the score: {why}"))
    if not fitting:
        return None, None
    best = min(fitting)
    *_, name, kind, why = best
    reasons.append((name, f"score ({kind.value}): {why}"))
    reasons.extend(
        (other[3], f"could be a {other[4].value} score, but {name!r} comes first; pass --score to choose")
        for other in fitting
        if other is not best
    )
    return name, kind


def _asked_score(profile: Profile, header: Header, kind: ScoreKind | None, reasons: list[tuple[str, str]]) -> tuple[str, ScoreKind]:
    if profile.filled and _share(_is_group(value) for value in profile.values) >= _ENOUGH:
        raise ColumnError(f"column {profile.name!r} holds groups (promoter, passive, detractor), not scores; pass --score with the numbers")
    if kind is None:
        found, why = _judge(profile, header.score_kind if profile.name in header.score else None)
        if found is None:
            detail = f" ({why})" if why else ""
            raise ColumnError(
                f"cannot tell what the scores in column {profile.name!r} mean{detail}; pass --score-kind (nps, csat, ces or stars)"
            )
        kind = found
    elif profile.filled and all(without_value(value, kind) for value in profile.values):
        low, high = SCALES[kind]
        raise ColumnError(f"no value of column {profile.name!r} can be read as a {kind.value} score ({low}-{high}); pass another --score")
    reasons.append((profile.name, f"score ({kind.value}): named by the user"))
    return profile.name, kind


def _said_kind(profiles: Mapping[str, Profile], header: Header, reasons: list[tuple[str, str]]) -> ScoreKind | None:
    if header.score_kind_column is None:
        return header.score_kind
    said = {value.strip().lower() for value in profiles[header.score_kind_column].values}
    if len(said) == 1:
        return _SURVEY_TYPES.get(said.pop())
    reasons.append((header.score_kind_column, "names several kinds of survey, whose scores must not be mixed; split the file"))
    return None


def _judge(profile: Profile, said: ScoreKind | None) -> tuple[ScoreKind | None, str]:
    """(kind, why) or (``None``, why not; empty where no explanation is due)."""
    values = profile.values
    if profile.hints.group or _share(_is_group(value) for value in values) >= _ENOUGH:
        return None, "it holds groups (promoter, passive, detractor), not scores"
    hint = said or profile.hints.score
    numbers = [number for value in values if (number := parse_number(value)) is not None]
    if len(numbers) < _ENOUGH * len(values) or not numbers:
        kind = hint or (ScoreKind.CSAT if _shows_scale(profile) else None)
        if kind and values and _share(not without_value(value, kind) for value in values) >= _ENOUGH:
            return kind, "its values are answers in words on that scale"
        return None, ""
    if any(value.strip()[:1] in {"★", "⭐", "☆"} for value in values) and hint in {None, ScoreKind.STARS}:
        return ScoreKind.STARS, "its values are stars"
    if said:
        low, high = SCALES[said]
        fits = _share(low <= number <= high for number in numbers) >= _ENOUGH
        return (said, "its kind was stated") if fits else (None, f"most of its values are outside {low}-{high}")
    return _judge_numbers(numbers, hint, named_nps="nps" in profile.name.lower())


def _judge_numbers(numbers: Sequence[float], hint: ScoreKind | None, *, named_nps: bool) -> tuple[ScoreKind | None, str]:
    inside = [number for number in numbers if 0 <= number <= 10]
    if len(inside) < 0.9 * len(numbers):
        return None, "many of its values are outside 0-10"
    if set(inside) <= {0, 1} and not named_nps:
        return None, "it holds yes or no"
    if sum(not number.is_integer() for number in inside) > len(inside) / 2 and hint is None:
        return None, "its values are fractions"
    wide = max(inside) > 7 or (max(inside) > 5 and min(inside) == 0)
    if hint in {ScoreKind.CSAT, ScoreKind.CES}:
        low, high = SCALES[hint]
        if _share(low <= number <= high for number in numbers) >= 0.95:
            direction = "; 7 must mean that it was easy" if hint is ScoreKind.CES else ""
            return hint, f"its name says so and its values are within {low}-{high}{direction}"
        return None, f"its name says {hint.value}, but its values are not within {low}-{high}"
    if hint is ScoreKind.NPS:
        if not named_nps and len(inside) >= 20 and max(inside) <= 5 and min(inside) >= 1:
            return None, "its name says recommend, but no answer is above 5: a scale of 1-5 is no NPS"
        return hint, "its name says so and its values are within 0-10"
    if hint is ScoreKind.STARS:
        if _share(1 <= number <= 5 for number in numbers) >= 0.95:
            return hint, "its name says so and its values are within 1-5"
        return (
            (ScoreKind.NPS, "its values use the whole of 0-10")
            if min(inside) == 0 and wide
            else (None, "its name says stars, but its values are not within 1-5")
        )
    if wide:
        return ScoreKind.NPS, "its name says score and its values go beyond 7 on 0-10"
    return None, "its values could be on several scales; pass --score and --score-kind if it is one"


def _shows_scale(profile: Profile) -> bool:
    """Tell values that name their scale themselves: stars, or degrees of satisfaction."""
    signs = _share(value.strip()[:1] in {"★", "⭐", "☆"} for value in profile.values)
    degrees = _share("满意" in value or "satisf" in value.lower() or value.strip() in {"一般", "Neutral"} for value in profile.values)
    return profile.filled > 0 and (signs >= _ENOUGH or (degrees >= _ENOUGH and profile.longest <= 40))


def _is_group(value: str) -> bool:
    return value.strip().lower() in _GROUPS


def _share(flags: Iterable[bool]) -> float:
    seen = list(flags)
    return sum(seen) / len(seen) if seen else 0.0
