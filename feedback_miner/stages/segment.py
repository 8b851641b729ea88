"""Split a verbatim into opinions: spans that say one thing each.

In come a verbatim and its language; out come half-open spans of it, in order, not overlapping, every letter, digit and emoji in exactly
one of them. Sentences come first; within a sentence the text is cut where it turns ("but", 但是) and where it changes its subject
("物流很快，客服态度差", "the soup was cold and the staff were rude"). A cause stays with its effect, a condition with its consequence, and
a fragment with its neighbour: half an opinion misleads more than two in one span. It never changes the text, and takes time linear in its
length.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

import rjieba

from feedback_miner.stages.letters import is_salutation, is_sign_off

__all__ = ["segment_text"]

_LONGEST_SENTENCE = 300
_LONGEST_PIECE = 200
_SMALLEST_PIECE = 3
"""Han characters; a word of a spaced script counts for two."""


def _any_of(words: str) -> str:
    """Read a table of words into a pattern's alternatives, longest first."""
    return "|".join(sorted((re.escape(word).replace(r"\ ", r"\s") for word in words.split("|")), key=len, reverse=True))


def _set_of(table: str) -> frozenset[str]:
    """Read a table: words separated by ``|``, on as many lines as they need."""
    return frozenset(word for line in table.splitlines() for word in line.strip().split("|") if word)


_HAN = "\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
_HAN_OR_WORD = re.compile(f"[{_HAN}]|[A-Za-z0-9]+")
_ASCII = re.compile("[A-Za-z0-9:;=<]")
_ANY_HAN = re.compile(f"[{_HAN}]")
_FACES = "\U0001f300-\U0001faff\u2600-\u27bf"
_CLOSERS = "\"'”’）)】」』〉》\\]"

# --- Places where punctuation and turning words mean nothing: masked by letters before anything is looked for -----------------------------

_PROTECTED = re.compile(
    r"(?:https?://|www\.)[!-~]+"
    r"|(?-i:<[A-Z][A-Z0-9_]*>)"
    r"|(?<![\w.+-])[\w.+-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"
    r"|(?:\A|(?<=\n))\d{1,2}\.(?=\s)"
    r"|(?<!\d)\d++(?:[.,:：/]\d+)+"
    r"|(?<![A-Za-z0-9])v\d++(?:\.\d+)*"
    r"|(?<![A-Za-z])(?:[A-Za-z]\.){2,}(?!\s+(?-i:[A-Z][a-z]))"
    r"|(?<![A-Za-z])(?:(?:mr|mrs|ms|dr|prof|st|vs|approx|fig|nr|bzw|ca|inkl|sr|sra|mme|dott|min|max|tel|ext|incl)\."
    r"|(?:no|nos|pp?)\.(?=\s?\d)|(?:etc|inc|ltd|co|corp|dept|usw|evtl|jr)\.(?!\s+(?-i:[A-Z])))"
    r"|(?<![\w'’])(?-i:[A-HJ-Z]\.(?=\s[A-Z][a-z]))"
    r"|(?<![A-Za-z0-9-])[A-Za-z0-9-]++\.(?:com|cn|net|org|io|js|co|uk|de|app|html?|pdf|exe|jpe?g|png|apk)\b"
    r"|[:;=]['’]?-?[()DPp|\\/]"
    r"|\b(?:nothing|anything|everything|none|all|anyone|no\sone|nobody|everyone|last|choice|can(?:['’]t|not)(?:\shelp)?)\s+but\b"
    r"|\bbut\s+(?:for\b|also\b|rather\b|instead\b)|\beven\s+if\b"
    r"|\b(?:not\s(?:only|just|simply|merely)|no\ss[oó]lo|non\sseulement|nicht\snur|non\ssolo|não\ss[oó])\b[^.。!?;\n]{1,120}?"
    r"\b(?:but|sino|mais|sondern|ma|mas)\b",
    re.IGNORECASE,
)
_PROTECTED_HAN = re.compile(r"不但是?|[非岂]但|但[愿凡求]|不过(?:[是分期关瘾敏审来去]|如此)|只不过|也就是|就是(?:因为|说|为了)|不[只就]是")

