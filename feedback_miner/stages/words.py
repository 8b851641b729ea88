"""Texts into clauses of words that know their role: what a label is built from.

In come redacted texts with their language; out come clauses of tokens, each with the form it had, the key it is counted under
(folded, stemmed, joined with its synonyms) and its role in a phrase. Chinese is cut by rjieba in its simplified form and shown
as written; languages with spaces by word; Japanese where the script changes; Thai, Lao, Khmer and Burmese stay runs. Placeholders, links,
handles and masked names end a clause and never become a token. Never looks at more than one text, and never calls a model.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from feedback_miner.stages.lexicon import (
    SPACED_LANGUAGES,
    Role,
    function_words,
    load_lexicon,
    senses_of,
    stem_word,
    stemmed_senses,
)

__all__ = [
    "Clause",
    "Token",
    "compile_masks",
    "count_han",
    "find_opinion_words",
    "is_unspaced",
    "join_words",
    "read_clauses",
    "take_as_opinions",
]

_HAN = "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_KANA = "\u3041-\u3096\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff"
_RUNS = "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0edf\u1000-\u1049\u1050-\u109f\u1780-\u17d3"
_MARKS = "\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0963\u0966-\u0dff"
_LETTER = f"(?:(?![{_HAN}{_KANA}{_RUNS}])[^\\W_]|[{_MARKS}])"
_WORD = f"(?P<word>{_LETTER}+(?:(?:['-]|(?<=\\d)\\.(?=\\d)){_LETTER}+)*)"  # 2.0T is a word, too
_TOKEN = re.compile(f"(?P<han>[{_HAN}]+)|(?P<run>[{_RUNS}]+)|{_WORD}")
_JAPANESE = re.compile(f"(?P<chunk>[{_HAN}]+[\u3041-\u3096]*|[\u30a1-\u30ff\u31f0-\u31ff]+|[\u3041-\u3096]+)|{_WORD}")
_IS_KANA = re.compile(f"[{_KANA}]")
_IS_HAN = re.compile(f"[{_HAN}]")
_IS_RUN = re.compile(f"[{_RUNS}]")
# What redaction and masking leave behind: <EMAIL>, [BRAND], @somebody, links.
_HIDDEN = re.compile(r"<[A-Za-z][A-Za-z0-9_ -]{0,30}>|\[[A-Z][A-Z0-9_]{1,30}\]|https?://\S+|www\.\S+|[@＠][\w-]+")
_STRETCHED = re.compile(r"(\w)\1{2,}")
_JA_PARTICLE = re.compile("(?:から|まで|より|では|には|とは|です|ます|でした|ました|[がはをにでともへやの])$")
_JA_NEGATED = re.compile("(?:ない|ません|なかった|なく|ず)")


class Token(NamedTuple):
    """A word in its clause."""

    surface: str
    """As written, but for case and apostrophes."""
    key: str
    """What it is counted under: its group of synonyms, else its stem."""
    role: Role
    polarity: int = 0
    adjective: bool = False
    """May stand before a noun (English)."""
    weak: bool = False
    """Too common to name a theme on its own."""
    kept: bool = False
    """A degree word that a name keeps: "too"."""
    cased: str = ""
    """The form with its capitals, where they are not those of a sentence's beginning."""

    @property
    def content(self) -> bool:
        """It carries meaning of its own."""
        return self.role <= Role.OPINION


Clause = tuple[Token, ...]

_OUT_OF = frozenset({"stock", "order", "service", "date"})
_NOTHING = Token("", "", Role.BREAK)


class _Chinese:
    """The segmenter with our words in it. Its own dictionary: the process-wide one stays as it is."""

    def __init__(self) -> None:
        import opencc
        import rjieba

        table = load_lexicon()["zh"]
        self.jieba = rjieba.Jieba()
        self.simplify = opencc.OpenCC("t2s").convert
        self.complements = frozenset(table["complements"].split())
        self.plain = frozenset(table["plain"].split())
        self.senses = senses_of("zh")
        self.lists = function_words("zh")
        told = set(table["words"].split()) | set(self.senses) | set(self.lists.roles) | self.complements | self.plain
        for word in sorted(told):
            if len(word) > 1:
                self.jieba.add_word(word, 50_000, "n")
        self.known = told
        self.nouns = frozenset(table["words"].split())


