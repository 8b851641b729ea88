"""Words in column names, and what they hint at. English and Chinese.

Comes in: one column name or question. Goes out: hints. Never looks at values: columns.py weighs a hint against them.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from feedback_miner.domain import ScoreKind

__all__ = ["Hints", "read_hints", "word_set"]


def word_set(text: str) -> frozenset[str]:
    """Write a set of words as one line of text."""
    return frozenset(text.split())


@dataclass(frozen=True, slots=True)
class Hints:
    """What a column's name says about it."""

    text: bool = False
    """It asks for, or is called, somebody's words."""
    question: bool = False
    """It is a sentence, as surveys name their columns, not the name of a field."""
    second_text: bool = False
    """Words beside the text proper: a title, or an answer to the customer."""
    no_text: bool = False
    """A key, a number, a label, a date …: not words, however it looks."""
    score: ScoreKind | None = None
    number: bool = False
    """It holds a score of some kind that the name does not tell."""
    group: bool = False
    """Promoter groups."""
    date: int = 0
    """0: no date; else 1 (a date) to 3 (when the answer was given)."""
    other_date: bool = False
    """A date of something else: a birth, an answer to the customer."""
    customer: int = 0
    """0: no key; else 1 to 3, the likelier the higher."""
    channel: bool = False
    weight: bool = False
    private: bool = False
    """Names and addresses of people, keys, links: never an attribute by a guess."""
    locale: bool = False


_TEXT = word_set(
    "comment comments feedback feedbacks review reviews text verbatim verbatims why reason reasons opinion opinions message"
    " messages msg body content description remark remarks note notes suggestion suggestions improve improvement improvements"
    " narrative complaint complaints tweet post answer response explain elaborate thoughts tell specify transcript utterance"
    " sentence document"
)
_TEXT_CHINESE = re.compile(
    "评论|评价|意见|建议|反馈|原因|理由|留言|吐槽|为什么|请说明|请描述|请填写|请写|说说|补充|投诉|诉求|详情|描述|文本|正文|内容|不足|改进|想说"
)
_TEXT_HEAD_CHINESE = re.compile(rf"(?:{_TEXT_CHINESE.pattern})\s*(?:[（(][^（()）]*[)）])?$")
_NO_TEXT = word_set(
    "id ids uuid guid key url uri link email mail phone mobile tel name firstname lastname ip count counts number num no"
    " length len date time timestamp created updated lang language locale label labels category categories code codes score"
    " scores rating ratings sentiment tag tags theme themes topic topics type types status state file filename path address"
    " city country region zip postcode likes votes age gender sex index version price aspects entities embedding hash class"
    " source channel platform"
)
_NO_TEXT_CHINESE = re.compile(
    "编号|序号|时间|日期|链接|网址|姓名|手机|电话|邮箱|地址|标签|类别|分类|类型|数量|条数|次数|评分|得分|分数|状态|等级|情感"
)
_SECOND = word_set("title titles subject headline summary heading reply replies")
_SECOND_CHINESE = re.compile("标题|主题|摘要|回复|答复|回应|(?:客服|商家|坐席|官方)(?:备注|说明|意见|记录)")
_ANSWERER = word_set("company owner developer agent staff business seller official vendor support manager admin dev merchant")
_ANSWERS = word_set("response responses answer answers comment comments note notes remark remarks")
_DATES = {
    **dict.fromkeys(word_set("submitted completed recorded recordeddate enddate answered submission"), 3),
    **dict.fromkeys(word_set("date created timestamp datetime posted published created_at day"), 2),
    **dict.fromkeys(word_set("time at when started startdate updated modified month"), 1),
}
_NO_DATE = word_set(
    "birth dob birthday expiry due reply replied response duration length zone timezone spent taken hours minutes seconds purchase"
)
_DATE_CHINESE = ((re.compile("提交|完成|结束|答卷时间|评论时间|评价时间|反馈时间|发布"), 3), (re.compile("日期|时间"), 2))
_NO_DATE_CHINESE = re.compile("出生|生日|到期|回复|答复|所用|时长|耗时|用时")
_PEOPLE = word_set(
    "customer client user member respondent author account person profile subscriber guest patient buyer reviewer contact"
    " openid unionid uid"
)
_KEYS = word_set("id ids no number name key code ref reference email handle username uuid hash")
_CUSTOMER_CHINESE = re.compile(
    r"(?:客户|用户|会员|顾客|买家|作者|账号|账户|患者)(?:id|编号|号|号码|名|名称|昵称)?|openid|unionid", re.IGNORECASE
)
_CHANNEL = word_set("channel channels source platform medium touchpoint via")
_CHANNEL_CHINESE = re.compile("渠道|来源|平台|触点")
_WEIGHT = word_set("weight weights weighting wt wgt")
_PRIVATE = word_set(
    "id ids uuid email mail phone mobile tel firstname lastname username handle ip address url uri link latitude longitude lat lon"
)
_NAMES = word_set("name first last full middle nick display given family")
_PRIVATE_CHINESE = re.compile("姓名|手机|电话|邮箱|地址|链接|网址|编号|序号|身份证|昵称|微信|QQ")
_NPS = word_set("nps recommend recommendation recommended recommending promoter")
_CSAT = re.compile(r"^(?:csat|satisf\w*)$")
_CES = word_set("ces effort easy ease easily effortless")
_STARS = word_set("star stars rating ratings rated rate")
_NO_SCORE = word_set("count counts id ids confidence sentiment probability length date time rank version")
_NUMBER = word_set("score scores grade points likelihood likely")


