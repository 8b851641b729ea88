"""Somebody else's model behind our seam, tried on a BERT of random weights that is made here."""

import importlib.util
import sys

import numpy as np
import pytest

from feedback_miner.embedders import load_embedder
from feedback_miner.embedders.sentence_transformers import SentenceTransformersEmbedder, _unit_rows, choose_prompt
from feedback_miner.errors import MissingExtraError, WeightsError

needs_extra = pytest.mark.skipif(
    importlib.util.find_spec("sentence_transformers") is None, reason="sentence-transformers (the [models] extra) is not installed"
)

TEXTS = ["late parcel", "slow refund again", "ok", "", "rude waiter and cold soup and long queue", "ok", "late\0parcel", "half \ud800"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    pytest.importorskip("sentence_transformers")
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    root = tmp_path_factory.mktemp("model")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "late", "parcel", "slow", "refund", "again", "ok", "rude", "waiter"]
    words += ["and", "cold", "soup", "long", "queue", "half", "query", ":"]
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, max_position_embeddings=32
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(root / "bert")
    BertTokenizerFast(vocab={word: token for token, word in enumerate(words)}, model_max_length=16).save_pretrained(root / "bert")
    # A bare transformer gets mean pooling; saved, the folder says so itself.
    SentenceTransformer(str(root / "bert"), device="cpu").save(str(root / "model"))
    return root / "model"


@pytest.fixture(scope="module")
def embedder(folder):
    return load_embedder(str(folder))


@needs_extra
def test_encode_returns_unit_float32_rows(embedder):
    vectors = embedder.encode(TEXTS)
    assert embedder.dimensions == 32
    assert vectors.shape == (len(TEXTS), 32)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


@needs_extra
def test_encode_of_nothing_is_an_empty_array(embedder):
    assert embedder.encode([]).shape == (0, 32)


@needs_extra
def test_encode_ignores_company_and_order(embedder):
    vectors = embedder.encode(TEXTS)
    assert np.array_equal(vectors, np.concatenate([embedder.encode([text]) for text in TEXTS]))
    assert np.array_equal(vectors, embedder.encode(TEXTS[::-1])[::-1])


@needs_extra
def test_encode_takes_any_string(embedder):
    vectors = embedder.encode(["late\0parcel", "late parcel"])
    assert np.array_equal(vectors[0], vectors[1])


@needs_extra
def test_encode_reports_progress(embedder):
    seen: list[int] = []
    embedder.encode(["ok", "late", ""], progress=seen.append)
    assert seen == [1, 2, 3]


@needs_extra
def test_batches_for_a_gpu_hold_texts_of_one_length(folder):
    embedder = SentenceTransformersEmbedder(str(folder), device="cpu")
    expected = embedder.encode(TEXTS * 9)
    embedder._device = "no cpu"  # the batches and rounding of a GPU, computed where the tests run
    batches = list(embedder._batches([text.replace("\ud800", "x") for text in TEXTS * 9]))
    assert sorted(row for batch in batches for row in batch) == list(range(len(TEXTS) * 9))
    assert 1 < max(map(len, batches)) <= 32
    vectors = embedder.encode(TEXTS * 9)
    assert np.allclose(vectors, expected, atol=1e-3)
    assert np.array_equal(vectors[: len(TEXTS)], embedder.encode(TEXTS))


@needs_extra
def test_version_follows_the_weights_and_the_prompt(folder, embedder, tmp_path):
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu")
    model.save(str(tmp_path / "same"))
    same = load_embedder(str(tmp_path / "same")).version.rpartition("@")[2]
    assert same == embedder.version.rpartition("@")[2]
    model.save(str(tmp_path / "e5-small"))
    assert load_embedder(str(tmp_path / "e5-small")).version.rpartition("@")[2] != same
    next(model.parameters()).data[0] += 1
    model.save(str(tmp_path / "trained"))
    assert load_embedder(str(tmp_path / "trained")).version.rpartition("@")[2] != same


@needs_extra
def test_e5_prompt_reaches_the_model(folder, embedder, tmp_path):
    from sentence_transformers import SentenceTransformer

    SentenceTransformer(str(folder), device="cpu").save(str(tmp_path / "e5-copy"))
    prompted = load_embedder(str(tmp_path / "e5-copy"))
    assert np.array_equal(prompted.encode(["late parcel"]), embedder.encode(["query: late parcel"]))


@needs_extra
def test_load_says_what_cannot_be_loaded(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "modules.json").write_text("{", encoding="utf-8")
    with pytest.raises(WeightsError, match=r"cannot be loaded .*or use 'feedback-small'"):
        load_embedder(str(tmp_path))


def test_load_says_which_extra_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'feedback-miner\[models\]'"):
        load_embedder("BAAI/bge-m3")


@pytest.mark.parametrize(
    ("name", "prompts", "default", "expected"),
    [
        ("BAAI/bge-m3", {}, None, ""),
        ("intfloat/multilingual-e5-small", {}, None, "query: "),
        ("intfloat/multilingual-e5-small", {"query": "", "document": ""}, None, "query: "),
        ("intfloat/e5-base-v2", {"query": "q> "}, None, "q> "),
        ("models/e5", {}, None, "query: "),
        ("intfloat/multilingual-e5-large-instruct", {}, None, "Instruct: Identify the topic or theme of the customer feedback\nQuery: "),
        ("someone/case5-bert", {}, None, ""),
        ("Qwen/Qwen3-Embedding-0.6B", {"query": "Instruct: search\nQuery:", "document": ""}, None, ""),
        ("nomic/embed", {"clustering": "clustering: ", "query": "search: "}, "query", "clustering: "),
        ("someone/model", {"sts": "similar: "}, "sts", "similar: "),
    ],
)
def test_choose_prompt_prefers_what_the_model_declares(name, prompts, default, expected):
    assert choose_prompt(name, prompts, default) == expected


def test_unit_rows_gives_zero_rows_the_first_axis():
    assert _unit_rows(np.array([[0, 0], [3, 4]], np.float32)).tolist() == pytest.approx(np.array([[1, 0], [0.6, 0.8]]))
