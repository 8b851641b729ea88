"""Quotes: opinions in, the few that show a theme, a reason or a contradiction out. Never changes a word; cuts only around the marked span.

The choice is deterministic: exemplars first, then the strongest membership, then a readable length, then the id.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import nlargest

from feedback_miner.domain import Coding, ContentStatus, Document, Findings, ItemRecord, Opinion, Polarity, ResidualReason, Run

__all__ = ["Quote", "QuoteBook", "open_quotes"]

_CONTEXT = 90
_LONGEST = 360
_READABLE = 60

_Key = tuple[int, float, float, int, str]


@dataclass(frozen=True, slots=True)
class Quote:
    """A verbatim with the opinion marked in it; ``before`` and ``after`` may be cut, with an ellipsis."""

    before: str
    marked: str
    after: str
    language: str
    polarity: Polarity
    score: float | None
    row: int | None
    channel: str | None
    copies: int


@dataclass(frozen=True, slots=True)
class QuoteBook:
    """All candidates of a run, ready to be picked from."""

    findings: Findings
    rows: dict[str, int]
    items: dict[str, ItemRecord]
    documents: dict[str, Document]
    by_theme: dict[str, list[int]]
    """Leaf theme -> positions of its opinions."""
    by_residual: dict[ResidualReason, list[int]]
    exemplars: frozenset[str]

    def pick_theme(self, theme: str, limit: int, *, polarity: Polarity | None = None, high_first: bool = False) -> tuple[Quote, ...]:
        """Pick quotes of a leaf theme; ``high_first`` prefers people who gave a high score."""
        positions = self.by_theme.get(theme, [])
        if polarity is not None:
            positions = [position for position in positions if self.findings.codings[position].sentiment.label is polarity]
        return self._pick(positions, limit, theme, high_first=high_first)

    def pick_residual(self, reason: ResidualReason, limit: int) -> tuple[Quote, ...]:
        """Pick quotes that belong to no theme for this reason."""
        return self._pick(self.by_residual.get(reason, []), limit, None)

    def pick_items(self, items: Iterable[str], limit: int) -> tuple[Quote, ...]:
        """Quote these responses in this order: of each, the longest text, nothing marked."""
        wanted = list(items)
        texts: dict[str, Document] = {}
        chosen = frozenset(wanted)
        for document in self.findings.documents:
            known = texts.get(document.item)
            if document.item in chosen and (known is None or (len(document.text), document.id) > (len(known.text), known.id)):
                texts[document.item] = document
        return tuple(self._quote_document(texts[item]) for item in wanted if item in texts)[:limit]

    def _quote_document(self, document: Document) -> Quote:
        item = self.items[document.item]
        body = _cut_end(document.text, _LONGEST)
        polarity = item.sentiment or Polarity.NEUTRAL
        return Quote(body, "", "", document.language, polarity, item.score, self.rows.get(item.id), item.channel, document.copies)

    def _pick(self, positions: Sequence[int], limit: int, theme: str | None, *, high_first: bool = False) -> tuple[Quote, ...]:
        best = nlargest(4 * limit, ((self._key(position, theme, high_first=high_first), position) for position in positions))
        quotes: list[Quote] = []
        said: set[str] = set()
        for _, position in best:
            opinion = self.findings.opinions[position]
            if opinion.text in said or len(quotes) == limit:
                continue
            said.add(opinion.text)
            quotes.append(self._quote_opinion(opinion, self.findings.codings[position]))
        return tuple(quotes)

    def _key(self, position: int, theme: str | None, *, high_first: bool) -> _Key:
        opinion, coding = self.findings.opinions[position], self.findings.codings[position]
        strength = next((found.strength for found in coding.themes if found.theme == theme), 0.0)
        score = self.items[self.documents[opinion.document].item].score if high_first else None
        return (
            opinion.id in self.exemplars,
            -1.0 if score is None else score,
            round(strength, 6),
            -abs(len(opinion.text) - _READABLE),
            opinion.id,
        )

    def _quote_opinion(self, opinion: Opinion, coding: Coding) -> Quote:
        document = self.documents[opinion.document]
        item = self.items[document.item]
        before, after = document.text[: opinion.start], document.text[opinion.end :]
        return Quote(
            before="…" + before[-_CONTEXT:] if len(before) > _CONTEXT else before,
            marked=_cut_end(document.text[opinion.start : opinion.end], _LONGEST),
            after=_cut_end(after, _CONTEXT),
            language=document.language,
            polarity=coding.sentiment.label,
            score=item.score,
            row=self.rows.get(item.id),
            channel=item.channel,
            copies=document.copies,
        )


def open_quotes(findings: Findings, run: Run) -> QuoteBook:
    """Sort all opinions once by theme and by reason."""
    by_theme: dict[str, list[int]] = {}
    by_residual: dict[ResidualReason, list[int]] = {}
    for position, coding in enumerate(findings.codings):
        for membership in coding.themes:
            by_theme.setdefault(membership.theme, []).append(position)
        if coding.residual is not None:
            by_residual.setdefault(coding.residual, []).append(position)
    return QuoteBook(
        findings=findings,
        rows=dict(run.rows),
        items={item.id: item for item in findings.items},
        documents={document.id: document for document in findings.documents if document.status is not ContentStatus.NO_CONTENT},
        by_theme=by_theme,
        by_residual=by_residual,
        exemplars=frozenset(exemplar.opinion for theme in findings.themes for exemplar in theme.exemplars),
    )


def _cut_end(text: str, limit: int) -> str:
    return text[:limit] + "…" if len(text) > limit else text
