"""Disturbances: one thing at a time, the same for the same draw, and never nothing left."""

import numpy as np

from feedback_miner.training.disturb import Disturbance

WORDS = [("gracias", "es"), ("快递", "zh"), ("refund", "en")]


def disturbed(text: str, language: str, count: int = 400) -> set[str]:
    disturbance = Disturbance(WORDS)
    return {disturbance.apply(text, language, np.random.default_rng(number)) for number in range(count)}


def test_a_draw_decides() -> None:
    disturbance = Disturbance(WORDS)
    first = [disturbance.apply("Where is my refund?", "en", np.random.default_rng(number)) for number in range(50)]
    assert first == [disturbance.apply("Where is my refund?", "en", np.random.default_rng(number)) for number in range(50)]


def test_words_come_from_another_language() -> None:
    ends = {text.split()[-1] for text in disturbed("Where is my parcel now", "en")}
    assert {"gracias", "快递"} <= ends
    assert "refund" not in ends


def test_emojis_case_and_marks_come_and_go() -> None:
    texts = disturbed("Where is my parcel, please?", "en")
    assert any(ord(character) > 0x1F300 for text in texts for character in text)
    assert "WHERE IS MY PARCEL, PLEASE?" in texts
    assert "Where is my parcel please" in texts


def test_a_short_text_is_never_emptied() -> None:
    assert all(text.strip() for given in ("好", "ok", "?!", "!") for text in disturbed(given, "und"))


def test_misspelling_changes_letters_only() -> None:
    disturbance, text = Disturbance(WORDS), "Where is my parcel, please?"
    texts = {disturbance.misspell(text, "en", np.random.default_rng(number)) for number in range(200)}
    assert len(texts) > 20
    assert all(set(given.casefold()) <= set(text.casefold()) for given in texts), "no emoji, no word of another language"
    assert all(abs(len(given) - len(text)) < 4 for given in texts)