# --- Sentences ----------------------------------------------------------------------------------------------------------------------------

_SENTENCE_END = re.compile(
    rf"(?:[。！？!?；;‼⁉]+|\.(?=[{_CLOSERS}]*(?:\s|\Z|[^\x00-\x7f])))[。！？!?；;.…~～‼⁉]*[{_CLOSERS}]*[~～{_FACES}\ufe0f\u200d]*"
    rf"|(?<=[a-z]{{3}})\.(?=[A-Z][a-z'])"
    rf"|(?<![.…])(?:\.{{2,}}+|…++)[{_CLOSERS}]*+(?=\s*(?:[A-Z]|[^\x00-\x7f]))"
    rf"|(?<=[{_HAN}])[~～]+"
    rf"|(?<=[{_HAN}，,])(?:(?!❤)[{_FACES}][\ufe0f\u200d]*)+(?=[{_HAN}])"
    r"|\n+"
)
_LIST_MARK = re.compile(
    r"(?:(?<=\A)|(?<=[\s，,。；;：:、）)!！?？.\u3400-\u9fff]))[(（]?(\d{1,2}|[a-h])(?:[)）、．]|\.(?![\dA-Za-z]))|([①-⑳])"
)
_CIRCLED = {chr(0x2460 + place): place + 1 for place in range(20)}
_HEADING = re.compile(
    rf"(?<=[\s，,。；;、！!？?.)）])(?:(?:{_any_of('优点|缺点|好处|坏处|不足|不足之处|缺陷|建议|问题|亮点|槽点|优势|劣势')})|"
    rf"\b(?:{_any_of('pros|cons|pro|con|positives|negatives|likes|dislikes|good|bad|advantages|disadvantages|suggestion|suggestions')}))\s?[:：]"
    r"|(?<=[\s，,。；;、！!？?])第[一二三四五六七八九][点条]?[，,、：:]",
    re.IGNORECASE,
)

# --- Chinese clauses ----------------------------------------------------------------------------------------------------------------------

