"""Losses: zero or least where vectors lie as they should, larger where they do not, and blind to what they should not see."""

import math

import pytest

torch = pytest.importorskip("torch", reason="the [train] extra is not installed")

from feedback_miner.domain import Sentiment  # noqa: E402
from feedback_miner.stages.sentiment import fold_sentiments  # noqa: E402
from feedback_miner.training.losses import centred, contrast, fold, imitation, relation, shared_labels, translation  # noqa: E402


def unit(*rows: list[float]) -> "torch.Tensor":
    return torch.nn.functional.normalize(torch.tensor(rows), dim=1)


TWO_THEMES = unit([1.0, 0.0], [1.0, 0.01], [0.0, 1.0], [0.01, 1.0])


def test_shared_labels_counts_what_two_rows_have_in_common() -> None:
    shared = shared_labels(torch.tensor([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]))
    assert shared.tolist() == [[0, 0.5, 0, 0], [0.5, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]


def test_contrast_is_small_where_themes_lie_apart_and_large_where_they_are_crossed() -> None:
    right = shared_labels(torch.tensor([[1.0, 0], [1, 0], [0, 1], [0, 1]]))
    crossed = shared_labels(torch.tensor([[1.0, 0], [0, 1], [1, 0], [0, 1]]))
    assert contrast(TWO_THEMES, right, temperature=0.05) < 1e-3
    assert contrast(TWO_THEMES, crossed, temperature=0.05) > 15


def test_contrast_at_chance_is_the_logarithm_of_the_others() -> None:
    same = unit([1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0])
    shared = shared_labels(torch.tensor([[1.0, 0], [1, 0], [0, 1], [0, 1]]))
    assert float(contrast(same, shared, temperature=0.05)) == pytest.approx(math.log(3), abs=1e-5)


def test_a_row_that_shares_nothing_is_contrast_and_no_loss() -> None:
    rows = torch.cat([TWO_THEMES, unit([-1.0, -1.0])])
    alone = shared_labels(torch.tensor([[1.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1]]))
    loss = contrast(rows.requires_grad_(), alone, temperature=0.05)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(rows.grad).all()


def test_translation_wants_each_text_to_find_its_own() -> None:
    assert translation(TWO_THEMES[::2], TWO_THEMES[1::2], temperature=0.05) < 1e-3
    assert translation(TWO_THEMES[::2], TWO_THEMES[1::2].flip(0), temperature=0.05) > 15


def test_relation_does_not_mind_where_the_neighbourhood_lies() -> None:
    torch.manual_seed(1)
    rows = torch.nn.functional.normalize(torch.randn(12, 6), dim=1)
    turned = rows @ torch.linalg.qr(torch.randn(6, 6)).Q
    assert abs(float(relation(turned, rows, temperature=0.1))) < 1e-4
    assert float(relation(torch.roll(rows, 1, 0), rows, temperature=0.1)) > 0.5


def test_imitation_is_zero_for_the_same_vectors_only() -> None:
    torch.manual_seed(2)
    rows = torch.nn.functional.normalize(torch.randn(9, 5), dim=1)
    assert float(imitation(rows, rows)) == pytest.approx(0.0, abs=1e-5)
    assert float(imitation(rows.flip(0), rows)) > 0.5


def test_centred_rows_have_length_one_and_no_common_direction() -> None:
    rows = centred(unit([3.0, 1.0], [3.0, -1.0], [3.0, 0.5], [3.0, -0.5]))
    assert rows.norm(dim=1).tolist() == pytest.approx([1.0] * 4)
    assert (rows @ rows.T).min() < -0.9


def test_fold_reads_a_comment_as_it_is_read_when_it_serves() -> None:
    odds = torch.tensor([[2.0, 0.1, -1.0], [-1.0, 0.4, 0.7], [0.2, 1.5, 0.1]])
    lengths = [9, 30, 12]
    folded = fold(odds, torch.tensor(lengths).float(), torch.tensor([0, 0, 1]), 2).softmax(dim=1)
    served = fold_sentiments([Sentiment(*row) for row in odds[:2].softmax(dim=1).tolist()], lengths[:2])
    assert folded[0].tolist() == pytest.approx([served.negative, served.neutral, served.positive], abs=1e-5)
    assert folded[1].tolist() == pytest.approx(odds[2].softmax(dim=0).tolist(), abs=1e-6), "one opinion is the comment"
