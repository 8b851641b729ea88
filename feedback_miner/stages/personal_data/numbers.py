"""Numbers that belong to a person: telephone, identity documents, bank cards, plates, orders, tickets, accounts.

Wherever a checksum, a calendar or a numbering plan can prove a number, it has to. Numbers without any of these count only behind a label
("order no.", 工单号) or in a carrier's own format.
"""

import re
from datetime import date

import phonenumbers
from stdnum import ean, iban, luhn
from stdnum.cn import ric
from stdnum.gb import nhs
from stdnum.us import ssn

from feedback_miner.stages.personal_data.rule import Rule, rule

__all__ = ["NUMBER_RULES"]

_PROVINCES = frozenset(
    str(first * 10 + last) for first, count in ((1, 5), (2, 3), (3, 7), (4, 6), (5, 4), (6, 5)) for last in range(1, count + 1)
) | {"50", "71", "81", "82"}
_DATE = re.compile(r"(?:19|20)\d\d[-/. ]?\d{1,2}[-/. ]?\d{1,2}(?!\d{7})|\d{1,2}[-/.]\d{1,2}[-/.](?:19|20)\d\d")
_ISSUERS = {13: ("4",), 14: ("30", "36", "38"), 15: ("34", "37")}
_NO = r"[0-9零〇一二三四五六七八九幺壹贰叁肆伍陆柒捌玖]"
_CODE = r"[A-Za-z0-9](?:[A-Za-z0-9_/-]{2,28}[A-Za-z0-9])(?![A-Za-z0-9]|[.,][0-9])"
_NUMBER_IS = r"(?i: ?(?:number|num|no|id|#)(?![a-z])\.?)?(?:[ :#=-]|is\b|was\b){1,6}"
_SUBJECT = (
    r"(?:order|ticket|tracking|booking|reservation|case|claim|invoice|reference|ref|policy|account|acct|a/c|confirmation|conf"
    r"|customer|membership|member"
    r"|loyalty|frequent flyer|incident|complaint|parcel|package|shipment|delivery|consignment|transaction|receipt|serial"
    r"|contract|employee|staff|user"
    r"|patient|bag|baggage|refund|return|service request|job|repair|warranty)"
)
_SUBJECT_ZH = (
    r"(?:订单|运单|快递|物流|工单|流水|交易|取件|提货|预订|预定|预约|确认|案件|投诉|受理|保单|合同|发票|小票|票|会员卡?|宽带"
    r"|用户|客户|退货|退款|售后|维修|业务|申请"
    r"|报修|登记|档案|病历|住院|就诊|门诊|挂号|包裹|邮件|行程|设备|序列|工|单|户)"
)


def _digits(text: str) -> str:
    return re.sub(r"[^0-9]", "", text)


def _is_date(year: str, month: str, day: str) -> bool:
    try:
        return date(int(year), int(month), int(day)) is not None
    except ValueError:
        return False


def _identity_card(text: str) -> int:
    """PRC: 18 characters by checksum, 15 by province and birthday (they have no checksum)."""
    number = re.sub(r"[ -]", "", text).upper()
    if number[:2] not in _PROVINCES:
        return 0
    if len(number) == 15:
        return len(text) if _is_date(f"19{number[6:8]}", number[8:10], number[10:12]) else 0
    proven = _is_date(number[6:10], number[10:12], number[12:14]) and ric.calc_check_digit(number) == number[-1]
    return len(text) if proven else 0


def _card(text: str) -> int:
    """Issuer prefixes by length, then Luhn: an EAN-13 barcode passes Luhn one time in ten."""
    number = _digits(text)
    prefixes = _ISSUERS.get(len(number), ("2", "3", "4", "5", "6", "9"))
    return len(text) if 13 <= len(number) <= 19 and number.startswith(prefixes) and len(set(number)) > 1 and luhn.is_valid(number) else 0


def _iban(text: str) -> int:
    """A word in capitals may follow: take the longest run of whole groups that the checksum proves."""
    ends = [match.end() for match in re.finditer(r"[A-Za-z0-9]+", text)]
    return next((end for end in reversed(ends) if iban.is_valid(text[:end])), 0)


