"""Classified texts as JSON holds them: what ``feedback-miner classify --json`` prints and ``/v1/classify`` answers. Decides nothing."""

from collections.abc import Mapping
from typing import Any

from feedback_miner.classify import Classification, ClassifiedOpinion, Classifier
from feedback_miner.domain import Polarity, Sentiment, Theme
from feedback_miner.report.causes import pick_name
from feedback_miner.taxonomy import get_cause

__all__ = ["answer_of", "cause_name", "theme_name"]


def answer_of(found: Classification, classifier: Classifier, language: str) -> dict[str, Any]:
    """Return one text's answer; spans are ``[start, end)`` in code points of the text as it was given."""
    sentiment = (
        None
        if found.sentiment is None
        else {**_sentiment(found.sentiment), "label": found.polarity, "mixed": found.polarity is Polarity.MIXED}
    )
    themes = {theme.id: theme for theme in classifier.theme_set.themes}
    return {
        "language": found.language,
        "sentiment": sentiment,
        "theme": None if found.theme is None else {"id": found.theme, "label": theme_name(themes, found.theme, language)},
        "opinions": [_opinion_object(opinion, classifier, themes, language) for opinion in found.opinions],
        "urgent": list(found.urgent),
        "abstained": found.abstained,
        "taxonomy_version": classifier.taxonomy.version,
        "theme_set_version": classifier.theme_set.version,
        "model_version": f"{classifier.theme_set.encoder_version}+{classifier.theme_set.heads_version}",
    }


def _opinion_object(opinion: ClassifiedOpinion, classifier: Classifier, themes: Mapping[str, Theme], language: str) -> dict[str, Any]:
    return {
        "span": [opinion.start, opinion.end],
        "text": opinion.text,
        "sentiment": {**_sentiment(opinion.sentiment), "label": opinion.sentiment.label},
        "type": opinion.type,
        "themes": [
            {"id": theme.theme, "label": theme_name(themes, theme.theme, language), "score": theme.strength} for theme in opinion.themes
        ],
        "residual": opinion.residual,
        "causes": [
            {
                "id": cause.cause,
                "label": cause_name(cause.cause, classifier, language),
                "score": cause.score,
                "span": [cause.start, cause.end],
                "stage": get_cause(classifier.taxonomy, cause.cause).stage,
                "owner": get_cause(classifier.taxonomy, cause.cause).owner,
            }
            for cause in opinion.causes
        ],
    }


def _sentiment(sentiment: Sentiment) -> dict[str, float]:
    return {
        "score": round(sentiment.score, 6),
        "negative": round(sentiment.negative, 6),
        "neutral": round(sentiment.neutral, 6),
        "positive": round(sentiment.positive, 6),
    }


def theme_name(themes: Mapping[str, Theme], theme: str, language: str) -> str:
    """Return a theme's name in a language, or in another one it has."""
    found = themes.get(theme)
    return pick_name(found.names, language, theme) if found else theme


def cause_name(cause: str, classifier: Classifier, language: str) -> str:
    """Return a cause's name in a language, or in another one it has."""
    return pick_name(get_cause(classifier.taxonomy, cause).names, language, cause)