@lru_cache(maxsize=1)
def _chinese() -> _Chinese:
    return _Chinese()


def count_han(text: str) -> int:
    """Count Chinese characters (kanji included)."""
    return sum(1 for character in text if _IS_HAN.match(character))


def is_unspaced(text: str) -> bool:
    """Tell whether the text holds a script that is written without spaces and not segmented here (Thai and its neighbours)."""
    return _IS_RUN.search(text) is not None


def compile_masks(masks: Collection[str]) -> re.Pattern[str] | None:
    """Return a pattern for names that must not appear in labels, longest first; ``None`` for none."""
    names = sorted({mask.strip() for mask in masks if mask.strip()}, key=lambda name: (-len(name), name))
    if not names:
        return None
    parts = [re.escape(name) if _IS_HAN.search(name) else rf"(?<!\w){re.escape(name)}(?!\w)" for name in names]
    return re.compile("|".join(parts), re.IGNORECASE)


def read_clauses(text: str, language: str, *, masks: re.Pattern[str] | None = None) -> list[Clause]:
    """Cut a text into clauses of tokens; a text without words has none."""
    text = _HIDDEN.sub("\n", text.replace("’", "'").replace("‘", "'"))
    if masks is not None:
        text = masks.sub("\n", text)
    shouting = text.upper() == text
    japanese = language == "ja" or _IS_KANA.search(text) is not None
    pattern = _JAPANESE if japanese else _TOKEN
    clauses: list[Clause] = []
    clause: list[Token] = []
    end, before = 0, ""
    for match in pattern.finditer(text):
        gap = text[end : match.start()]
        kind = match.lastgroup or ""
        # Anything but a space ends a clause; between Chinese characters a space does too.
        if gap.strip() or "\n" in gap or (gap and before == kind != "word"):
            clauses.append(_finish(clause, language))
            clause = []
        end, before = match.end(), kind
        if kind == "han":
            clause.extend(_read_han(match.group()))
        elif kind == "chunk":
            clause.append(_read_chunk(match.group()))
        elif kind == "run":
            clause.append(Token(match.group(), match.group(), Role.ASPECT))
        else:
            clause.extend(_read_word(match.group(), language, first=not clause, shouting=shouting))
    clauses.append(_finish(clause, language))
    return [clause for clause in clauses if clause]


def find_opinion_words(clauses: Iterable[Clause]) -> frozenset[str]:
    """Return the keys of words outside our lists that people grade ("very soporific", 很浮夸): opinions by their place."""
    grading = frozenset(load_lexicon()["grading"].split())
    graded: dict[str, int] = {}
    total: dict[str, int] = {}
    for clause in clauses:
        for before, token in pairwise((_NOTHING, *clause)):
            if token.role is Role.ASPECT and token.key[:1] != "#":
                total[token.key] = total.get(token.key, 0) + 1
                if before.surface in grading:
                    graded[token.key] = graded.get(token.key, 0) + 1
    return frozenset(key for key, count in graded.items() if count * 3 > total[key] and not key.startswith("¬"))


def take_as_opinions(clause: Clause, keys: Collection[str]) -> Clause:
    """Give the words of ``keys`` the role of an opinion."""
    if not any(token.key in keys for token in clause):
        return clause
    return tuple(
        token._replace(role=Role.OPINION, adjective=not token.surface.endswith(("ing", "ed", "s")))
        if token.role is Role.ASPECT and token.key in keys
        else token
        for token in clause
    )


def join_words(words: list[str]) -> str:
    """Write words next to each other as their scripts do: a space between two words of spaced scripts, none around Chinese."""
    text = ""
    for word in words:
        spaced = bool(text) and bool(word) and not text.endswith("'") and not (_unspaced(text[-1]) or _unspaced(word[0]))
        text += " " + word if spaced else word
    return text


