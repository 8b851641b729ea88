"""A list of opinions as one page, for whoever follows a link of the report: records in, HTML out. No script; both languages inside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from feedback_miner.domain import Polarity
from feedback_miner.report.causes import CauseBook, Localized
from feedback_miner.report.texts import Both, both_names, text

__all__ = ["OpinionRecord", "render_opinions"]


@dataclass(frozen=True, slots=True)
class OpinionRecord:
    """An opinion as it is listed: ``document[start:end]`` is marked in its document."""

    document: str
    start: int
    end: int
    language: str
    score: float | None
    day: str | None
    channel: str | None
    sentiment: Polarity
    theme: str | None
    causes: tuple[str, ...]


def render_opinions(
    records: Sequence[OpinionRecord],
    *,
    names: Mapping[str, Localized],
    causes: CauseBook,
    subject: str | None,
    language: str,
    report: str,
    sentiments: Mapping[str | None, str],
    shown: str | None,
    following: str | None,
) -> str:
    """Render a page of opinions.

    ``names`` are those of the themes by id; ``subject`` is the theme that is listed, ``residual``, or ``None`` for all; ``sentiments``
    holds the address of the list of each sentiment (``None``: of all), ``shown`` being the one listed; ``report`` and ``following`` are the
    addresses of the report and of the next page.
    """
    if subject is None:
        title = text("opinions.all")
    else:
        title = text("aside.opinions") if subject == "residual" else both_names(names.get(subject, {}), subject)
    return _template().render(
        records=records,
        title=title,
        subject=subject,
        language=language,
        report=report,
        sentiments=sentiments,
        shown=shown,
        following=following,
        theme_name=lambda theme: both_names(names.get(theme, {}), theme),
        cause_name=lambda cause: Both(causes.cause_name(cause, "zh"), causes.cause_name(cause, "en")),
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("feedback_miner.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals["t"] = text
    return environment.get_template("opinions.html")
