"""Feedback Miner: what customers write in; themes, sentiment, root causes and scores out.

    analysis = feedback_miner.mine("survey.csv", text="comment", score="nps")
    analysis.save("report")
    feedback_miner.Classifier.load("report").classify(["the parcel came two weeks late"])

Light to import: models and numerical libraries load when they are first needed.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from feedback_miner.errors import FeedbackMinerError

if TYPE_CHECKING:
    from feedback_miner.analysis import Analysis, load
    from feedback_miner.classify import Classification, Classifier
    from feedback_miner.config import MiningConfig
    from feedback_miner.embedders import Embedder
    from feedback_miner.progress import Progress

__version__ = "0.1.0"

__all__ = ["Analysis", "Classification", "Classifier", "FeedbackMinerError", "MiningConfig", "__version__", "load", "mine"]

_HOMES = {
    "Analysis": "feedback_miner.analysis",
    "Classification": "feedback_miner.classify",
    "Classifier": "feedback_miner.classify",
    "MiningConfig": "feedback_miner.config",
    "load": "feedback_miner.analysis",
}


def mine(
    source: Any,
    *,
    text: str | Sequence[str] | None = None,
    score: str | None = None,
    score_kind: str | None = None,
    date: str | None = None,
    customer: str | None = None,
    channel: str | None = None,
    weight: str | None = None,
    attributes: Sequence[str] = (),
    sheet: str | None = None,
    encoding: str | None = None,
    config: "MiningConfig | None" = None,
    embedder: "Embedder | None" = None,
    progress: "Progress | None" = None,
) -> "Analysis":
    """Mine a file, a DataFrame (polars or pandas), or an iterable of strings or mappings.

    Columns that are not named are guessed; ``analysis.findings.columns`` says what was taken for what, and why. ``score_kind`` is one of
    ``nps``, ``csat``, ``ces``, ``stars``. ``embedder`` overrides ``config.encoder`` with one of your own. Raises InputError where the
    source cannot be used; a bad row never does: see ``analysis.run.issues``.
    """
    from feedback_miner.config import MiningConfig
    from feedback_miner.domain import ScoreKind
    from feedback_miner.errors import InputError
    from feedback_miner.ingest import IngestOptions
    from feedback_miner.pipeline import mine_items

    kinds = [kind.value for kind in ScoreKind]
    if score_kind is not None and score_kind not in kinds:
        raise InputError(f"score_kind {score_kind!r} is not one of {', '.join(kinds)}")
    options = IngestOptions(
        texts=() if text is None else (text,) if isinstance(text, str) else tuple(text),
        score=score,
        score_kind=None if score_kind is None else ScoreKind(score_kind),
        date=date,
        customer=customer,
        channel=channel,
        weight=weight,
        attributes=tuple(attributes),
        sheet=sheet,
        encoding=encoding,
    )
    return mine_items(source, options=options, config=config or MiningConfig(), embedder=embedder, progress=progress)


def __getattr__(name: str) -> Any:
    """Import the rest of the front door when it is first asked for."""
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