_ZH_TURN = re.compile(
    rf"(?<=[{_HAN}A-Za-z0-9，, ~～…）)])(?:但是|但(?!书)|然而)"
    r"|(?<=[，, …~～])(?:不过|可是|可惜|唯独|唯一|美中不足|遗憾的是|除了|偏偏|缺点(?:就?是)|不足的?(?:之处)?(?:就?是)"
    r"|只是(?!为了|因为|想|觉得|说|一|个|看|随便|普通)|就是(?!这|那|个|一|喜欢|冲|好|觉得|看中|想|图|要))"
)
_ZH_COMMA = re.compile(rf"[，,]\s*|(?<=[{_HAN}])[ \t]+(?=[{_HAN}])")
_ZH_MORE = re.compile(r"(?:而且|并且|同时|再加上|加上|以及)")
_ZH_NEXT_POINT = re.compile(r"(?:另外|此外|其次|再者|再有|还有就?是?|最后)")
_ZH_DEPENDENT = _set_of(
    # What the tagger takes for a noun or a verb, but leans on the clause before. Conjunctions, adverbs and pronouns never pass for a topic.
    """所以|因为|因此|由于|导致|致使|结果|造成|使|使得|让|害|害得|令|需要|希望|建议|应该|可以|能|会|要|值得|推荐|适合|大家|自己|人家
    |别人|等|用|拿|买|看|说|问|打|跟|给|被|把|从|在|到|来|去|想|是|有|没|没有|没人|无人|像|感觉|觉得|估计|可能|必须|点赞|支持|期待
    |继续|谢谢|感谢|辛苦|总体|整体|下次|以后|为了|一次|终于|竟然|居然|无法|发现|告诉|找|请|吃|喝|穿|住|坐|开|打开|打电话|申请|联系
    |收到|退|退货|换|换货|回来|后来|才能|不能|不会|不想|不要|不得不|差点|例如|比如|产生|至今|目前|现在|半天|好久|好像|看来|看起来"""
)
_ZH_TIME_LINK = re.compile(r"[就才便]")
_ZH_ALSO = re.compile(r"(?:也|都|又|还|倒|却|真的?|确实|实在|一直|总是|老是|经常)*")
_ZH_SUBORDINATE = re.compile(
    r"(?:如果|要是|若|因为|由于|只要|只有|当|即使|就算|哪怕|自从|既然|为了|每次|每当|除了|无论|不管|等到|等|不但|不仅|不只|不光|非但|刚|昨天|今天|前天|上次|上周|去年|第一次)"
)
_ZH_SUBORDINATE_END = re.compile(r"(?:的话|的时候|时|以后|之后|后|以来|之前)$")
_ZH_CONCESSIVE = re.compile(r"(?:虽然|虽说|虽|尽管|固然)")
_ZH_EVALUATION = re.compile(
    _any_of(
        "很|太|非常|特别|比较|挺|超|极|更|最|有点|有些|够|不|没|无|未|难|差|好|快|慢|贵|便宜|高|低|大|小|多|少|强|弱|美|丑|香|臭|脏|乱|吵|冷|热|烂|坏|棒|赞|劣|旧|"
        "新|硬|软|稳|清|流畅|舒服|舒适|热情|满意|及时|方便|麻烦|糟|垃圾|一般|还行|可以|合适|到位|给力|周到|干净|整洁|严重|问题|失望|真|巨|老是|总是|经常|异味|"
        "足|准|齐|全|细|久|远|近|甜|咸|辣|酸|腻|硬|油|淡|响|卡|破|假|专业|耐心|友好|敷衍|冷淡|实惠|划算|漂亮|丰富|单一|优秀|良好|低劣|恶劣|合理|稳定"
    )
)
_ZH_EVENT = re.compile(r"[用买等打过住去来][了过]?[^，,]{0,4}[天次月周年时钟]|收到|打开|下单|拿到|到手")
_ZH_PREDICATE = re.compile(r"[了着过的得会能要有是被把给让]")
_TOPIC_TAGS = ("n", "eng", "vn", "an", "s", "j", "b")

# --- English clauses ----------------------------------------------------------------------------------------------------------------------