def _social_security(text: str) -> int:
    return len(text) if ssn.is_valid(text) else 0


def _nhs_number(text: str) -> int:
    return len(text) if nhs.is_valid(text) else 0


def _valid_phone(number: str, region: str | None) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number, region))
    except phonenumbers.NumberParseException:
        return False


def _international(text: str) -> int:
    """``+`` or ``00`` and a country code. Figures may follow: take the longest run of groups that is a number somewhere.

    A mistyped number is in no numbering plan but still somebody's: after ``+``, ten digits that are no round sum are enough.
    """
    number = re.sub(r"^00", "+", text)
    shift = len(text) - len(number)
    ends = [match.end() for match in re.finditer(r"[0-9]+", number)]
    mistyped = len(text) if not shift and text[0] == "+" and len(_digits(text)) >= 10 and not text.endswith("000") else 0
    return next((end + shift for end in reversed(ends) if end > 7 and _valid_phone(number[:end], None)), mistyped)


def _trunk_number(text: str) -> int:
    """National form with the trunk prefix 0: a number in Britain, Germany or France, and not a date."""
    ends = [match.end() for match in re.finditer(r"[0-9]+\)?", text) if 9 <= len(_digits(text[: match.end()])) <= 12]
    if _DATE.match(text):
        return 0
    return next((end for end in reversed(ends) if any(_valid_phone(text[:end], region) for region in ("GB", "DE", "FR"))), 0)


def _north_american(text: str) -> int:
    """Dashes, dots or brackets show a phone number; without them it has to be one that can be dialled."""
    written = re.fullmatch(r"(?:\+?1[ .-]?)?(?:\(\d{3}\) ?|\d{3}([.-]))\d{3}[.-]\d{4}", text)
    return len(text) if written or _valid_phone(text, "US") else 0


def _hotline(text: str) -> int:
    """400 and 800 numbers, but not three round prices in a row."""
    groups = re.split(r"[ -]+", text)
    return 0 if " " in text and all(group.endswith("0") for group in groups) else len(text)


def _labelled_phone(text: str) -> int:
    """After "tel:" any number of digits that a phone number can have, unless they are prices or a date."""
    groups = re.findall(r"[0-9]+", text)
    round_sums = len(groups) > 1 and all(len(group) > 2 and group.endswith(("00", "99")) for group in groups)
    return len(text) if 7 <= len("".join(groups)) <= 15 and not round_sums and not _DATE.match(text) else 0


def _plate(text: str) -> int:
    """China: at most two letters in the number, so "新" or "青" before a product code does not count."""
    number = re.sub(r"[^A-Za-z0-9]", "", text[2:])
    return len(text) if sum(character.isdigit() for character in number) >= len(number) - 2 else 0


def _mixed_code(text: str) -> int:
    """A labelled code: at least four characters, a digit among them, and neither a date nor a year."""
    number = re.sub(r"[^A-Za-z0-9]", "", text)
    figures = sum(character.isdigit() for character in number)
    if len(number) < 4 or not figures or _DATE.fullmatch(text) or re.fullmatch(r"(?:19|20)\d\d(?:[-/](?:\d\d|(?:19|20)\d\d))?", text):
        return 0
    return len(text) if figures >= 3 or (figures and number.isupper() and len(number) in (6, 7, 8)) else 0


def _long_code(text: str) -> int:
    """A code that stands by its label without "number", "#" or a colon has to look like one by itself."""
    return _mixed_code(text) if sum(character.isdigit() for character in text) >= 6 else 0


def _long_number(text: str) -> int:
    """A long run of different digits is somebody's number; laughter (2333…), round sums, time stamps and barcodes are not."""
    stamp = len(text) in (12, 14, 17) and text[0] in "12" and _is_date(text[:4], text[4:6], text[6:8])
    barcode = len(text) in (12, 13) and ean.is_valid(text)
    return 0 if stamp or barcode or len(set(text)) < 4 or text.endswith("00000") else len(text)


def _spoken_number(text: str) -> int:
    """Figures in words; with digits only, the stricter patterns decide."""
    return len(text) if sum(not character.isascii() for character in text) >= 4 else 0


