"""Language: scripts decide first, the model where it is sure, common words where it is not."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_miner.stages.language import detect_language

TEXTS = [
    ("No", "en"),
    ("ok", "en"),
    ("OK!", "en"),
    ("good service", "en"),
    ("Terrible", "en"),
    ("n/a", "en"),
    ("not gud", "en"),
    ("u r so bad lol", "en"),
    ("Delivery", "en"),
    ("THE APP CRASHES EVERY TIME", "en"),
    ("I waited two hours and nobody came to help me", "en"),
    ("I love 北京 and would go there again", "en"),
    ("物流太慢了，客服也不理人", "zh"),
    ("物流太慢", "zh"),
    ("差", "zh"),
    ("很nice的客服", "zh"),
    ("app 老是 crash", "zh"),
    ("iPhone 14 Pro Max 不错", "zh"),
    ("WiFi差", "zh"),
    ("這家店的服務態度很差", "zh"),
    ("这家の味道不错", "zh"),
    ("太差了(￣▽￣)", "zh"),
    ("呢間舖頭嘅服務好差", "zh"),
    ("対応が悪い", "ja"),
    ("最高でした", "ja"),
    ("対応悪", "ja"),
    ("客服の態度", "ja"),
    ("アプリがよく落ちる", "ja"),
    ("배송이 너무 느려요", "ko"),
    ("서비스 별로", "ko"),
    ("앱 crash 자주 발생", "ko"),
    ("sehr gut", "de"),
    ("Die Lieferung war leider viel zu spät", "de"),
    ("très bon", "fr"),
    ("La livraison était beaucoup trop lente", "fr"),
    ("muy mal servicio", "es"),
    ("El servicio es muy lento y nadie responde", "es"),
    ("molto bene", "it"),
    ("Il servizio clienti non risponde mai", "it"),
    ("muito bom", "pt"),
    ("O atendimento é péssimo e ninguém responde", "pt"),
    ("De bezorging was veel te laat en niemand belde", "nl"),
    ("Obsługa klienta jest bardzo niemiła", "pl"),
    ("Доставка была очень медленной", "ru"),
    ("Спасибо", "ru"),
    ("Доставка була дуже повільною, і ніхто не відповів", "uk"),
    ("الخدمة سيئة جدا", "ar"),
    ("خدمات خیلی بد بود", "fa"),
    ("سروس بہت بری ہے", "ur"),
    ("सेवा बहुत खराब है", "hi"),
    ("השירות היה גרוע", "he"),
    ("Η εξυπηρέτηση ήταν κακή", "el"),
    ("บริการแย่มาก", "th"),
    ("სერვისი ცუდია", "ka"),
    ("சேவை மோசமாக இருந்தது", "ta"),
    ("Dịch vụ rất tệ và chậm", "vi"),
]


@pytest.mark.parametrize(("text", "language"), TEXTS)
def test_detect_language_of_answers(text: str, language: str) -> None:
    assert detect_language(text) == language


@pytest.mark.parametrize(
    "text",
    ["", "   ", "123", "10/10", "😀😡", "...", "http://good.service.test/the/app", "<EMAIL> <PHONE>", "xkcd qwrt", "me@the.service.test"],
)
def test_detect_language_without_words_is_undetermined(text: str) -> None:
    assert detect_language(text) == "und"


def test_detect_language_ignores_faces_in_borrowed_letters() -> None:
    assert detect_language("(´・ω・`) bad") == "en"


def test_detect_language_ignores_handles_and_links() -> None:
    assert detect_language("@les_enfants la comida muy mala https://the.best.service.test") == "es"


def test_detect_language_reads_a_long_text_in_one_go() -> None:
    assert detect_language("The delivery was late and nobody told me. " * 20_000) == "en"


def test_detect_language_gives_the_same_answer_in_every_thread() -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(detect_language, [text for text, _ in TEXTS] * 4))
    assert answers == [detect_language(text) for text, _ in TEXTS] * 4


@given(st.text(max_size=60))
@settings(deadline=None)
def test_detect_language_answers_a_code_for_any_text(text: str) -> None:
    language = detect_language(text)
    assert language == "und" or (len(language) == 2 and language.isascii() and language.islower())


def test_plain_english_is_told_without_the_model(monkeypatch):
    def asked(text: str) -> dict[str, float]:
        raise AssertionError("the model was asked")

    monkeypatch.setattr("feedback_miner.stages.language._model_scores", asked)
    assert detect_language("The parcel came late and nobody told me") == "en"
    with pytest.raises(AssertionError, match="the model was asked"):
        detect_language("Das Paket kam zu spät und niemand hat es mir gesagt")