_VERB = (
    r"(?:is|are|was|were|am|be|been|has|have|had|do|does|did|can|could|will|would|should|must|cannot|never|always|needs?|keeps?|kept|takes?|took|"
    r"gets?|got|makes?|made|looks?|feels?|felt|seems?|works?|comes?|came|goes|went|gives?|gave|tastes?|smells?|sucks?|lacks?|costs?|crashe?s?|"
    r"breaks?|broke|fails?|left|cut|ran|told|said|[a-z]{3,}ed|[a-z]+n['’]t|[a-z]+['’](?:s|re|ve|ll|d))\b"
)
_EN_TURN = re.compile(
    r"(?<=[\s,(\-–—…)])(?:but(?!\s+(?:not|no)\b[^,.]{0,12}$)|however(?!\s+(?:much|many|long|hard|far|you|often|small|big)\b)|whereas|nevertheless|nonetheless"
    r"|(?:even\s+)?(?:although|though)|except(?:ing)?|on\s+the\s+other\s+hand)\b"
    r"|(?<=[,;]\s)(?:(?:and\s+)?yet(?!\s+(?:again|another|to)\b)|while\s+(?:the|my|our|their|other|others|some|most|it|they|this|that|these|those)"
    r"|(?:the\s+)?only\s+(?:problem|issue|downside|thing|complaint|drawback|negative|gripe|con|bad)|otherwise|unfortunately|sadly|apart\s+from|aside\s+from"
    r"|other\s+than|also|plus|not\s+to\s+mention)\b"
    r"|\band\s+yet\b",
    re.IGNORECASE,
)
_EN_TOPIC = (
    r"(?:the|my|our|your|their|his|her|its|these|those|staff|services?|food|prices?|delivery|everything|nobody|there|support|quality)"
)
_EN_CHANGE = re.compile(
    rf",\s+(?:and\s+)?(?:(?:{_EN_TOPIC}|this|that)\s+(?:[\w’'-]+\s+){{0,4}}?{_VERB}"
    rf"|(?:it|they|he|she|there)(?:\s+{_VERB}|['’](?:s|re)\b))"
    rf"|(?<=\s)and\s+(?:{_EN_TOPIC}\s+(?:[\w’'-]+\s+){{0,4}}?{_VERB}|(?:nobody|everything)\s+{_VERB})",
    re.IGNORECASE,
)
_EN_STATEMENT = re.compile(rf"\W*(?:and\s+)?{_EN_TOPIC}\s+[\w’'-]+\s+[\w’'-]+s\b", re.IGNORECASE)  # "the battery lasts"
_EN_VERB = re.compile(rf"\b{_VERB}", re.IGNORECASE)
_EN_JUDGED = re.compile(
    r"\b(?:great|good|nice|bad|excellent|poor|love|hate|slow|fast|friendly|amazing|awful|cheap|expensive|clean|dirty|rude|lovely|easy)\b",
    re.IGNORECASE,
)
_EN_SUBORDINATE = re.compile(
    r"\W*(?:and\s+|but\s+|so\s+)?(?:if|when|whenever|because|since|as|after|before|while|once|until|unless|even|in|on|at|for|with|by|from|due|during|every\s+time|"
    r"last|this\s+(?:morning|week|time)|where|who|whoever|given|between|both|neither|either)\b",
    re.IGNORECASE,
)
_EN_CONCESSIVE = re.compile(r"\W*(?:although|though|even\s+though|whereas|while\s+(?!\w+ing\b))\b", re.IGNORECASE)
_LATIN_WORD = re.compile(r"[A-Za-z]{3}")
_DASH = re.compile(r"(?<=[^\s\d])\s+(?:-{1,2}|–|—)\s+|(?<!\s)\s*+(?:——|—)\s*|(?<=\S)\s+[•·*]\s+")
_MARK = re.compile("[-–—•·*/|／]")
_SLASH = re.compile(rf"(?<=[{_HAN}]{{3}})\s?[/|／]\s?(?=[{_HAN}]{{3}})|(?<=[A-Za-z]{{2}})\s+[/|]\s+(?=[A-Za-z]{{2}})")

_OTHER_TURNS = {
    language: re.compile(pattern, re.IGNORECASE)
    for language, pattern in {
        "es": r"(?<=[\s,])(?:pero|aunque|sin\s+embargo|salvo|excepto)\b",
        "fr": r"(?<=[\s,])(?:mais|cependant|par\s+contre|toutefois|en\s+revanche|sauf)\b",
        "de": r"(?<=,\s)(?:aber|jedoch|allerdings|obwohl|nur\s+leider)\b|(?<=\s)aber\s+(?=der|die|das|leider)",
        "it": r"(?<=[\s,])(?:ma|però|tuttavia|anche\s+se|tranne)\b",
        "pt": r"(?<=[\s,])(?:mas|porém|contudo|no\s+entanto|só\s+que|exceto)\b",
    }.items()
}

# --- Fragments ----------------------------------------------------------------------------------------------------------------------------

