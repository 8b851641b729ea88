"""What training asks of vectors. Every function takes unit rows (a tensor ``(n, d)``) and returns one number to make small.

- `contrast`: texts that share a theme lie together (supervised contrastive, Khosla et al. 2020, https://arxiv.org/abs/2004.11362).
- `translation`: a text's nearest neighbour in the other language is its translation (InfoNCE, van den Oord et al. 2018).
- `relation`: who is near whom stays as another model sees it (relational distillation, Park et al. 2019, https://arxiv.org/abs/1904.05068).
- `imitation`: a vector lies where another model puts it, in the cone and around its centre.

`fold` brings what is read of opinions to the comments whose labels are known.
"""

import torch
from torch import Tensor
from torch.nn import functional

from feedback_miner.stages.sentiment import fold_weights

__all__ = ["centred", "contrast", "fold", "imitation", "relation", "shared_labels", "translation"]


def contrast(vectors: Tensor, shared: Tensor, *, temperature: float) -> Tensor:
    """Mean over rows of how unlikely a softmax over the others finds those that share a label, weighted by how much they share.

    ``shared`` (n, n) as `shared_labels` returns it; rows that share nothing with any other only serve as contrast.
    """
    surprise = -torch.log_softmax(_without_self(vectors @ vectors.T / temperature), dim=1).masked_fill(_diagonal(vectors), 0.0)
    weight = shared.sum(dim=1)
    known = weight > 0
    return ((shared * surprise).sum(dim=1)[known] / weight[known]).mean()


def translation(first: Tensor, second: Tensor, *, temperature: float) -> Tensor:
    """Row i of ``first`` is to find row i of ``second`` among all of them, and the other way round."""
    similarity = first @ second.T / temperature
    same = torch.arange(len(first), device=first.device)
    return (functional.cross_entropy(similarity, same) + functional.cross_entropy(similarity.T, same)) / 2


def relation(vectors: Tensor, reference: Tensor, *, temperature: float) -> Tensor:
    """Divergence (nats a row) of each row's neighbours from those it has in ``reference``; both are centred on their mean first."""
    ours = torch.log_softmax(_without_self(centred(vectors) @ centred(vectors).T / temperature), dim=1)
    theirs = torch.log_softmax(_without_self(centred(reference) @ centred(reference).T / temperature), dim=1)
    difference = (theirs - ours).masked_fill(_diagonal(vectors), 0.0)
    return (theirs.exp() * difference).sum(dim=1).mean()


def imitation(vectors: Tensor, reference: Tensor) -> Tensor:
    """Mean of 1 - cosine with ``reference``, plus the same of what is left when the reference's mean is taken from both."""
    mean = reference.mean(dim=0)
    raw = (vectors * reference).sum(dim=1)
    apart = functional.cosine_similarity(vectors - mean, reference - mean, dim=1)
    return (1.0 - raw).mean() + (1.0 - apart).mean()


def fold(odds: Tensor, lengths: Tensor, owners: Tensor, comments: int) -> Tensor:
    """Return the odds ``(comments, 3)`` of comments from those of their opinions ``(opinions, 3)``, as `fold_sentiments` does it.

    ``owners`` (opinions,) says which comment each is of, ``lengths`` how many characters it has. A comment of one opinion keeps its odds,
    but for a constant that no softmax sees.
    """
    weights = fold_weights(lengths, odds.softmax(dim=1)[:, 1])
    apart = odds - odds.mean(dim=1, keepdim=True)
    sums = odds.new_zeros(comments, odds.shape[1]).index_add(0, owners, apart * weights[:, None])
    return sums / odds.new_zeros(comments).index_add(0, owners, weights)[:, None]


def centred(vectors: Tensor) -> Tensor:
    """Subtract the mean row and rescale to length 1."""
    return functional.normalize(vectors - vectors.mean(dim=0), dim=1)


def shared_labels(indicator: Tensor) -> Tensor:
    """Return how much two rows share, 0..1: common labels over the larger number of labels; nothing with oneself.

    ``indicator`` (n, labels) has 1 where a row carries a label.
    """
    counts = indicator.sum(dim=1)
    shared = (indicator @ indicator.T) / torch.maximum(counts[:, None], counts[None, :]).clamp(min=1.0)
    return shared.masked_fill(_diagonal(indicator), 0.0)


def _without_self(similarity: Tensor) -> Tensor:
    return similarity.masked_fill(_diagonal(similarity), float("-inf"))


def _diagonal(rows: Tensor) -> Tensor:
    return torch.eye(len(rows), dtype=torch.bool, device=rows.device)
