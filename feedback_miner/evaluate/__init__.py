"""Score the miner against labelled files: themes, sentiment, behaviour, causes, strength. A labelled file in, one JSON-able mapping out.

Rows whose label is empty are never scored; how many were is said. Nothing here is tuned on the file it scores: themes, sentiment and
zero-shot causes are run as they ship, causes and strength fit a linear head on file A (regularisation and thresholds by cross-validation
inside A) and score it on file B.
"""

from feedback_miner.evaluate.labels import evaluate_causes, evaluate_strength, evaluate_zero_shot
from feedback_miner.evaluate.sentiment import (
    comment_sentiments,
    evaluate_behaviour,
    evaluate_sentiment,
    expected_calibration_error,
    sentiment_metrics,
)
from feedback_miner.evaluate.themes import evaluate_themes

__all__ = [
    "comment_sentiments",
    "evaluate_behaviour",
    "evaluate_causes",
    "evaluate_sentiment",
    "evaluate_strength",
    "evaluate_themes",
    "evaluate_zero_shot",
    "expected_calibration_error",
    "sentiment_metrics",
]
