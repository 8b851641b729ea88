"""Words of labels: cut, folded and given their role; all texts are ours."""

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_miner.stages.lexicon import SPACED_LANGUAGES, Role, function_words, load_lexicon, stem_word
from feedback_miner.stages.phrases import content_keys, find_phrases, fits_as_name
from feedback_miner.stages.words import compile_masks, find_opinion_words, join_words, read_clauses, take_as_opinions


def surfaces(text: str, language: str) -> list[list[str]]:
    return [[token.surface for token in clause] for clause in read_clauses(text, language)]


def roles(text: str, language: str) -> dict[str, Role]:
    return {token.surface: token.role for clause in read_clauses(text, language) for token in clause}


@pytest.mark.parametrize(
    ("text", "language", "clauses"),
    [
        ("Late again, app crashed!", "en", [["late", "again"], ["app", "crashed"]]),
        ("物流太慢了，客服态度恶劣", "zh", [["物流", "太慢", "了"], ["客服", "态度", "恶劣"]]),
        ("屏幕很差 电话打不通", "zh", [["屏幕", "很差"], ["电话", "打不通"]]),
        ("沒有信號", "zh", [["沒有", "信號"]]),
        ("2.0T动力不足。2.0", "zh", [["2.0t", "动力", "不足"], ["2.0"]]),
        ("waited 1.5 hours.3 times", "en", [["waited", "1.5", "hours"], ["3", "times"]]),
        ("APP闪退", "zh", [["app", "闪退"]]),
        ("mail me at <EMAIL> now", "en", [["mail", "me", "at"], ["now"]]),
        ("@somebody said https://example.org/x?y=1 broke", "en", [["said"], ["broke"]]),
        ("l'attente est longue", "fr", [["l'", "attente", "est", "longue"]]),
        ("sloooow and sooo bad", "en", [["slow", "and", "so", "bad"]]),
        ("no one answers, I can’t log in", "en", [["no one", "answers"], ["i", "can't", "log in"]]),
        ("still out of stock", "en", [["still", "out of stock"]]),
        ("cant pay", "en", [["can't", "pay"]]),
        ("配送が遅い", "ja", [["配送", "遅い"]]),
        ("", "en", []),
        ("…!! 😀", "zh", []),
    ],
)
def test_reads_clauses(text: str, language: str, clauses: list[list[str]]) -> None:
    assert surfaces(text, language) == clauses


@pytest.mark.parametrize(
    ("text", "language", "word", "role"),
    [
        ("the parcel was late", "en", "late", Role.OPINION),
        ("the parcel was late", "en", "parcel", Role.ASPECT),
        ("an unforgivable and clueless answer", "en", "unforgivable", Role.OPINION),
        ("wireless charging", "en", "wireless", Role.ASPECT),
        ("effortless setup", "en", "effortless", Role.OPINION),
        ("没有退款", "zh", "没有", Role.NEGATOR),
        ("真的不经用", "zh", "不经用", Role.OPINION),
        ("尺码太小穿不下", "zh", "穿不下", Role.OPINION),
        ("质量不达标", "zh", "质量", Role.ASPECT),
        ("包装不牢", "zh", "包装", Role.ASPECT),
        ("三天", "zh", "三天", Role.STOP),
        ("不但贵", "zh", "不但", Role.BREAK),
    ],
)
def test_tells_roles(text: str, language: str, word: str, role: Role) -> None:
    found = roles(text, language)
    assert found.get(word) is role, found


def test_counts_traditional_and_simplified_alike() -> None:
    keys = [[key for clause in read_clauses(text, "zh") for key, _ in content_keys(clause, "zh")] for text in ("網速太慢", "网速太慢")]
    assert keys[0] == keys[1]


@pytest.mark.parametrize(
    ("one", "other"),
    [("delivery", "deliveries"), ("crash", "crashing"), ("charge", "charged"), ("stop", "stopped"), ("box", "boxes"), ("class", "classes")],
)
def test_stems_forms_of_one_word_alike(one: str, other: str) -> None:
    assert stem_word(one, "en") == stem_word(other, "en")


@pytest.mark.parametrize(
    ("text", "polarity"), [("late", -1), ("not late", 1), ("good", 1), ("not very good", -1), ("never arrived", -1), ("parcel", 0)]
)
def test_turns_polarity_with_a_negation(text: str, polarity: int) -> None:
    [clause] = read_clauses(text, "en")
    assert sum(value for _, value in content_keys(clause, "en")) == polarity


def test_finds_opinions_by_what_grades_them() -> None:
    clauses = [clause for text in ("the plot was very soporific", "so soporific", "a plot") for clause in read_clauses(text, "en")]
    assert find_opinion_words(clauses) == {stem_word("soporific", "en")}
    taken = take_as_opinions(clauses[0], find_opinion_words(clauses))
    assert {token.surface for token in taken if token.role is Role.OPINION} == {"soporific"}


def test_masks_whole_names_only() -> None:
    pattern = compile_masks(["Ola", "小橙"])
    read = [token.surface for clause in read_clauses("OLA cola 小橙手机", "en", masks=pattern) for token in clause]
    assert read == ["cola", "手机"]
    assert compile_masks(["", " "]) is None


@pytest.mark.parametrize(
    ("words", "text"), [(["late", "delivery"], "late delivery"), (["app", "闪退"], "app闪退"), (["物流", "慢"], "物流慢"), ([], "")]
)
def test_joins_words_as_their_script_does(words: list[str], text: str) -> None:
    assert join_words(words) == text


@pytest.mark.parametrize("language", [*SPACED_LANGUAGES, "zh"])
def test_lexicon_gives_each_word_one_sense(language: str) -> None:
    fields = ("adj", "en") if language == "en" else (language,)
    groups = load_lexicon()["groups"].values()
    counts = Counter(word for group in groups for word in {word for name in fields for word in group.get(name, "").split()})
    assert [word for word, count in counts.items() if count > 1] == []
    assert function_words(language).roles


ENGLISH = ["the", "app", "not", "never", "was", "late", "rude", "and", "no", "parcel", "keeps", "crashing", "to", "too"]
CHINESE = ["物流", "慢", "不", "没有", "的", "客服", "到", "退款", "很", "解决"]


@given(st.sampled_from([(ENGLISH, "en", " "), (CHINESE, "zh", "")]), st.data())
def test_phrases_never_drop_a_negation(vocabulary: tuple[list[str], str, str], data: st.DataObject) -> None:
    words, language, between = vocabulary
    text = between.join(data.draw(st.lists(st.sampled_from(words), max_size=9)))
    for clause in read_clauses(text, language):
        keys = {key for key, _ in content_keys(clause, language)}
        for phrase in find_phrases(clause, language, keys):
            assert fits_as_name(phrase.surface)
            if any(key.startswith("¬") for key in phrase.keys):
                assert re.search(r"\b(?:not|never|no)\b|不|没", phrase.surface), phrase
