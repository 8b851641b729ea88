"""Segmentation on a vocabulary small enough to work out by hand."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_miner.embedders.characters import replace_unencodable
from feedback_miner.embedders.unigram import UnigramTokenizer

MARK = "\u2581"
VOCABULARY = {
    "<s>": 0.0,
    "<unk>": 0.0,
    MARK: -2.0,
    f"{MARK}ab": -3.0,
    "a": -4.0,
    "b": -4.0,
    "ab": -5.0,
    "abc": -13.5,
    "c": -6.0,
    "é": -5.0,
    "s": -6.0,
}
UNKNOWN = 1
IDS = {piece: token for token, piece in enumerate(VOCABULARY)}


def make_tokenizer() -> UnigramTokenizer:
    return UnigramTokenizer(
        list(VOCABULARY),
        list(VOCABULARY.values()),
        special=frozenset({"<s>", "<unk>"}),
        unknown_id=UNKNOWN,
        normalization={0x3000: " ", 0xAD: "", 0xFF41: "a"},
    )


def pieces(text: str, *, limit: int = 100) -> list[str]:
    names = list(VOCABULARY)
    return [names[token] for token in make_tokenizer().encode(text, limit=limit)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ab", [f"{MARK}ab"]),  # -3 beats the mark and "ab", -7
        ("abab", [f"{MARK}ab", "ab"]),
        ("abc", [f"{MARK}ab", "c"]),  # -9 beats the mark and "abc", -15.5
        ("b ab", [MARK, "b", f"{MARK}ab"]),
        ("b   ab", [MARK, "b", f"{MARK}ab"]),  # runs of spaces are one
        (" ab", [f"{MARK}ab"]),
        ("", [MARK]),
        ("a\u3000b", [MARK, "a", MARK, "b"]),  # the table's rules: to a space,
        ("a\u00adb", [f"{MARK}ab"]),  # to nothing,
        ("\uff41b", [f"{MARK}ab"]),  # to another character
        ("xyzb", [MARK, "<unk>", "b"]),  # a run of unknown characters is one token
        ("xbx", [MARK, "<unk>", "b", "<unk>"]),
        ("<s>", [MARK, "<unk>", "s", "<unk>"]),  # text never becomes a special token
        ("e\u0301", [MARK, "é"]),  # composed before anything else
    ],
)
def test_encode_finds_most_probable_pieces(text, expected):
    assert pieces(text) == expected


def test_encode_keeps_only_first_tokens():
    assert pieces("ab ab ab ab", limit=3) == [f"{MARK}ab"] * 3


def test_encode_of_long_text_starts_like_its_beginning():
    assert pieces("abc" * 50_000, limit=7) == pieces("abc" * 20, limit=7)


@given(st.text(st.characters(codec=None), max_size=60))
def test_encode_accepts_any_text(text):
    ids = make_tokenizer().encode(text, limit=50)
    assert all(0 <= token < len(VOCABULARY) for token in ids)
    assert IDS["<s>"] not in ids


@given(st.text("abcé xyz\u0301", max_size=30))
def test_encode_gives_canonically_equal_texts_equal_ids(text):
    assert pieces(unicodedata.normalize("NFD", text)) == pieces(unicodedata.normalize("NFC", text))


@given(st.lists(st.sampled_from(["ab", "abc", "b", "xx"]), max_size=8))
def test_encode_is_the_same_with_a_warm_cache(words):
    tokenizer = make_tokenizer()
    text = " ".join(words)
    assert tokenizer.encode(text, limit=99) == tokenizer.encode(text, limit=99) == make_tokenizer().encode(text, limit=99)


def test_encode_forgets_words_rather_than_grow(monkeypatch):
    monkeypatch.setattr("feedback_miner.embedders.unigram._CACHED_WORDS", 3)
    tokenizer = make_tokenizer()
    for text in ("a", "b", "c", "aa", "bb", "cc", "ab"):
        tokenizer.encode(text, limit=9)
    assert len(tokenizer._cache) <= 3
    assert tokenizer.encode("ab", limit=9) == [IDS[f"{MARK}ab"]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain 文字 😀", "plain 文字 😀"),
        ("a\0b", "a b"),
        ("\ud83d\ude00", "😀"),
        ("x\ud83dy", "x\ufffdy"),
        ("\ude00\ud83d", "\ufffd\ufffd"),
        ("", ""),
    ],
)
def test_replace_unencodable_mends_only_what_no_encoder_takes(text, expected):
    assert replace_unencodable(text) == expected


@given(st.text(st.characters(codec=None)))
def test_replace_unencodable_always_encodes(text):
    assert replace_unencodable(replace_unencodable(text)) == replace_unencodable(text)
    replace_unencodable(text).encode()
