"""How letters begin and end; all texts are ours."""

import pytest

from feedback_miner.stages.clean import matching_text
from feedback_miner.stages.letters import drop_salutation, is_salutation, is_sign_off


@pytest.mark.parametrize(
    "piece",
    [
        "尊敬的胡书记：您好",
        "尊敬的市领导，您好",
        "尊敬的领导们",
        "亲爱的客服们，你们好",
        "亲爱的",
        "Dear Sir or Madam",
        "Dear <NAME>",
        "Hi team",
        "Good morning",
        "To whom it may concern",
        "Sehr geehrte Damen und Herren",
    ],
)
def test_knows_a_salutation(piece: str) -> None:
    assert is_salutation(piece)
    assert not is_sign_off(piece)
    assert drop_salutation(piece + "!") == piece + "!"


@pytest.mark.parametrize(
    "piece", ["亲爱的小猫很可爱", "尊敬领导是应该的", "Dear customer service was awful", "dear", "Hi there was no answer", "您好像没懂"]
)
def test_takes_no_opinion_for_a_salutation(piece: str) -> None:
    assert not is_salutation(piece)
    assert drop_salutation(piece + ". Again.") == piece + ". Again."


@pytest.mark.parametrize("piece", ["此致\n敬礼", "祝好", "Kind regards", "Yours faithfully", "Mit freundlichen Grüßen", "mfg"])
def test_knows_a_sign_off(piece: str) -> None:
    assert is_sign_off(piece)


@pytest.mark.parametrize("piece", ["Best regards are not enough", "regards my order", "sincerely disappointed"])
def test_takes_no_opinion_for_a_sign_off(piece: str) -> None:
    assert not is_sign_off(piece)


@pytest.mark.parametrize(
    ("text", "language", "left"),
    [
        ("尊敬的领导，您好，我家停水了", "zh", "我家停水了"),
        ("尊敬的張市長：我家停水了", "zh", "我家停水了"),
        ("Dear Sir or Madam,\nmy parcel never came", "en", "my parcel never came"),
        ("my parcel never came. Dear Sir, please help", "en", "my parcel never came. Dear Sir, please help"),
    ],
)
def test_compares_texts_without_their_salutation(text: str, language: str, left: str) -> None:
    assert matching_text(text, language) == left


@pytest.mark.parametrize("unit", ["尊敬的", "dear sir ", "dear , / ", "尊敬的领导：", "hi there,"])
def test_reads_long_nasty_text_to_its_end(unit: str) -> None:
    text = unit * 50_000
    assert len(text) - len(drop_salutation(text)) <= len(unit)
    assert text.endswith(drop_salutation(text))
    assert not is_salutation(text + "!")
    assert not is_sign_off(text)
