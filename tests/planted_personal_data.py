"""Made-up personal data, as people write it into comments: each with its kind, what stands around it, and what has to go."""

import random
import re
from collections.abc import Iterator

from stdnum import iban, luhn
from stdnum.cn import ric
from stdnum.iban import calc_check_digits

__all__ = ["plant"]


def _figures(rng: random.Random, count: int) -> str:
    return "".join(rng.choice("0123456789") for _ in range(count))


def _wide(text: str) -> str:
    return "".join(chr(ord(character) + 0xFEE0) if "!" <= character <= "~" else character for character in text)


def _luhn_card(rng: random.Random, prefix: str, length: int) -> str:
    body = prefix + _figures(rng, length - len(prefix) - 1)
    return body + luhn.calc_check_digit(body)


def _identity_card(rng: random.Random) -> str:
    body = rng.choice(["110101", "310104", "440305", "510107"]) + f"{rng.randint(1950, 2009)}{rng.randint(1, 12):02}{rng.randint(1, 28):02}"
    body += _figures(rng, 3)
    return body + ric.calc_check_digit(body + "0")


def _nhs(rng: random.Random) -> str:
    while True:
        body = "9" + _figures(rng, 8)
        check = (11 - sum(int(figure) * (10 - place) for place, figure in enumerate(body)) % 11) % 11
        if check < 10:
            return body + str(check)


def _iban(rng: random.Random) -> str:
    code, size = rng.choice([("DE", 18), ("FR", 23), ("ES", 20)])
    while True:
        body = _figures(rng, size)
        candidate = f"{code}{calc_check_digits(f'{code}00{body}')}{body}"
        if iban.is_valid(candidate):  # French and Spanish numbers have a second, national checksum inside
            return candidate


def _by_four(text: str, gap: str = " ") -> str:
    return gap.join(text[place : place + 4] for place in range(0, len(text), 4))


def _mobile(rng: random.Random) -> str:
    return rng.choice(["130", "138", "139", "150", "158", "166", "177", "186", "199"]) + _figures(rng, 8)


def _mobile_forms(rng: random.Random) -> list[str]:
    number = _mobile(rng)
    a, b, c = number[:3], number[3:7], number[7:]
    spoken = number.translate(str.maketrans("0123456789", "零一二三四五六七八九"))
    return [
        number,
        f"+86{number}",
        f"+86 {a} {b} {c}",
        f"{a}-{b}-{c}",
        f"{a} {b} {c}",
        _wide(number),
        f"86-{number}",
        spoken,
        f"(+86){number}",
        f"0086 {number}",
        f"{a} {b[:3]} {b[3]}{c}",
        spoken.replace("零", "〇").replace("一", "幺"),
        f"{a}.{b}.{c}",
    ]


def _planted_addresses_online(rng: random.Random) -> Iterator[tuple[str, str, str]]:
    word = rng.choice(["karl", "mei.lin", "j_smith", "wang88", "a-b", "li.na"]) + _figures(rng, 3)
    host = rng.choice(["example.com", "mail.example.co.uk", "qq.com", "163.com", "kunden-service.de"])
    for text in (
        f"{word}@{host}",
        f"{word.upper()}@{host.upper()}",
        _wide(f"{word}@{host}"),
        f"{word} @ {host}",
        f"{word}+shop@{host}",
        f"{word} (at) {host}",
        f"{word}[at]example[dot]com",
        f"{word} at gmail dot com",
        f"{word}艾特qq点com",
        f"{word}=40{host}",
    ):
        yield "EMAIL", "", text


def _planted_phones(rng: random.Random) -> Iterator[tuple[str, str, str]]:
    for text in _mobile_forms(rng):
        yield "PHONE", "", text
    for text in (
        f"400-{_figures(rng, 3)}-{_figures(rng, 4)}",
        f"400{_figures(rng, 6)}7",
        f"800-820-{_figures(rng, 4)}",
        f"010-8{_figures(rng, 7)}",
        f"(021)6{_figures(rng, 7)}",
        f"（0755）8{_figures(rng, 7)}",
        f"0571-8{_figures(rng, 6)}1-{_figures(rng, 3)}",
        "010-12345678",
        f"+44 7911 12{_figures(rng, 4)}",
        f"07911 12{_figures(rng, 4)}",
        f"020 7946 0{_figures(rng, 3)}",
        f"(212) 555-{_figures(rng, 4)}",
        f"212-555-{_figures(rng, 4)}",
        f"+1 415 555 {_figures(rng, 4)}",
        f"+49 30 12{_figures(rng, 6)}",
        f"0151 23{_figures(rng, 6)}",
        f"+33 1 23 45 {_figures(rng, 2)} {_figures(rng, 2)}",
        f"01 42 68 {_figures(rng, 2)} {_figures(rng, 2)}",
        f"+852 2{_figures(rng, 3)} {_figures(rng, 4)}",
        f"555.123.{_figures(rng, 4)}",
        f"0044 20 7946 0{_figures(rng, 3)}",
    ):
        yield "PHONE", "", text
    yield "PHONE", "电话：", f"8{_figures(rng, 6)}3"
    yield "PHONE", "call me on ", f"555{_figures(rng, 3)}3"


