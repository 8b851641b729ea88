"""How letters begin and end: 尊敬的领导：您好, "Dear Sir or Madam", "Kind regards". Nobody's opinion, and no reason to be in one theme.

Comes in: a piece of text, or the whole of it; goes out: whether it is one, or the text without it. Takes time linear in the length.
"""

import re

__all__ = ["drop_salutation", "is_salutation", "is_sign_off"]

_ADDRESSEE = (
    "领导|領導|书记|書記|[市区區县縣局院校店][长長]|主任|经理|經理|老师|老師|医生|醫生|先生|女士|客服|同志|朋友|[店商卖賣]家|老板|老闆|负责人|負責人"
    "|团队|團隊"
)
_ADDRESS = (
    rf"(?:尊敬|敬[爱愛]|[亲親][爱愛])的?(?:[^，,。！!？?；;]{{0,12}}?(?:{_ADDRESSEE})[们們]?)?(?:[，,：:\s]*(?:您|你|大家)[们們]?好)?"
    r"|dear(?:[\s,/]+(?:sirs?|madam|or|and|mr|mrs|ms|dr|<?name>?|team|all|everyone|support|customer|service|services|care|manager|friends|colleagues))+"
    r"|to\swhom\sit\smay\sconcern|sehr\sgeehrte(?:r|\sdamen\sund\sherren)?(?:\s(?:herr|frau)\s\S{1,30})?|madame,?\smonsieur"
    r"|estimad[oa]s?(?:\sseñor(?:es|as?)?)?"
)
_GREETING = (
    r"(?:hi|hello|hey|good\s(?:morning|afternoon|evening))(?:[\s,/]+(?:there|sirs?|madam|team|all|everyone|support|friends))*|bonjour"
)
_SALUTATION = re.compile(f"{_ADDRESS}|{_GREETING}", re.IGNORECASE)
_OPENING = re.compile(rf"\s*(?:{_ADDRESS})\s*[，,：:。.！!]\s*(?=\S)(?!(?:您|你|大家)[们們]?好)", re.IGNORECASE)
_SIGN_OFF = re.compile(
    r"此致|敬礼|此致\s*敬礼|祝好|敬上|(?:(?:with\s)?(?:kind|kindest|best|warm|warmest)\s)?regards|(?:with\s)?best\swishes"
    r"|yours\s(?:sincerely|faithfully|truly)|sincerely(?:\syours)?|mit\sfreundlichen\sgrü(?:ß|ss)en|mfg|cordialement|atentamente|cordiali\ssaluti",
    re.IGNORECASE,
)


def is_salutation(piece: str) -> bool:
    """Tell whether a piece, without the punctuation around it, is how a letter begins."""
    return _SALUTATION.fullmatch(piece) is not None


def is_sign_off(piece: str) -> bool:
    """Tell whether a piece, without the punctuation around it, is how a letter ends."""
    return _SIGN_OFF.fullmatch(piece) is not None


def drop_salutation(text: str) -> str:
    """Return a text without the formal address that it begins with; one that is nothing else stays."""
    opening = _OPENING.match(text)
    return text if opening is None else text[opening.end() :]
