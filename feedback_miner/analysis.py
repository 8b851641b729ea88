"""An analysis as its user holds it: the findings, the theme set they were coded with, and the run; saved to a folder and loaded back."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from feedback_miner.domain import Coding, Document, Findings, ItemRecord, Measure, Opinion, Run, Theme, ThemeSet

__all__ = ["Analysis", "load"]


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """Everything ``mine()`` learned, every number open to its verbatims."""

    findings: Findings
    theme_set: ThemeSet
    run: Run

    @property
    def themes(self) -> tuple[Theme, ...]:
        """Leaf themes and their parents, by id."""
        return self.findings.themes

    @property
    def measures(self) -> Mapping[str, Measure]:
        """Counts of each theme by its id."""
        return {measure.subject: measure for measure in self.findings.theme_measures}

    @property
    def opinions(self) -> tuple[Opinion, ...]:
        """Spans of the documents, in id order of their responses."""
        return self.findings.opinions

    @property
    def codings(self) -> tuple[Coding, ...]:
        """``codings[i]`` belongs to ``opinions[i]``."""
        return self.findings.codings

    @property
    def documents(self) -> tuple[Document, ...]:
        """The text cells after redaction."""
        return self.findings.documents

    @property
    def items(self) -> tuple[ItemRecord, ...]:
        """The responses, with or without text."""
        return self.findings.items

    def to_frame(self) -> Any:
        """Return a polars DataFrame, one row for each opinion, with the columns of ``opinions.csv``."""
        import polars

        from feedback_miner.report import opinion_columns, opinion_rows

        rows = opinion_rows(self.findings, self.theme_set.taxonomy)
        return polars.DataFrame(list(rows), schema=opinion_columns(), orient="row", infer_schema_length=None)

    def save(self, directory: str | Path, *, language: str = "en") -> Path:
        """Write report.html, analysis.json, comments.csv, opinions.csv, codebook.csv and the theme set; return the folder.

        ``language`` (``en`` or ``zh``) is the one the report opens in; it holds both. All files or none: raises OutputError
        with nothing half-written.
        """
        from feedback_miner.report import write_report
        from feedback_miner.theme_set import theme_set_files

        folder = Path(directory)
        write_report(
            self.findings, self.run, folder, taxonomy=self.theme_set.taxonomy, language=language, more=theme_set_files(self.theme_set)
        )
        return folder


def load(directory: str | Path) -> Analysis:
    """Load what ``Analysis.save`` or ``feedback-miner analyze -o`` wrote; raises ThemeSetError where it cannot."""
    from feedback_miner.report import read_findings
    from feedback_miner.theme_set import load_theme_set

    folder = Path(directory)
    findings, run = read_findings(folder)
    return Analysis(findings, load_theme_set(folder), run)
