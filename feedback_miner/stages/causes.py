"""Root causes of opinions: a softmax regression over aligned vectors, fitted on a taxonomy's own example utterances.

Comes in: aligned vectors; goes out: aspects and causes with score, runner-up and an honest "unmapped". Both languages' utterances,
complaints and praise alike, teach a cause its *aspect*; whether an opinion is a complaint about it is the sentiment's business. A taxonomy
of the user's own needs no training data beyond its utterances; for the packs that ship, labelled comments were fitted beside them
(`training.cause_head`), and what came of it is among the heads. What a theme is about then says what its members are likely about:
``cause_prior`` is frozen with the theme, ``adjust_to_prior`` weighs each member's reading with it.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from feedback_miner.domain import Aspect, CauseScore, Sentiment, Vectors
from feedback_miner.stages.space import align_vectors
from feedback_miner.taxonomy import Taxonomy

__all__ = [
    "UNMAPPED",
    "adjust_to_prior",
    "cause_prior",
    "find_causes",
    "fit_causes",
    "pack_name",
    "read_aspects",
    "score_causes",
    "taxonomy_utterances",
]

UNMAPPED = "unmapped"
_INVERSE_REGULARISATION = 10.0
"""By 5-fold cross-validation over the default pack's utterances, in the vectors of e5-small: .82 of 36 classes right."""
_LEAST_PRIOR = 0.02
"""No theme rules a cause out."""


def taxonomy_utterances(taxonomy: Taxonomy) -> list[tuple[str, str, str]]:
    """Return (cause id, language, text) of every example, complaints and praise, and of those that are no cause; sorted."""
    examples = [(UNMAPPED, language, text) for language, texts in taxonomy.unmapped_utterances.items() for text in texts]
    for cause in taxonomy.causes:
        for utterances in (cause.utterances, cause.praise):
            examples += [(cause.id, language, text) for language, texts in utterances.items() for text in texts]
    return sorted(set(examples))


def pack_name(taxonomy: Taxonomy) -> str:
    """Return what fitted causes of a taxonomy are kept under: id and version, which tells of any change in it."""
    return f"{taxonomy.id} {taxonomy.version}"


def find_causes(
    taxonomy: Taxonomy,
    fitted: Mapping[str, tuple[tuple[str, ...], Vectors]],
    encode: Callable[[Sequence[str]], Vectors],
    means: Mapping[str, Vectors],
) -> tuple[tuple[str, ...], Vectors]:
    """Return the columns and weights of this very taxonomy that came with the heads (`Heads.causes`); of any other, as `fit_causes`."""
    return fitted.get(pack_name(taxonomy)) or fit_causes(taxonomy, encode, means)


def fit_causes(
    taxonomy: Taxonomy, encode: Callable[[Sequence[str]], Vectors], means: Mapping[str, Vectors]
) -> tuple[tuple[str, ...], Vectors]:
    """Fit the regression; return its columns (``unmapped`` last) and ``(d + 1, columns)`` weights, intercept in the last row."""
    from sklearn.linear_model import LogisticRegression

    examples = taxonomy_utterances(taxonomy)
    texts = [text for _, _, text in examples]
    vectors = align_vectors(encode(texts), texts, [language for _, language, _ in examples], means)
    causes = sorted({cause for cause, _, _ in examples} - {UNMAPPED})
    columns = (*causes, UNMAPPED)
    place = {cause: at for at, cause in enumerate(columns)}
    if len({cause for cause, _, _ in examples}) < 2:
        # One class cannot be told from nothing: everything is that class.
        weights = np.zeros((vectors.shape[1] + 1, len(columns)))
        weights[-1, place[examples[0][0]]] = 10.0
        return columns, weights.astype(np.float32)
    labels = np.array([place[cause] for cause, _, _ in examples])
    model = LogisticRegression(C=_INVERSE_REGULARISATION, max_iter=1000, class_weight="balanced").fit(vectors.astype(np.float64), labels)
    coefficients, intercepts = model.coef_, model.intercept_
    if len(model.classes_) == 2:  # scikit-learn folds two classes into one row
        coefficients, intercepts = np.vstack([-coefficients, coefficients]) / 2, np.concatenate([-intercepts, intercepts]) / 2
    weights = np.full((vectors.shape[1] + 1, len(columns)), 0.0)
    weights[-1] = -30.0  # a class without examples is never chosen
    weights[:-1, model.classes_] = coefficients.T
    weights[-1, model.classes_] = intercepts
    return columns, weights.astype(np.float32)


def score_causes(vectors: Vectors, weights: Vectors) -> NDArray[np.float64]:
    """Return probabilities ``(n, columns)``, rounded to six decimals; each row by itself, so company does not matter."""
    scores = np.empty((len(vectors), weights.shape[1]), np.float64)
    for row, vector in enumerate(vectors):
        logits = (vector @ weights[:-1] + weights[-1]).astype(np.float64)
        odds = np.exp(logits - logits.max())
        scores[row] = odds / odds.sum()
    return scores.round(6)


def cause_prior(scores: NDArray[np.float64]) -> Vectors:
    """Return how often each cause occurs among a theme's members, ``(columns,)``: the mean of their probabilities, never quite zero.

    A theme without members has no prior to speak of: all causes alike.
    """
    shares = scores.sum(axis=0) / max(1, len(scores)) + _LEAST_PRIOR
    return np.asarray(shares / shares.sum(), np.float32)


def adjust_to_prior(scores: NDArray[np.float64], prior: Vectors) -> NDArray[np.float64]:
    """Weigh one row of probabilities with its theme's prior, by Bayes' rule; rounded to six decimals.

    The regression is fitted on balanced classes, so its own prior is uniform and drops out (Saerens, Latinne and Decaestecker 2002).
    """
    adjusted = scores * prior
    return np.asarray((adjusted / adjusted.sum()).round(6))


def read_aspects(
    scores: NDArray[np.float64], columns: Sequence[str], threshold: float, sentiment: Sentiment, span: tuple[int, int]
) -> tuple[tuple[Aspect, ...], tuple[CauseScore, ...]]:
    """Turn one row of scores into aspects and, where the opinion is negative, causes with their evidence span.

    The runner-up of a cause is the best other cause, mapped or not.
    """
    order = [at for at in np.argsort(-scores, kind="stable").tolist() if columns[at] != UNMAPPED]
    likely = scores.tolist()
    mapped = [at for at in order if likely[at] >= threshold]
    aspects = tuple(Aspect(columns[at], likely[at]) for at in mapped)
    if sentiment.negative <= max(sentiment.neutral, sentiment.positive):
        return aspects, ()
    causes = []
    for at in mapped:
        other = next((rival for rival in order if rival != at), None)
        runner_up, runner_up_score = (columns[other], likely[other]) if other is not None else (None, 0.0)
        causes.append(CauseScore(columns[at], likely[at], runner_up, runner_up_score, *span))
    return aspects, tuple(causes)
