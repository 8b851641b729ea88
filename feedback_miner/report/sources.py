"""What every section of the page reads: findings with the look-ups it needs, made once. Counts nothing twice, chooses nothing."""

from collections.abc import Mapping
from dataclasses import dataclass

from feedback_miner.domain import Findings, Measure, Polarity, Run, ScoreKind, Theme
from feedback_miner.report.causes import CauseBook
from feedback_miner.report.quotes import QuoteBook, open_quotes
from feedback_miner.report.texts import Both, both_names, text

__all__ = ["UNMAPPED", "Sources", "open_sources"]

UNMAPPED = "unmapped"
"""Stands for the cause of a negative opinion that maps to none, as in ``Findings.detractor_causes``."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Findings, the root causes and all look-ups."""

    findings: Findings
    run: Run
    book: CauseBook
    quotes: QuoteBook
    themes: Mapping[str, Theme]
    children: Mapping[str, tuple[str, ...]]
    """Parent -> leaves, most people first."""
    measures: Mapping[str, Measure]
    """Theme -> its measure."""
    theme_causes: Mapping[str, Mapping[str, int]]
    """Leaf theme -> cause or ``unmapped`` -> people, over everybody's negative opinions."""
    owner_people: Mapping[str, int]
    """Owner -> people with a negative opinion on one of its causes."""
    owner_themes: Mapping[str, Mapping[str, int]]
    """Owner -> leaf theme -> people."""

    @property
    def kind(self) -> ScoreKind | None:
        """Return the kind of score, if the run has one."""
        return self.findings.score.kind if self.findings.score else None

    def theme_name(self, theme: str) -> Both:
        """Return a theme's name in both languages."""
        found = self.themes.get(theme)
        return both_names(found.names, theme) if found else Both(theme, theme)

    def cause_name(self, cause: str) -> Both:
        """Return the name of a cause (or of ``unmapped``) in both languages."""
        if cause == UNMAPPED:
            return text("cause.unmapped")
        return Both(self.book.cause_name(cause, "zh"), self.book.cause_name(cause, "en"))

    def aspect_name(self, cause: str) -> Both:
        """Return the name of a cause's aspect in both languages."""
        return Both(self.book.aspect_name(cause, "zh"), self.book.aspect_name(cause, "en"))

    def owner_name(self, owner: str) -> Both:
        """Return an owner's name in both languages."""
        return Both(self.book.owner_name(owner, "zh"), self.book.owner_name(owner, "en"))

    def stage_name(self, stage: str) -> Both:
        """Return a stage's name in both languages."""
        return Both(self.book.stage_name(stage, "zh"), self.book.stage_name(stage, "en"))


def open_sources(findings: Findings, run: Run, book: CauseBook) -> Sources:
    """Make all look-ups in one pass over the opinions."""
    themes = {theme.id: theme for theme in findings.themes}
    measures = {measure.subject: measure for measure in findings.theme_measures}
    children: dict[str, list[str]] = {}
    for measure in findings.theme_measures:
        parent = themes[measure.subject].parent
        if parent is not None:
            children.setdefault(parent, []).append(measure.subject)
    theme_causes, owner_people, owner_themes = _count_people(findings, book)
    return Sources(
        findings=findings,
        run=run,
        book=book,
        quotes=open_quotes(findings, run),
        themes=themes,
        children={parent: tuple(leaves) for parent, leaves in children.items()},
        measures=measures,
        theme_causes=theme_causes,
        owner_people=owner_people,
        owner_themes=owner_themes,
    )


def _count_people(findings: Findings, book: CauseBook) -> tuple[dict[str, dict[str, int]], dict[str, int], dict[str, dict[str, int]]]:
    item_of = {document.id: document.item for document in findings.documents}
    causes: dict[tuple[str, str], set[str]] = {}
    owners: dict[str, set[str]] = {}
    themes: dict[tuple[str, str], set[str]] = {}
    for opinion, coding in zip(findings.opinions, findings.codings, strict=True):
        if coding.sentiment.label is not Polarity.NEGATIVE:
            continue
        person = item_of[opinion.document]
        found = [cause.cause for cause in coding.causes]
        named = {book.causes[cause].owner for cause in found if cause in book.causes}
        for owner in named:
            owners.setdefault(owner, set()).add(person)
        for membership in coding.themes:
            for cause in found or [UNMAPPED]:
                causes.setdefault((membership.theme, cause), set()).add(person)
            for owner in named:
                themes.setdefault((owner, membership.theme), set()).add(person)
    return _nest(causes), {owner: len(people) for owner, people in owners.items()}, _nest(themes)


def _nest(crossed: Mapping[tuple[str, str], set[str]]) -> dict[str, dict[str, int]]:
    """Turn (row, column) -> people into row -> column -> number, most people first."""
    nested: dict[str, dict[str, int]] = {}
    for (row, column), people in sorted(crossed.items(), key=lambda entry: (-len(entry[1]), entry[0])):
        nested.setdefault(row, {})[column] = len(people)
    return nested