@lru_cache(maxsize=1024)
def read_hints(name: str) -> Hints:
    """Read the hints of a column name or of the question it holds the answers to."""
    words = re.findall(r"[a-z]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower())
    known = frozenset(words)
    ideographs = sum("\u4e00" <= char <= "\u9fff" for char in name)
    short = len(words) <= 4 and ideographs <= 6
    asks = bool(known & _TEXT) or bool(_TEXT_CHINESE.search(name))
    # The last word is what the column holds: a comment on the score is text, the id of a comment is not.
    headed = bool(words and (words[-1] in _TEXT or words[0] in {"why", "reason"})) or bool(_TEXT_HEAD_CHINESE.search(name))
    no_text = short and not headed and (bool(known & _NO_TEXT) or bool(_NO_TEXT_CHINESE.search(name)))
    second = short and (bool(known & _SECOND) or bool(_SECOND_CHINESE.search(name)) or bool(known & _ANSWERER and known & _ANSWERS))
    kind, number = _score_hint(known, name)
    return Hints(
        text=asks and not no_text and not second,
        question=not short,
        second_text=second,
        no_text=no_text,
        score=kind,
        number=number,
        group="group" in known or bool(re.search("分组|类型", name)),
        date=_date_hint(words, name) if short else 0,
        other_date=_is_other_date(words, name),
        customer=_customer_hint(words, known, name),
        channel=short and len(words) <= 2 and (bool(known & _CHANNEL) or bool(_CHANNEL_CHINESE.search(name))),
        weight=short and len(words) <= 2 and (bool(known & _WEIGHT) or "权重" in name),
        private=short
        and (bool(known & _PRIVATE) or ("name" in known and known <= _PEOPLE | _NAMES) or bool(_PRIVATE_CHINESE.search(name))),
        locale=bool(known & {"locale", "country"}) or known >= {"user", "language"},
    )


def _score_hint(known: frozenset[str], name: str) -> tuple[ScoreKind | None, bool]:
    if known & _NO_SCORE and len(known) <= 4:
        return None, False
    if known & _NPS or "推荐" in name:
        return ScoreKind.NPS, True
    if any(_CSAT.match(word) for word in known) or "满意" in name:
        return ScoreKind.CSAT, True
    if known & _CES or re.search("费力|省力|轻松|容易", name):
        return ScoreKind.CES, True
    if known & _STARS or re.search("星级|星|评分|打分", name):
        return ScoreKind.STARS, True
    return None, bool(known & _NUMBER) or bool(re.search("得分|分数|分值|可能性", name))


def _is_other_date(words: list[str], name: str) -> bool:
    return bool(_NO_DATE.intersection(words) or _NO_DATE_CHINESE.search(name))


def _date_hint(words: list[str], name: str) -> int:
    if _is_other_date(words, name):
        return 0
    best = max((_DATES.get(word, 0) for word in words), default=0)
    if best and words in (
        ["date"],
        ["timestamp"],
        ["created", "at"],
        ["review", "date"],
        ["survey", "date"],
        ["comment", "date"],
        ["response", "date"],
    ):
        return 3
    return max([best, *(value for pattern, value in _DATE_CHINESE if pattern.search(name))])


def _customer_hint(words: list[str], known: frozenset[str], name: str) -> int:
    if _CUSTOMER_CHINESE.fullmatch(name.strip()):
        return 3
    if not known or not known <= _PEOPLE | _KEYS | {"external"}:
        return 0
    if known & _PEOPLE:
        return 3 if known & _KEYS or words in (["customer"], ["user"], ["client"], ["member"]) else 2
    return 1 if known <= {"email", "username", "handle"} or {"external", "reference"} <= known else 0
