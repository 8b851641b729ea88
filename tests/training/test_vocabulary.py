"""The student's vocabulary: what occurs is kept, what it lacks becomes bytes, nothing a customer types is a command."""

import pytest

tokenizers = pytest.importorskip("tokenizers", reason="the [train] extra is not installed")

from feedback_miner.embedders.e5_weights import find_packed_file, read_packed_model  # noqa: E402
from feedback_miner.training.vocabulary import BEGIN, BYTES, END, SMALL, build_tokenizer, choose_pieces  # noqa: E402


@pytest.fixture(scope="module")
def model():
    return read_packed_model(find_packed_file())


@pytest.fixture(scope="module")
def kept(model):
    return choose_pieces(model, ["The customer service was outstanding", "客服态度很好"])


@pytest.fixture(scope="module")
def tokenizer(model, kept):
    return tokenizers.Tokenizer.from_buffer(build_tokenizer(model, kept))


def test_keeps_pieces_that_occur_single_characters_and_chinese_words(model, kept) -> None:
    pieces = {model.pieces[token] for token in kept}
    assert {"▁customer", "客服", "快递", "é", "退"} <= pieces
    assert "▁Kunden" not in pieces
    assert not {"<s>", "</s>", "<pad>", "<unk>", "<mask>"} & pieces
    assert kept == sorted(set(kept))


def test_keeps_what_is_known_already(model, kept) -> None:
    more = choose_pieces(model, ["The customer service was outstanding", "客服态度很好"], known={"▁Kunden"})
    assert {model.pieces[token] for token in set(more) - set(kept)} == {"▁Kunden"}


def test_pieces_follow_the_markers_and_bytes(model, kept, tokenizer) -> None:
    encoding = tokenizer.encode("customer")
    assert encoding.ids[0] == BEGIN
    assert encoding.ids[-1] == END
    assert [model.pieces[kept[token - SMALL]] for token in encoding.ids[1:-1]] == ["▁customer"]


def test_a_character_it_lacks_becomes_its_bytes(tokenizer) -> None:
    ids = tokenizer.encode("ok \U0001faf8").ids
    assert [token - BYTES for token in ids if BYTES <= token < SMALL] == list("\U0001faf8".encode())


@pytest.mark.parametrize("typed", ["<s>", "</s>", "<unk>", "<0x41>"])
def test_markers_in_a_text_are_text(tokenizer, typed) -> None:
    ids = tokenizer.encode(f"app says {typed} again").ids[1:-1]
    assert all(token >= SMALL for token in ids)


def test_full_width_and_half_width_are_one(tokenizer) -> None:
    assert tokenizer.encode("ＡＰＰ，不错！").ids == tokenizer.encode("APP,不错!").ids