NUMBER_RULES: tuple[Rule, ...] = (
    # Telephone numbers.
    rule(
        "PHONE",
        r"(?<![0-9])(?:\(?(?:\+|00)?86\)?[ -]{0,2})?\(?1[3-9](?:[0-9]\)?[ .-]{0,3}[0-9]{4}[ .-]{0,3}[0-9]{4}"
        r"|[0-9][ .-]{0,3}[0-9]{3}[ .-]{0,3}[0-9]{5}"
        r"|[0-9]{2}[ .-]{0,3}[0-9]{3}[ .-]{0,3}[0-9]{4})(?![0-9])",
        digits=11,
    ),
    rule("PHONE", r"(?<![0-9])1[ -][3-9](?:[ -][0-9]){9}(?![0-9])", digits=11),
    rule(
        "PHONE",
        rf"(?<!{_NO})[1一幺壹][ -]?[3-9三四五六七八九叁肆伍陆柒捌玖](?:[ -]?{_NO}){{9}}(?!{_NO})",
        _spoken_number,
        needs=tuple("一幺壹三五七八九零〇"),
    ),
    rule(
        "PHONE",
        r"(?<![0-9¥$])(?<![0-9][.,])[48]00(?:[ -]?[0-9]{3}[ -]?[0-9]{4}|[ -]?[0-9]{4}[ -]?[0-9]{3}|-[0-9]-?[0-9]{3}-?[0-9]{3}"
        r"|[ -]?[0-9]{2}[ -]?[0-9]{5})"
        r"(?![0-9元块人])",
        _hotline,
        digits=10,
    ),
    rule(
        "PHONE",
        r"(?<![0-9])\(?0[1-9][0-9]{1,2}\)?[ -]{0,2}[1-9][0-9]{2,3}[ -]?[0-9]{4}(?:(?:-| ?转 ?|,? ?ext\.? ?)[0-9]{1,6})?(?![0-9])",
        digits=10,
    ),
    rule(
        "PHONE",
        r"(?:(?<![0-9A-Za-z+])\+|(?<![0-9A-Za-z+])(?<![0-9][.,])00) ?\(?[1-9](?:[ .\-()/]{0,3}[0-9]){6,14}(?![0-9])",
        _international,
        digits=7,
    ),
    rule("PHONE", r"(?<![0-9A-Za-z-])(?<![0-9][.,])\(?0[1-9](?:[ ()/-]{0,2}[0-9]){7,10}(?![0-9])", _trunk_number, digits=9),
    rule("PHONE", r"(?<![0-9A-Za-z])(?<![0-9]\.)0[1-9](?:[. -][0-9]{2}){4}(?![0-9.])", digits=10),
    rule(
        "PHONE", r"(?<![0-9A-Za-z])(?:\+?1[ .-]?)?\(?[2-9][0-9]{2}\)?[ .-]{0,2}[0-9]{3}[ .-]?[0-9]{4}(?![0-9])", _north_american, digits=10
    ),
    rule(
        "PHONE",
        r"(?:(?i:(?<![a-z])(?:tel|telephone|fax|(?:cell|mobile)(?: phone)?|phone|whatsapp|(?:call|text|ring|reach|phone)(?: me"
        r"| us)?(?: back)? (?:on|at))"
        r"(?: ?(?:number|no|num)\b)?)[ .:#=]{1,4}(?:is |was )?|(?:电话|手机号码?|联系方式|座机|固话|热线|传真|号码)[ :是为号码=]{0,4})"
        r"(?P<it>\+?\(?[0-9](?:[ ()-]{0,2}[0-9]){6,14})(?![0-9]|[.,][0-9])(?![元块万人次个分])",
        _labelled_phone,
        digits=7,
    ),
    # Identity documents.
    rule(
        "ID",
        r"(?<![0-9])[1-9][0-9]{2}[ -]?[0-9]{3}[ -]?(?:18|19|20)[0-9]{2}[ -]?[01][0-9][ -]?[0-3][0-9][ -]?[0-9]{3}[ -]?[0-9Xx](?![0-9])",
        _identity_card,
        digits=17,
    ),
    rule("ID", r"(?<![0-9])[1-9][0-9]{3}(?:[ -][0-9]{4}){3}[ -][0-9][0-9Xx](?![0-9])", _identity_card, digits=17),
    rule("ID", r"(?<![0-9A-Za-z])[1-9][0-9]{14}(?![0-9])", _identity_card, digits=15),
    rule(
        "ID",
        r"(?:身份证|证件|护照|驾驶证|驾照|社保卡?|医保卡?|通行证)(?:号码?|件号)?[ :是为=]{0,4}"
        r"(?P<it>[A-Za-z]{0,2}[0-9]{6,18}[0-9Xx]?(?:\([0-9A]\))?)(?![0-9A-Za-z])",
        digits=6,
    ),
    rule(
        "ID",
        r"(?i:passport|driv(?:ing|er'?s?) licen[cs]e|identity card|id card|national id)"
        + _NUMBER_IS
        + r"(?P<it>[A-Z0-9]{6,18})(?![A-Za-z0-9])",
        _long_code,
        digits=6,
    ),
    rule("ID", r"(?<![0-9A-Za-z-])[0-9]{3}-[0-9]{2}-[0-9]{4}(?![0-9A-Za-z-])", _social_security, digits=9),
    rule(
        "ID",
        r"(?i:\bssn|social security)" + _NUMBER_IS + r"(?P<it>[0-9]{3}[ -]?[0-9]{2}[ -]?[0-9]{4})(?![0-9])",
        digits=9,
    ),
    rule("ID", r"(?<![0-9A-Za-z])[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] [0-9]{2} [0-9]{2} [0-9]{2} [A-D](?![0-9A-Za-z])", digits=6),
    rule(
        "ID",
        r"(?i:\bni|nino|national insurance)" + _NUMBER_IS + r"(?P<it>[A-Za-z]{2} ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-Da-d])(?![0-9A-Za-z])",
        digits=6,
    ),
    rule(
        "ID",
        r"(?i:\bnhs)" + _NUMBER_IS + r"(?P<it>[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{4})(?![0-9])",
        _nhs_number,
        digits=10,
    ),
    # Bank cards and accounts.
    rule("CARD", r"(?<![0-9])[2-69][0-9]{12,18}(?![0-9])", _card, digits=13),
    rule("CARD", r"(?<![0-9])[2-69][0-9]{3}(?:[ -][0-9]{4}){2,3}(?:[ -][0-9]{1,4})?(?![0-9])", _card, digits=13),
    rule("CARD", r"(?<![0-9])3[47][0-9]{2}[ -][0-9]{6}[ -][0-9]{5}(?![0-9])", _card, digits=15),
    rule(
        "CARD",
        r"(?:(?<!员)卡号|银行卡号?|储蓄卡号?|信用卡号?|银行账号|(?i:card(?: number| num| no\.?|:)))[ :#是为=]{0,4}(?P<it>[0-9]"
        r"(?:[ -]?[0-9]){11,18})(?![0-9])",
        digits=12,
    ),
    rule("IBAN", r"(?<![A-Za-z0-9])[A-Za-z]{2}[0-9]{2}(?: ?[A-Za-z0-9]{4}){2,7}(?: ?[A-Za-z0-9]{1,4})?(?![A-Za-z0-9])", _iban, digits=8),
    # Licence plates. The British form is also a product code, so it needs a word that says what it is.
    rule(
        "PLATE",
        r"(?:[京津沪渝冀豫云辽黑湘皖鲁苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼使领]|(?<![最全更崭])新)[A-HJ-NP-Za-hj-np-z] ?[·・•.-]? ?"
        r"(?:[A-HJ-NP-Za-hj-np-z0-9]{4}[警学挂港澳使领]|[A-HJ-NP-Za-hj-np-z0-9]{5,6}(?![A-Za-z0-9]))",
        _plate,
        digits=3,
    ),
    rule(
        "PLATE",
        r"(?i:\b(?:number ?plate|licen[cs]e plate|plates?|registration|reg|车牌))(?i: ?(?:number|num|no)\b\.?)?[号码]{0,2}"
        r"(?:[ :#=,-]|is\b|was\b|是|为){1,6}"
        r"(?P<it>[A-Z]{2}[0-9]{2} ?[A-Z]{3}|(?=[A-Z0-9-]{0,8}[0-9])[A-Z0-9]{1,4}[ -]?[A-Z0-9]{2,4})(?![A-Za-z0-9])",
        needs=("plate", "reg", "车牌"),
        digits=1,
    ),
    rule(
        "PLATE",
        r"(?<![A-Za-z0-9])(?P<it>[A-Z]{2}[0-9]{2} ?[A-Z]{3})(?= (?:is )?(?i:my|the|our)? ?(?i:number plate|plate|reg)\b)",
        needs=("plate", "reg"),
        digits=2,
    ),
    rule(
        "PLATE",
        r"(?:车架号|(?i:\bvin))(?i: ?(?:number|no)\b\.?)?[ :#是为=]{0,4}(?P<it>[A-HJ-NPR-Za-hj-npr-z0-9]{17})(?![A-Za-z0-9])",
        digits=4,
    ),
    # Order, ticket, booking, case and account numbers.
    rule(
        "ORDER",
        rf"(?:(?i:(?<![a-z@_]){_SUBJECT}(?: (?:reference|ref|tracking))? ?(?:(?:numbers?|num|nr|no|id|code|ref)\b\.?|#|№)"
        rf"|(?<![a-z])(?:ref|reference|pnr|rma|awb|record locator)\b)(?:[ .:#=-]|is\b|was\b){{0,6}}|#(?=[0-9]{{6}}))(?P<it>{_CODE})",
        _mixed_code,
        digits=1,
    ),
    rule("ORDER", rf"(?i:(?<![a-z@_]){_SUBJECT}\b)[ :#]{{1,3}}(?:(?:is|was)\b ?)?(?P<it>{_CODE})", _long_code, digits=6),
    rule(
        "ORDER",
        r"(?:\bPNR|[Bb]ooking (?:[Rr]ef(?:erence)?|[Cc]ode)|[Cc]onfirmation (?:[Cc]ode|[Nn]umber)|[Rr]ecord locator|[Rr]eservation code)"
        r"(?: ?[:#]| is| was|) ?(?P<it>[A-Z]{6})(?![A-Za-z0-9])",
        needs=("pnr", "booking", "confirmation", "locator", "reservation"),
    ),
    rule(
        "ORDER",
        rf"(?:{_SUBJECT_ZH}单?(?:编号|号码|单号|编码|号|码|ID|id)码?|编号)[ :#是为=]{{0,4}}(?P<it>{_CODE})(?![元块])",
        _mixed_code,
        needs=("号", "码", "id"),
        digits=3,
    ),
    # Shelf, row and number: what elsewhere might be a date.
    rule("ORDER", r"[取提][件货]码[ :是为]{0,3}(?P<it>[0-9A-Z]{1,3}-[0-9]{1,3}-[0-9]{3,5})(?![0-9])", digits=4),
    rule(
        "ORDER",
        rf"(?:订单|运单|工单|快递|流水|账号|帐号|账户|户号)[ :#是为=]{{0,4}}(?P<it>{_CODE})(?![元块件个斤人天])",
        _long_code,
        digits=6,
    ),
    rule(
        "ORDER",
        r"(?<![A-Za-z0-9])(?:(?i:sf)[0-9]{12,15}|(?i:jd)[A-Za-z]{0,3}[0-9]{9,16}(?:-[0-9]{1,3}){0,3}|(?i:yt|zt|zto|sto|yd|dpk"
        r"|jt|ems)[0-9]{10,15}"
        r"|1Z[0-9A-Z]{16}|[A-Z]{2}[0-9]{9}[A-Z]{2}|[0-9]{3}-[0-9]{7}-[0-9]{7})(?![A-Za-z0-9])",
        digits=9,
    ),
    rule("ORDER", r"(?<![0-9.])[0-9]{12,30}(?![0-9]|\.[0-9])", _long_number, digits=12),
)