_UNIT = re.compile(rf"(?P<single>[{_HAN}\u3041-\u3096\u30a1-\u30fa])|(?P<run>[^\W_{_HAN}\u3041-\u3096\u30a1-\u30fa]+(?:['’][^\W\d_]+)?)")
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")
_EMPTY_WORDS = _set_of(
    """a|an|the|and|or|but|so|i|we|you|it|me|my|of|for|to|in|on|at|also|well|just|really|very|too|then|there|here|is|was|be|that|this
    |what|as|if|not|yes|no|ok|etc|honestly|overall|however|basically|personally|generally|unfortunately|anyway|though|although|because
    |firstly|secondly|thirdly|finally|first|second|third|lastly|otherwise|say|mean|all|said|opinion|general|honest|example|instance
    |fact|short|again|thanks|thank|pros|cons|please"""
)
_OPENERS = _set_of(
    """其实|总的来说|总体来说|整体来说|总体|整体|总体上|整体上|说实话|老实说|讲真|个人觉得|个人感觉|总之|另外|此外|首先|其次|最后|还有
    |还有就是|比如|比如说|例如|但是|不过|而且|因为|所以|然而|对了|同时|希望|建议|第一|第二|第三|优点|缺点|怎么说呢|不得不说|坦白说
    |事实上|honestly|overall|however|basically|personally|generally|unfortunately|anyway|although|first|firstly|second|secondly|third
    |thirdly|finally|lastly|also|and|but|so|well|in general|for me|to be honest|in my opinion|for example|in fact|in short|because
    |to be fair|on the other hand|plus|leider|ehrlich|pero|mais|aber|mas|ma"""
)
_EDGE = " \t\n\r，,；;、。.!?！？…：:~～·•|/\\-–—_=+*#>»\"'”’“‘（）()[]【】「」『』《》〈〉<"
_LEAD = " \t\n\r，,；;、。.!?！？…：:~～·•|/)）]】」』》〉”’–—"
_TAIL = " \t\n\r，,；;、：:|/(（[【「『《〈“‘·•–—-"
_BULLET = re.compile(r"[-*+_=>]+\s+")
_FACE = re.compile(r"[:;=]['’]?-?[()DPp|\\/]")
_FACE_TAIL = re.compile(r"[:;=]['’]?-?[(/|\\]+$")
_ATTACHED = re.compile("[\u0300-\u036f\u200d\ufe0e\ufe0f\U0001f3fb-\U0001f3ff\u20e3\udc00-\udfff]")


def segment_text(text: str, language: str) -> list[tuple[int, int]]:
    """Return the spans of the opinions in ``text``, trimmed of white space and of the punctuation that only separates them.

    ``language`` is an ISO 639-1 code or ``und``; it decides which turning words are looked for.
    """
    marks = _list_marks(text)
    masked = _masked(text, marks)
    cuts = {0, len(text), *(start for start, _ in marks), *_sentence_starts(masked)}
    sentences = sorted(cuts)
    for start, end in pairwise(sentences):
        for find_cuts in _clause_finders(text, start, end, language):
            cuts.update(find_cuts(masked, start, end))
    spans = (_trimmed(text, start, end) for start, end in _merged(text, list(_short_enough(text, sorted(cuts)))))
    return [(start, end) for start, end in spans if start < end]


def _masked(text: str, marks: list[tuple[int, int]]) -> str:
    """Return ``text``, as long as it is, with letters where punctuation and turning words mean nothing."""
    parts: list[str] = []
    done = 0
    for start, end in marks:
        parts += [text[done:start], "x" * (end - start)]
        done = end
    masked = "".join([*parts, text[done:]])
    masked = _PROTECTED.sub(_letters, masked) if _ASCII.search(text) else masked
    return _PROTECTED_HAN.sub(_letters, masked)


def _letters(match: re.Match[str]) -> str:
    return "x" * len(match[0])


def _sentence_starts(masked: str) -> Iterator[int]:
    for match in _SENTENCE_END.finditer(masked):
        yield match.end()
    for match in _HEADING.finditer(masked):
        yield match.start()


def _list_marks(text: str) -> list[tuple[int, int]]:
    """Find the marks of numbered points, where they count on from one: "1) … 2) …", "1、…2、…", "①…②…"."""
    marks: list[tuple[int, int]] = []
    first, expected = (0, 0), 1
    for match in _LIST_MARK.finditer(text):
        mark = match[1] or match[2]
        number = _CIRCLED.get(mark) or (int(mark) if mark.isdigit() else ord(mark) - ord("a") + 1)
        if number == 1:
            first, expected = match.span(), 2
        elif number == expected:
            marks += [first, match.span()] if expected == 2 else [match.span()]
            expected += 1
    return marks


