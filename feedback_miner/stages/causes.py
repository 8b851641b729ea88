"""Root causes of opinions: a softmax regression over aligned vectors and likeness to a taxonomy's own example utterances.

Comes in: aligned vectors; goes out: aspects and causes with score, runner-up and an honest "unmapped". Both languages' utterances,
complaints and praise alike, teach a cause its *aspect*; whether an opinion is a complaint about it is the sentiment's business. A cause is
several things (late, incomplete and damaged are all delivery), so it has several *facets*, groups of like utterances, and is as likely as
they are together: what resembles one utterance closely need not lie on the side of the boundary where all of them lie. A taxonomy
of the user's own needs no training data beyond its utterances; for the packs that ship, labelled comments were fitted beside them
(`training.cause_head`), and what came of it is among the heads. What a theme is about then says what its members are likely about:
``cause_prior`` is frozen with the theme, ``adjust_to_prior`` weighs each member's reading with it.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from feedback_miner.domain import Aspect, CauseScore, Sentiment, Vectors
from feedback_miner.stages.space import align_vectors, unit_rows
from feedback_miner.taxonomy import Taxonomy

__all__ = [
    "UNMAPPED",
    "add_facets",
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
_MOST_FACETS = 16
_REGRESSION_SHARE = 0.5
_SPREAD = 0.08
"""How far from a facet's utterances (in cosine) an opinion loses a factor of e. These three were chosen on labelled training rows that
causes were fitted without, in the vectors of feedback-small: from 12 facets on, and for .06 to .09, it makes no odds (decision 5)."""
_NEVER = -100.0
"""Log-odds of what is not there."""
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
    """Fit both; return the columns (``unmapped`` last) and weights ``(d + 1, columns, facets)``, intercepts in the last row."""
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
        return columns, weights[:, :, None].astype(np.float32)
    labels = np.array([place[cause] for cause, _, _ in examples])
    model = LogisticRegression(C=_INVERSE_REGULARISATION, max_iter=1000, class_weight="balanced").fit(vectors.astype(np.float64), labels)
    coefficients, intercepts = model.coef_, model.intercept_
    if len(model.classes_) == 2:  # scikit-learn folds two classes into one row
        coefficients, intercepts = np.vstack([-coefficients, coefficients]) / 2, np.concatenate([-intercepts, intercepts]) / 2
    weights = np.zeros((vectors.shape[1] + 1, len(columns)))
    weights[:-1, model.classes_] = coefficients.T
    weights[-1, model.classes_] = intercepts
    return columns, add_facets(weights, vectors, labels)


def add_facets(weights: NDArray[np.floating], vectors: Vectors, labels: NDArray[np.int64]) -> Vectors:
    """Put likeness to utterances beside a regression; return weights ``(d + 1, columns, facets)`` for `score_causes`.

    ``weights`` (d + 1, columns) are the regression's; ``vectors`` (n, d) those of the utterances, ``labels`` their columns. A column's
    facets are its utterances in groups (Ward's), each with the group's mean direction, as often as it has utterances there: their sum is a
    kernel density estimate. The two are multiplied, the regression to the power of its share (a logarithmic pool). A column without
    utterances is never chosen.
    """
    from scipy.cluster.hierarchy import fcluster, linkage

    facets = np.zeros((*weights.shape, _MOST_FACETS))
    facets[-1] = _NEVER
    for column in np.unique(labels):
        own = vectors[labels == column].astype(np.float64)
        groups = fcluster(linkage(own, "ward"), _MOST_FACETS, "maxclust") if len(own) > 1 else np.ones(1, int)
        for facet, group in enumerate(np.unique(groups)):
            members = own[groups == group]
            facets[:-1, column, facet] = unit_rows(members.mean(axis=0, keepdims=True))[0] / _SPREAD
            facets[-1, column, facet] = np.log(len(members) / len(own))
        facets[:, column] += _REGRESSION_SHARE * weights[:, column, None]
    facets = facets[:, :, : np.bincount(labels).max()]  # no column has more
    return facets.astype(np.float32)


def score_causes(vectors: Vectors, weights: Vectors) -> NDArray[np.float64]:
    """Return probabilities ``(n, columns)``, rounded to six decimals; each row by itself, so company does not matter.

    ``weights`` of theme sets that were saved before causes had facets are ``(d + 1, columns)``: one each.
    """
    table = weights.reshape(len(weights), -1)
    scores = np.empty((len(vectors), weights.shape[1]), np.float64)
    for row, vector in enumerate(vectors):
        logits = (vector @ table[:-1] + table[-1]).astype(np.float64)
        odds = np.exp(logits - logits.max()).reshape(weights.shape[1], -1).sum(axis=1)
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