def _planted_documents(rng: random.Random) -> Iterator[tuple[str, str, str]]:
    card = _identity_card(rng)
    for text in (
        card,
        card.lower(),
        f"{card[:6]} {card[6:14]} {card[14:]}",
        _by_four(card),
        _wide(card),
        f"{card[:6]}-{card[6:14]}-{card[14:]}",
    ):
        yield "ID", "", text
    yield "ID", "", f"1101017{rng.randint(0, 9)}0{rng.randint(1, 9)}1{rng.randint(0, 9)}{_figures(rng, 3)}"
    yield "ID", "SSN ", f"{rng.randint(100, 600)}-{rng.randint(10, 99)}-{rng.randint(1000, 9999)}"
    yield "ID", "", f"{rng.randint(100, 600)}-{rng.randint(10, 99)}-{rng.randint(1000, 9999)}"
    yield "ID", "NI number is ", f"AB{_figures(rng, 6)}C"
    yield "ID", "", f"SW {_figures(rng, 2)} {_figures(rng, 2)} {_figures(rng, 2)} A"
    yield "ID", "NHS number: ", _nhs(rng)
    yield "ID", "护照号", f"E{_figures(rng, 8)}"
    yield "ID", "passport number ", f"{rng.randint(1, 9)}{_figures(rng, 8)}"
    for number in (_luhn_card(rng, "6222", 19), _luhn_card(rng, "4", 16), _luhn_card(rng, "52", 16), _luhn_card(rng, "621", 16)):
        for text in (number, _by_four(number), _by_four(number, "-"), _wide(number)):
            yield "CARD", "", text
    amex = _luhn_card(rng, "37", 15)
    yield "CARD", "", f"{amex[:4]} {amex[4:10]} {amex[10:]}"
    number = _iban(rng)
    yield "IBAN", "", number
    yield "IBAN", "", _by_four(number)
    for text in (
        f"京A·{_figures(rng, 5)}",
        f"沪B{_figures(rng, 4)}Q",
        f"粤BD{_figures(rng, 5)}",
        f"苏E·{_figures(rng, 3)}X{_figures(rng, 1)}",
        f"浙A{_figures(rng, 4)}警",
    ):
        yield "PLATE", "", text
    yield "PLATE", "number plate ", f"AB{_figures(rng, 2)} CDE"
    yield "PLATE", "my reg is ", f"LK{_figures(rng, 2)} XYZ"
    yield "PLATE", "license plate: ", f"7ABC{_figures(rng, 3)}"


def _planted_accounts(rng: random.Random) -> Iterator[tuple[str, str, str]]:
    nick = rng.choice(["xiaoming", "lina_", "zhang-w", "happycat"]) + _figures(rng, 3)
    for label in ("微信号", "微信号：", "加微信 ", "加我微信", "微信：", "V信", "vx:", "VX：", "加v ", "my WeChat is ", "WeChat: "):
        yield "ACCOUNT", label, nick
    yield "ACCOUNT", "加微信 ", "xiaomeizhang"
    for label in ("QQ", "QQ:", "QQ号", "qq ", "扣扣", "QQ群"):
        yield "ACCOUNT", label, f"{rng.randint(1, 9)}{_figures(rng, rng.randint(5, 9))}"
    yield "ACCOUNT", "telegram: ", f"user_{_figures(rng, 4)}"


def _planted_codes(rng: random.Random) -> Iterator[tuple[str, str, str]]:
    code = _figures(rng, 9) + "1"
    for label in (
        "订单号",
        "订单号：",
        "运单号 ",
        "工单号:",
        "单号",
        "快递单号是",
        "order #",
        "order number ",
        "Order No. ",
        "ticket no: ",
        "booking reference ",
        "case #",
        "claim number is ",
        "tracking number: ",
        "account number ",
        "policy no. ",
        "ref: ",
        "会员号",
        "保单号",
        "投诉编号",
        "订单",
        "invoice ",
    ):
        yield "ORDER", label, code
    yield "ORDER", "订单编号：", f"DD{_figures(rng, 8)}"
    yield "ORDER", "booking ref ", f"X7{rng.choice('ABC')}9QP"
    yield "ORDER", "PNR ", "QWERTZ"
    yield "ORDER", "case no. ", f"AB-{_figures(rng, 6)}"
    yield "ORDER", "取件码", f"8-2-{_figures(rng, 4)}"
    for text in (
        f"SF{_figures(rng, 13)}",
        f"JD00{_figures(rng, 10)}",
        f"YT{_figures(rng, 13)}",
        f"1Z999AA1{_figures(rng, 10)}",
        f"RR{_figures(rng, 9)}CN",
        f"112-{_figures(rng, 7)}-{_figures(rng, 7)}",
        f"1357{_figures(rng, 11)}246",
    ):
        yield "ORDER", "", text
    for text in (
        f"https://example.com/reset?token={_figures(rng, 12)}",
        "http://t.cn/A6xyz",
        "www.example.org/u/4711",
        f"shop.example.com/o/{_figures(rng, 5)}",
        "HTTPS://EXAMPLE.COM",
    ):
        yield "URL", "", text
    for text in ("@blue_sky88", "@Example.Support", "@海边的猫", "@example客服", "＠bluesky", "@user@social.example"):
        yield "HANDLE", "", text
    for text in (
        f"{rng.randint(60, 220)}.{rng.randint(100, 250)}.{rng.randint(100, 250)}.{rng.randint(1, 9)}",
        "2001:db8::8a2e:370:7334",
        "00:1B:44:11:3A:B7",
    ):
        yield "IP", "", text


