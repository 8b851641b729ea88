"""Labelled sets in, examples out: the text as the encoder sees it when it serves, its opinions, and what is known of them.

Every set keeps its own names in its own columns; here they become four things: themes, sentiment, strength, the translation. A file of the
user's own needs the columns ``text`` and any of ``themes`` (several are joined by ``|``), ``sentiment`` (pos, neu, neg), ``strength`` (-1
to 1) and ``pair_id`` (equal for a text and its translation).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from feedback_miner.progress import Progress, report_to_nobody
from feedback_miner.reading import read_text
from feedback_miner.stages.clean import matching_text
from feedback_miner.training.sets import LabelledSet

__all__ = ["SENTIMENTS", "Example", "read_examples"]

SENTIMENTS = ("neg", "neu", "pos")

_OWN_THEMES = ("themes",)
_THEMES: Mapping[str, tuple[str, ...]] = {
    # Set: its columns of theme labels, where they are not called ``themes``.
    "airline_tweets": ("theme",),
    "app_reviews_type": ("label",),
    "clinc150": ("label",),
    "car_complaints_zh": ("components",),
    "nhs_fft_phase1": ("label", "subcategory"),
    "nps_telecom_uk": ("journey_stage",),
}
_RESIDUAL = frozenset(
    {
        "Can't Tell",
        "Not assigned",
        "Other",
        "Overall#Overall",
        "Miscellaneous",
        "miscellaneous",
        "anecdotes/miscellaneous",
        "oos",
        "其他",
        "整体",
    }
)
"""Labels that say no more than that no other fits: two texts that share one need have nothing in common."""

_POLES_ONLY = frozenset({"nps_telecom_uk", "online_shopping_zh", "waimai_10k", "chnsenticorp", "sst2", "asap_sample"})
"""Sets whose middle is a score, not a tone: a 7 of 10 is often written as a complaint."""

_STRENGTHS: Mapping[str, tuple[str, Callable[[float], float]]] = {
    # Set: a column of numbers and how it becomes -1 to 1.
    "dimabsa2026": ("valence", lambda valence: (valence - 5.0) / 4.0),
    "nps_telecom_uk": ("nps_score", lambda score: (score - 5.0) / 5.0),
    "nhs_fft_phase1": ("criticality", lambda criticality: criticality / 5.0),
    "asap_sample": ("star", lambda star: (star - 3.0) / 2.0),
}


@dataclass(frozen=True, slots=True)
class Example:
    """One comment of a training part."""

    source: str
    """The set it is from."""
    text: str
    opinions: tuple[str, ...]
    """The same, split: none where the whole is one opinion."""
    language: str
    themes: Mapping[str, frozenset[str]]
    """Column -> labels; no column without labels."""
    sentiment: str | None
    strength: float | None
    pair: str | None


def read_examples(sets: Mapping[str, LabelledSet], *, validation: bool = False, progress: Progress = report_to_nobody) -> list[Example]:
    """Read one part of every set, in the order of the sets and their rows; rows without content are left out."""
    rows = [(name, row) for name, labelled in sets.items() for row in labelled.part(validation=validation)]
    examples = []
    for done, (name, row) in enumerate(rows):
        if done % 1_000 == 0:
            progress("read", done, len(rows))
        reading = read_text(row["text"])
        text = matching_text(reading.verbatim.text, reading.language)
        if text:
            opinions = tuple(opinion.matching for opinion in reading.opinions)
            examples.append(_example(name, row, text, opinions if len(opinions) > 1 else (), reading.language))
    return examples


def _example(source: str, row: Mapping[str, str], text: str, opinions: tuple[str, ...], language: str) -> Example:
    columns = _THEMES.get(source, _OWN_THEMES)
    themes = {column: frozenset(filter(None, (row.get(column) or "").split("|"))) - _RESIDUAL for column in columns}
    sentiment = row.get("sentiment") or None
    if sentiment not in SENTIMENTS or (sentiment == "neu" and source in _POLES_ONLY):
        sentiment = None
    return Example(
        source=source,
        text=text,
        opinions=opinions,
        language=language,
        themes={column: labels for column, labels in themes.items() if labels},
        sentiment=sentiment,
        strength=_strength(source, row),
        pair=f"{source}:{row['pair_id']}" if row.get("pair_id") else None,
    )


def _strength(source: str, row: Mapping[str, str]) -> float | None:
    column, scaled = _STRENGTHS.get(source, ("strength", lambda strength: strength))
    value = row.get(column)
    return max(-1.0, min(1.0, scaled(float(value)))) if value else None