def _unspaced(character: str) -> bool:
    return bool(_IS_HAN.match(character) or _IS_KANA.match(character) or _IS_RUN.match(character))


def _read_word(word: str, language: str, *, first: bool, shouting: bool) -> Iterator[Token]:
    """Yield the token of a spaced word, or two for an elision (l'attente, dell'ordine)."""
    known = language if language in SPACED_LANGUAGES else "en"
    lists, senses = function_words(known), senses_of(known)
    lowered = word.lower()
    if known in ("fr", "it") and "'" in lowered and lowered not in lists.roles:
        prefix, _, word = word.partition("'")
        yield Token(prefix.lower() + "'", prefix.lower(), lists.roles.get(prefix.lower(), Role.STOP))
        lowered = word.lower()
    lowered = lowered.removesuffix("'s") if lowered not in lists.roles else lowered
    lowered = _shorten(lowered, lists.roles, senses)
    role = lists.roles.get(lowered)
    if role is not None:
        shown = "not" if lowered in lists.bare_not else lists.elided.get(lowered, lowered)
        yield Token(shown, lowered, role, kept=lowered in lists.kept)
        return
    if not any(character.isalpha() for character in lowered) or len(lowered) < 2:
        yield Token(lowered, lowered, Role.STOP)
        return
    cased = _keep_capitals(word[: len(lowered)], known, first=first, shouting=shouting)
    sense = senses.get(lowered) or stemmed_senses(known).get(stem_word(lowered, known))
    if sense is not None:
        yield Token(lowered, sense.key, sense.role, sense.polarity, sense.adjective, cased=cased if known == "de" else "")
    elif known == "en" and (guess := _guess_opinion(lowered)) is not None:
        yield Token(lowered, stem_word(lowered, known), Role.OPINION, guess, adjective=True, cased=cased)
    else:
        yield Token(lowered, stem_word(lowered, known), Role.ASPECT, weak=lowered in lists.weak, cased=cased)


def _shorten(word: str, *known: Mapping[str, object]) -> str:
    """Return "slow" for "sloooow", if that makes it a word we know."""
    if not _STRETCHED.search(word):
        return word
    for replacement in (r"\1\1", r"\1"):
        short = _STRETCHED.sub(replacement, word)
        if any(short in words for words in known):
            return short
    return word


def _keep_capitals(word: str, language: str, *, first: bool, shouting: bool) -> str:
    """Return the word with its capitals where they belong to it (GPS, iPhone, German nouns), else nothing."""
    if shouting or word.islower():
        return ""
    if word[1:].islower():
        return word if language == "de" and not first else ""
    return word if len(word) <= 5 or not word.isupper() else ""


def _guess_opinion(word: str) -> int | None:
    """Return the polarity of an English adjective that its form gives away."""
    exceptions = load_lexicon()["en"]
    if word in exceptions["bright"].split():
        return 1
    if len(word) > 6 and word.endswith("less") and word not in exceptions["neutral"].split():
        return -1
    negated = word.startswith(("un", "dis", "mis", "non")) and word.endswith(("able", "ible", "ful", "ive", "ised", "ized"))
    return -1 if len(word) > 7 and negated else None


def _read_chunk(chunk: str) -> Token:
    """Return the token of a stretch of Japanese: its ending is shown but counts for nothing, unless it says no."""
    bare = _JA_PARTICLE.sub("", chunk)
    if (
        not bare
        or chunk in function_words("ja").roles
        or (len(bare) < 3 and not _IS_HAN.match(bare) and not "\u30a1" <= bare[0] <= "\u30ff")
    ):
        return Token(chunk, chunk, Role.STOP)
    stem = "".join(character for character in bare if not "\u3041" <= character <= "\u3096") or bare
    negated = _JA_NEGATED.search(bare) is not None
    role = Role.OPINION if negated or bare.endswith("い") else Role.ASPECT
    return Token(bare, "¬" + stem if negated else stem, role, -1 if negated else 0)


