"""report.html:
findings in, one self-contained page out. No script, no network, no external font; both languages inside, switched by style alone.
"""

from collections.abc import Callable
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from feedback_miner.domain import Findings, Run
from feedback_miner.errors import InputError
from feedback_miner.report import figures
from feedback_miner.report.causes import Taxonomy, read_causes
from feedback_miner.report.page import view_report
from feedback_miner.report.texts import LANGUAGES, text

__all__ = ["render_report"]


def render_report(
    findings: Findings,
    run: Run,
    *,
    language: str = "zh",
    taxonomy: Taxonomy | None = None,
    theme_link: Callable[[str], str] | None = None,
) -> str:
    """Render the whole report as one HTML page, shown in ``language`` first.

    ``theme_link`` gives the address of a theme's opinions by its id; without it the page leads nowhere but to itself.

    Raises:
        InputError: the page has no such language.
    """
    if language not in LANGUAGES:
        raise InputError(f"the report has no language '{language}'; choose one of: {', '.join(LANGUAGES)}")
    view = view_report(findings, run, language=language, causes=read_causes(taxonomy or {}))
    return _template().render(view=view, theme_link=theme_link)


@cache
def _template() -> Template:
    # Quotes are strangers' words: everything is escaped unless it says otherwise, and a misspelt name is an error, not a blank.
    environment = Environment(
        loader=PackageLoader("feedback_miner.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals["t"] = text
    environment.filters["count"] = figures.count
    return environment.get_template("report.html")
