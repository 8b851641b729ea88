"""Our own encoder: the same bits in any company, nothing that vanishes, nothing that a smiley moves, and light to load."""

import json
import subprocess
import sys

import numpy as np
import pytest

from feedback_miner.embedders import load_embedder
from feedback_miner.embedders.feedback_small import FeedbackSmallEmbedder
from feedback_miner.errors import InputError
from feedback_miner.weights import model_path

PAIRS = (
    ("The courier threw my parcel over the fence and it broke.", "快递员把包裹直接扔过围栏，东西都摔坏了。"),
    ("I was on hold for half an hour and then cut off.", "电话等了半个小时，然后就被挂断了。"),
    ("The room smelled of smoke and the sheets were dirty.", "房间里一股烟味，床单也是脏的。"),
    ("The app crashes every time I open the settings.", "每次打开设置，应用就闪退。"),
    ("They charged me twice and will not refund it.", "他们重复扣了我两次钱，还不肯退款。"),
    ("The engine makes a strange noise when it is cold.", "冷车启动的时候发动机有异响。"),
    ("The nurse explained everything kindly and took her time.", "护士很耐心，态度也好，什么都解释得很清楚。"),
    ("The noodles were cold and far too salty.", "面条是凉的，而且咸得不行。"),
)
TEXTS = [text for pair in PAIRS for text in pair]


@pytest.fixture(scope="module")
def embedder() -> FeedbackSmallEmbedder:
    loaded = load_embedder("feedback-small")
    assert isinstance(loaded, FeedbackSmallEmbedder)
    return loaded


def test_rows_have_length_one_and_any_text_has_one(embedder) -> None:
    vectors = embedder.encode(["", " ", "\0", "\ud800", "好", "x" * 30_000, *TEXTS])
    assert vectors.shape == (6 + len(TEXTS), embedder.dimensions)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-5)


def test_a_texts_bits_do_not_depend_on_company_order_or_process(embedder) -> None:
    together = embedder.encode(TEXTS)
    assert np.array_equal(together, np.stack([embedder.encode([text])[0] for text in TEXTS]))
    assert np.array_equal(together[::-1], embedder.encode(TEXTS[::-1]))
    assert np.array_equal(together, FeedbackSmallEmbedder(workers=1).encode(TEXTS))
    code = (
        "import json, sys; from feedback_miner.embedders import load_embedder; e = load_embedder('feedback-small');"
        "v = e.encode(json.load(sys.stdin));"
        "print(json.dumps({'hex': v.tobytes().hex(), 'version': e.version,"
        " 'heavy': sorted({'torch', 'transformers', 'huggingface_hub'} & sys.modules.keys())}))"
    )
    done = subprocess.run([sys.executable, "-c", code], input=json.dumps(TEXTS), capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    assert told == {"hex": together.tobytes().hex(), "version": embedder.version, "heavy": []}


def test_a_complaint_lies_next_to_its_translation(embedder) -> None:
    vectors = embedder.encode(TEXTS)
    english, chinese = (side - side.mean(axis=0) for side in (vectors[::2], vectors[1::2]))
    assert (english @ chinese.T).argmax(axis=1).tolist() == list(range(len(PAIRS)))


@pytest.mark.parametrize("added", [" \U0001f621", "\U0001f44d", " \U0001faf8", "!!!"])
def test_a_smiley_hardly_moves_a_text(embedder, added) -> None:
    moved = 1.0 - (embedder.encode(TEXTS) * embedder.encode([text + added for text in TEXTS])).sum(axis=1)
    assert 0.0 < moved.max() < 0.05


def test_no_character_vanishes(embedder) -> None:
    plain, *others = embedder.encode(
        ["a shop called", "a shop called \U00020bb7", "a shop called \U0001faf8", "a shop called \u1e9e\u0f3a"]
    )
    assert all(not np.array_equal(plain, other) for other in others)
    assert len({other.tobytes() for other in others}) == 3


def test_it_is_small() -> None:
    folder = model_path("feedback-small")
    assert sum((folder / file).stat().st_size for file in ("encoder.onnx", "words.npy", "learned.npz", "tokenizer.json")) < 25e6


def test_no_workers_is_no_encoder() -> None:
    with pytest.raises(InputError, match="at least 1"):
        FeedbackSmallEmbedder(workers=0)