def _read_han(run: str) -> Iterator[Token]:
    """Yield the tokens of a run of Chinese, shown as written and counted in simplified characters."""
    chinese = _chinese()
    folded = chinese.simplify(run)
    if len(folded) != len(run):  # never seen with t2s; then the folded form is shown
        run = folded
    at = 0
    for word, tag in chinese.jieba.tag(folded):
        for part in _split_han(word, chinese):
            yield _han_token(run[at : at + len(part)], part, tag if part == word else "v", chinese)
            at += len(part)


def _split_han(word: str, chinese: _Chinese) -> list[str]:
    """Cut what the segmenter leaves glued: 很|差, 态度|恶劣, 没|到."""
    if word in chinese.known or len(word) < 2:
        return [word]
    if word[0] in "太很挺超真极更最好还都" and (word[1:] in chinese.senses or not chinese.jieba.has_word(word)):
        return [word[0], word[1:]]
    for size in range(min(4, len(word) - 1), 0, -1):
        head, tail = word[:-size], word[-size:]
        sense = chinese.senses.get(tail)
        if sense is not None and sense.polarity and len(head) > 1 and (size > 1 or chinese.jieba.has_word(head)):
            return [head, tail]
    if word[0] in "没未" and not chinese.jieba.has_word(word):
        return [word[0], word[1:]]
    return [word]


def _han_token(surface: str, word: str, tag: str, chinese: _Chinese) -> Token:
    role = chinese.lists.roles.get(word)
    if role is not None:
        return Token(surface, word, role, kept=word in chinese.lists.kept)
    sense = chinese.senses.get(word)
    if sense is not None:
        return Token(surface, sense.key, sense.role, sense.polarity)
    if word in chinese.nouns:
        return Token(surface, word, Role.ASPECT)
    if word[0] in "不没未无" and len(word) > 1:
        return Token(surface, word, Role.STOP) if word in chinese.plain else Token(surface, word, Role.OPINION, -1)
    if word in chinese.lists.weak:
        return Token(surface, word, Role.ASPECT, weak=True)
    if tag.startswith("a"):
        return Token(surface, word, Role.OPINION)
    # Single characters only where the dictionary is sure that they carry meaning; longer words unless it is sure that they do not.
    if (len(word) == 1 and not tag.startswith(("n", "v", "Ng"))) or tag[:1] in {"m", "q", "r", "u", "y", "p", "c", "e", "o", "t", "f"}:
        return Token(surface, word, Role.STOP)
    return Token(surface, word, Role.ASPECT, weak=len(word) == 1 or tag.startswith("d"))


def _finish(clause: list[Token], language: str) -> Clause:
    """Join what belongs together: verb + particle (log in), no + one, verb + 不通."""
    joined: list[Token] = []
    lists = function_words(language if language in SPACED_LANGUAGES else "en")
    complements = load_lexicon()["zh"]["complements"].split() if any(_IS_HAN.match(token.surface) for token in clause) else ()
    for token in clause:
        last = joined[-1] if joined else None
        if last is not None and token.key in complements and _takes_complement(last):
            joined[-1] = Token(last.surface + token.surface, last.key + token.key, Role.OPINION, -1)
        elif last is not None and last.key == "no" and token.surface == "one":
            joined[-1] = Token("no one", "no one", Role.NEGATOR)
        elif last is not None and last.surface == "at" and token.surface in ("all", "least"):
            joined[-1] = Token(f"at {token.surface}", "at all", Role.STOP)
        elif token.surface in _OUT_OF and [before.surface for before in joined[-2:]] == ["out", "of"]:
            joined[-2:] = [Token(f"out of {token.surface}", f"out of {token.surface}", Role.OPINION, -1)]
        elif last is not None and last.content and token.surface in lists.particles and last.surface in lists.phrasal:
            joined[-1] = last._replace(surface=f"{last.surface} {token.surface}", key=f"{last.key} {token.surface}", cased="", weak=False)
        else:
            joined.append(token)
    return tuple(joined)


def _takes_complement(token: Token) -> bool:
    """Tell whether a Chinese word can be the verb before 不通, 不上, …: short, and no function word."""
    return len(token.surface) < 4 and bool(_IS_HAN.match(token.surface)) and (token.content or token.key not in function_words("zh").roles)