def _clause_finders(text: str, start: int, end: int, language: str) -> list[Callable[[str, int, int], Iterable[int]]]:
    finders: list[Callable[[str, int, int], Iterable[int]]] = [_mark_cuts] if _MARK.search(text, start, end) else []
    if end - start < 6:
        return finders
    if language in _OTHER_TURNS:
        return [*finders, lambda masked, first, last: (match.start() for match in _OTHER_TURNS[language].finditer(masked, first, last))]
    if language in {"zh", "und"} and _ANY_HAN.search(text, start, end):
        finders.append(_chinese_cuts)
    if language in {"en", "zh", "und"} and _LATIN_WORD.search(text, start, end):
        finders.append(_english_cuts)
    return finders


def _mark_cuts(masked: str, start: int, end: int) -> Iterator[int]:
    for pattern in (_DASH, _SLASH):
        for match in pattern.finditer(masked, start, end):
            yield match.end()


def _chinese_cuts(masked: str, start: int, end: int) -> Iterator[int]:
    turns = [match.start() for match in _ZH_TURN.finditer(masked, start, end)]
    yield from turns
    commas = [match.span() for match in _ZH_COMMA.finditer(masked, start, end)]
    clause_start = start
    for (comma, after), (clause_end, _) in pairwise([*commas, (end, end)]):
        before, behind = masked[clause_start:comma], masked[after:clause_end]
        if _ZH_CONCESSIVE.match(before) or (after not in turns and _changes_subject(before, behind)):
            yield after
        clause_start = after


def _changes_subject(before: str, behind: str) -> bool:
    """Whether two Chinese clauses on both sides of a comma have subjects of their own, and neither leans on the other."""
    if _ZH_NEXT_POINT.match(behind):
        return True
    if _ZH_SUBORDINATE.match(before) or _ZH_SUBORDINATE_END.search(before):
        return False
    if more := _ZH_MORE.match(behind):
        behind = behind[more.end() :]
    if _count_han(before) < 4 or _count_han(behind) < 4:
        return False
    if not _ZH_EVALUATION.search(before) and (_ZH_EVENT.search(before) or not _has_topic(before)):
        return False  # an event that the next clause goes on with
    return _has_topic(behind)


def _has_topic(clause: str) -> bool:
    """Whether a Chinese clause begins with what it is about and goes on with what it says about it."""
    if clause.startswith(("对", "关于", "至于", "其他", "其它", "其余")):
        return True
    tagged = rjieba.tag(clause[:16])
    word, tag = tagged[0]
    if word in _ZH_DEPENDENT:
        return False
    rest = clause[len(word) :]
    if tag.startswith(_TOPIC_TAGS):
        if len(tagged) > 1 and _ZH_TIME_LINK.match(rest):
            return False  # "用了两天，屏幕就碎了": one event after the other
        return _ZH_EVALUATION.search(rest or word) is not None or _ZH_PREDICATE.search(rest) is not None
    if tag.startswith("v") and len(tagged) > 1:  # an activity with its judgement: "送货及时", "上菜速度太慢"
        second, second_tag = tagged[1]
        return _is_judged(rest) or (second_tag.startswith("n") and _is_judged(rest[len(second) :]))
    return False


def _is_judged(rest: str) -> bool:
    adverbs = _ZH_ALSO.match(rest)
    return _ZH_EVALUATION.match(rest, adverbs.end() if adverbs else 0) is not None


def _count_han(text: str) -> int:
    """Return how many Han characters ``text`` says as much as; a Latin word or a number counts for two."""
    return sum(1 if word >= "\u2e80" else 2 for word in _HAN_OR_WORD.findall(text))


