"""From a raw text to its opinions: repair, redact, tell the language, set empty answers aside, split.

The front half of the order of stages, shared by ``mine()`` and the classify path so that they cannot differ. It reads one text at a time
and knows nothing about the others; it never keeps the raw text.
"""

from dataclasses import dataclass

from feedback_miner.aligned import AlignedText
from feedback_miner.stages.clean import clean_text, is_repost, matching_text
from feedback_miner.stages.content import is_no_content
from feedback_miner.stages.language import detect_language
from feedback_miner.stages.redact import redact_text
from feedback_miner.stages.segment import segment_text

__all__ = ["ReadOpinion", "Reading", "read_text"]


@dataclass(frozen=True, slots=True)
class ReadOpinion:
    """One span of the verbatim, and what the encoder will see of it."""

    start: int
    end: int
    text: str
    matching: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What one raw text says, before any comparison with others."""

    verbatim: AlignedText
    """Repaired and redacted; ``verbatim.source_span`` leads back to the text as it came."""
    language: str
    redactions: tuple[tuple[str, int], ...]
    opinions: tuple[ReadOpinion, ...]
    """Empty: the text has no content."""

    @property
    def repost(self) -> bool:
        """Whether it carries somebody else's words."""
        return is_repost(self.verbatim.text)

    @property
    def whole(self) -> str | None:
        """What the encoder will see of all of a text of several opinions; ``None``: its one opinion says it all."""
        return matching_text(self.verbatim.text, self.language) if len(self.opinions) > 1 else None


def read_text(raw: str) -> Reading:
    """Read one text. Linear in its length."""
    verbatim, redactions = redact_text(clean_text(raw))
    text = verbatim.text
    language = detect_language(text)
    spans = [] if is_no_content(text) else segment_text(text, language)
    opinions = (ReadOpinion(start, end, text[start:end], matching_text(text[start:end], language)) for start, end in spans)
    return Reading(
        verbatim=verbatim,
        language=language,
        redactions=tuple(sorted(redactions.items())),
        opinions=tuple(opinion for opinion in opinions if opinion.matching),
    )
