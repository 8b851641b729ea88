"""Findings to files and back: report.html, analysis.json and CSV tables."""

from feedback_miner.report.files import read_findings, write_report
from feedback_miner.report.json import ANALYSIS_SCHEMA, findings_from_json, findings_to_json
from feedback_miner.report.tables import codebook_columns, codebook_rows, comment_columns, comment_rows, opinion_columns, opinion_rows

__all__ = [
    "ANALYSIS_SCHEMA",
    "codebook_columns",
    "codebook_rows",
    "comment_columns",
    "comment_rows",
    "findings_from_json",
    "findings_to_json",
    "opinion_columns",
    "opinion_rows",
    "read_findings",
    "write_report",
]