def _english_cuts(masked: str, start: int, end: int) -> Iterator[int]:
    concessive = _EN_CONCESSIVE.match(masked, start, end)
    if concessive and (comma := masked.find(",", start, end)) >= 0:
        yield comma + 1
    for match in _EN_TURN.finditer(masked, start, end):
        near = max(start, match.start() - _LONGEST_PIECE)
        aside = masked.startswith(",", match.end()) and not _EN_VERB.search(masked, near, match.start())  # "The food, however, was cold"
        if not aside and not masked.startswith("as ", max(start, match.start() - 3)):  # "as though"
            yield match.start()
    done = start
    for match in _EN_CHANGE.finditer(masked, start, end):
        begin = match.start() + (1 if masked[match.start()] == "," else 0)
        clause = masked[done : match.start()]
        if not _EN_SUBORDINATE.match(clause) and (_EN_VERB.search(clause) or _EN_JUDGED.search(clause) or _EN_STATEMENT.match(clause)):
            done = begin
            yield begin


def _short_enough(text: str, cuts: list[int]) -> Iterator[tuple[int, int]]:
    """Cut what is too long for a sentence at its last comma or space, or, where it has none, anywhere but inside a character."""
    for start, end in pairwise(cuts):
        while end - start > _LONGEST_SENTENCE:
            window = text[start : start + _LONGEST_PIECE]
            cut = max(window.rfind(mark) for mark in "，,、；;")
            if cut < _LONGEST_PIECE // 2:
                cut = max(cut, window.rfind(" "))
            place = start + (cut + 1 if cut > 0 else _LONGEST_PIECE)
            while place < end and place - start < _LONGEST_SENTENCE and (_ATTACHED.match(text[place]) or text[place - 1] == "\u200d"):
                place += 1
            yield start, place
            start = place
        yield start, end


def _merged(text: str, pieces: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join fragments to a neighbour: to what follows if they open a sentence, else to what came before."""
    spans: list[tuple[int, int]] = []
    carried, carried_size = -1, 0
    for start, end in pieces:
        size, opens = _measure(text[start:end])
        if size == 0 and carried < 0 and all(unicodedata.category(character) != "So" for character in text[start:end]):
            continue  # punctuation alone
        first = start if carried < 0 else carried
        small = size + carried_size < _SMALLEST_PIECE
        if small and spans and carried < 0 and not opens and end - spans[-1][0] <= _LONGEST_SENTENCE:
            spans[-1] = (spans[-1][0], end)
        elif small and end - first < _LONGEST_PIECE:
            carried, carried_size = first, carried_size + size
        else:
            spans.append((first, end))
            carried, carried_size = -1, 0
    if carried >= 0 and spans and len(text) - spans[-1][0] <= _LONGEST_SENTENCE:
        spans[-1] = (spans[-1][0], len(text))
    elif carried >= 0:
        spans.append((carried, len(text)))
    return spans


def _measure(piece: str) -> tuple[int, bool]:
    """Return how much a piece says, in Han characters (a word counts for two), and whether it only opens the next one."""
    bare = piece.strip(_EDGE).lower()
    opens = bare in _OPENERS or is_salutation(bare)
    if opens or is_sign_off(bare):
        return 1, opens
    size, content = 0, False
    for match in _UNIT.finditer(piece):
        if match["single"]:
            size, content = size + 1, True
        else:
            word = match["run"].lower()
            size += len(word) // 4 + 1 if _UNSPACED.match(word) else 2 + len(word) // 24
            content = content or word not in _EMPTY_WORDS
        if size >= _SMALLEST_PIECE and content:
            break
    heading = piece.rstrip().endswith((":", "：")) and size <= 2 * _SMALLEST_PIECE
    return (size if content and not heading else min(size, _SMALLEST_PIECE - 1)), heading


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """Shrink a span by the white space and separators at its ends; full stops, closing marks, faces and emoji stay."""
    while start < end:
        if text[start] in _LEAD and not _FACE.match(text, start, end):
            start += 1
        elif bullet := _BULLET.match(text, start, end):
            start = bullet.end()
        else:
            break
    while end > start and text[end - 1] in _TAIL and not _FACE_TAIL.search(text, max(start, end - 6), end):
        end -= 1
    return start, end
