"""analysis.json: findings and run to canonical bytes, and back. Never writes files, never rounds what is kept in memory.

Canonical: UTF-8, keys sorted, floats with at most six decimals, no NaN, one record of a list on each line (so that two analyses can be
compared line by line), the same bytes for equal findings. Each theme carries its measure in the same object; ``docs/analysis-schema.md``
names every field.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from numbers import Integral, Real
from typing import Any, TypeAlias

from pydantic import TypeAdapter, ValidationError

from feedback_miner.domain import Findings, Measure, Run, Sentiment
from feedback_miner.errors import OutputError, ThemeSetError

__all__ = ["ANALYSIS_SCHEMA", "findings_from_json", "findings_to_json"]

ANALYSIS_SCHEMA = "feedback-miner/analysis/1"

Json: TypeAlias = Any

_DECIMALS = 6
_MERGED = "theme_measures"


def findings_to_json(findings: Findings, run: Run) -> bytes:
    """Return the content of analysis.json: every field of the findings, and the run under ``run``.

    ``themes`` lists each theme together with its measure, in the order of the measures (most people first). Sentiments also carry the
    computed ``score`` and ``label``, for the reader's convenience.

    Raises:
        OutputError: a number is not finite, or a theme has no measure.
    """
    merged = {measure.subject: measure for measure in findings.theme_measures}
    themes = {theme.id: theme for theme in findings.themes}
    if merged.keys() != themes.keys():
        odd = min(merged.keys() ^ themes.keys())
        raise OutputError(f"theme '{odd}' and the measures do not match: every theme needs one measure, and every measure a theme")
    document: dict[str, Json] = {
        name: _plain(getattr(findings, name)) for name in _field_names(Findings) if name not in {"themes", _MERGED}
    }
    document["themes"] = [
        {**_plain(themes[theme]), **{key: value for key, value in _plain(measure).items() if key != "subject"}}
        for theme, measure in merged.items()
    ]
    document["run"] = _plain(run)
    try:
        return _write(document).encode("utf-8")
    except ValueError as error:
        # JSON has no word for infinity, and a figure that is none must not reach a board.
        raise OutputError("the analysis holds a number that is not finite; please report this with the options of the run") from error


def findings_from_json(content: bytes) -> tuple[Findings, Run]:
    """Read analysis.json back; the result equals what was written, but for floats beyond the sixth decimal.

    Raises:
        ThemeSetError: this is no analysis, or one of another version. The message never quotes the content.
    """
    try:
        document = json.loads(content)
    except (UnicodeDecodeError, json.JSONDecodeError):
        # ``from None``: a decoding error carries the customers' words around the broken place.
        raise ThemeSetError("analysis.json cannot be read: it is not valid JSON in UTF-8; mine the source again") from None
    schema = document.get("schema") if isinstance(document, dict) else None
    if schema != ANALYSIS_SCHEMA:
        raise ThemeSetError(
            f"analysis.json does not fit this version: its schema is not '{ANALYSIS_SCHEMA}'; "
            "mine the source again, or use the version of this package that wrote it"
        )
    run = document.pop("run", None)
    try:
        themes = document["themes"]
        document[_MERGED] = [{**theme, "subject": theme["id"]} for theme in themes]
        document["themes"] = sorted(themes, key=lambda theme: str(theme["id"]))
        return _adapter(Findings).validate_python(document), _adapter(Run).validate_python(run)
    except (KeyError, TypeError):
        raise ThemeSetError("analysis.json is damaged: 'themes' must be a list of objects with an 'id'; mine the source again") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False, include_url=False)[0]
        place = ".".join(str(step) for step in first["loc"]) or "the document"
        raise ThemeSetError(f"analysis.json is damaged at {place} ({first['type']}); mine the source again") from None


@cache
def _adapter(noun: type) -> TypeAdapter[Any]:
    return TypeAdapter(noun)


@cache
def _field_names(noun: type) -> tuple[str, ...]:
    return tuple(entry.name for entry in fields(noun))


def _plain(value: object) -> Json:
    """Turn nouns into what JSON has: a direct walk, since a run has millions of values."""
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float):
        # Adding 0.0 turns -0.0 into 0.0.
        return round(value, _DECIMALS) + 0.0 if math.isfinite(value) else value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        plain = {name: _plain(getattr(value, name)) for name in _field_names(type(value))}
        if isinstance(value, Sentiment):
            plain["score"], plain["label"] = _plain(value.score), value.label.value
        return plain
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, Real):
        # A NumPy number that slipped through must not cost a whole run at its last step.
        return _plain(int(value) if isinstance(value, Integral) else float(value))
    raise OutputError(f"a value of type {type(value).__name__} cannot be written to analysis.json; use text, numbers, lists or mappings")


def _write(document: Mapping[str, Json]) -> str:
    encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")).encode
    parts = []
    for key in sorted(document):
        value = document[key]
        body = "[\n" + ",\n".join(map(encode, value)) + "\n]" if isinstance(value, list) and value else encode(value)
        parts.append(f"{encode(key)}:{body}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


# A measure's own fields must not hide a theme's when the two share an object.
_SHARED = set(_field_names(Measure)) & {"id", "parent", "names", "keyphrases", "exemplars"}
if _SHARED:  # pragma: no cover - a contract with domain.py, broken only by editing it
    raise RuntimeError(f"theme and measure both have {_SHARED}")