def _planted_people(rng: random.Random) -> Iterator[tuple[str, str, str]]:
    first, last = rng.choice(["Karen", "Priya", "Liam", "Sofia"]), rng.choice(["Smith", "O'Brien", "Patel", "Garcia"])
    for text in (
        f"Mr {last}",
        f"Mrs. {last}",
        f"Dr {first} {last}",
        f"Ms {last}",
        f"Prof. {last}",
        f"Miss {last}",
        f"mr {last.lower()}" if "'" not in last else "mr jones",
    ):
        yield "NAME", "", text
    for label in (
        "my name is ",
        "spoke to ",
        "talked to ",
        "I was served by ",
        "an agent named ",
        "a lady called ",
        "spoke with ",
        "name: ",
        "Thanks to ",
    ):
        yield "NAME", label, first
    yield "NAME", "signed, ", f"{first} {last}"
    yield "NAME", "spoke to ", "karen"
    yield "NAME", "a supervisor named ", "Oluwaseun"
    family = rng.choice(
        "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶余潘杜戴夏汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹"
    )
    for title in ("经理", "女士", "先生", "师傅", "老师", "医生", "主任"):
        yield "NAME", "找", f"{family}{title}"
    for text in ("欧阳先生", "张小梅女士", "陳經理"):
        yield "NAME", "", text
    yield "NAME", "客服", f"小{rng.choice('王李张刘陈杨赵')}"
    yield "NAME", "联系人：", f"{rng.choice('王李张刘陈杨赵')}小军"
    yield "NAME", "我叫", f"{rng.choice('王李张刘陈杨赵')}建国"


def _planted_streets(rng: random.Random) -> Iterator[tuple[str, str, str]]:
    house = rng.randint(1, 999)
    for text in (
        f"{house} Oak Street",
        f"{house}B Kings Road, London SW1A 1AA",
        f"Flat {house % 50}, {house} Mill Lane",
        f"{house} Sunset Blvd, Apt {house % 90 + 1}",
        f"{house} Elm Avenue, Springfield, IL 62704",
        "SW1A 1AA",
        f"PO Box {house}",
        f"Lindenstraße {house}",
        f"北京市朝阳区建国路{house}号",
        f"上海市徐汇区漕溪北路{house}号3栋502室",
        f"幸福小区{house % 30 + 1}栋2单元301室",
        f"人民大道{house}号",
        f"{house % 30 + 1}号楼3单元402室",
    ):
        yield "ADDRESS", "", text


def _plant(rng: random.Random) -> Iterator[tuple[str, str, str]]:
    """(kind, label that stays, personal data that has to go)."""
    for planted in (
        _planted_addresses_online,
        _planted_phones,
        _planted_documents,
        _planted_accounts,
        _planted_codes,
        _planted_people,
        _planted_streets,
    ):
        yield from planted(rng)


_FRAMES = (
    "{}",
    "{}，一直没人处理",
    "昨天联系过{}，还是没有解决。",
    "没人回复我，{}",
    "请尽快处理{}谢谢",
    "Please fix this: {}",
    "{} - nobody answered.",
    "Still waiting, see {} for details.",
)
_ASCII_ONLY = (
    "{}",
    "Please fix this: {}",
    "{} - nobody answered.",
    "Still waiting, see {} for details.",
    "昨天反映过 {} 还没解决",
    "没人管，{}，怎么办",
)


def plant(rounds: int, *, seed: int) -> Iterator[tuple[str, str, str]]:
    """Yield (kind, secret, text it stands in), some two hundred a round."""
    rng = random.Random(seed)
    for _ in range(rounds):
        for kind, label, secret in _plant(rng):
            # An English sentence around English forms, any sentence around numbers: that is how they turn up.
            wordy = secret.isascii() and bool(re.search(r"[A-Za-z]{3}", label + secret))
            frame = rng.choice(_ASCII_ONLY if wordy else _FRAMES)
            yield kind, secret, frame.format(label + secret)
