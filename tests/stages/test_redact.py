"""Planted personal data has to go, ordinary words have to stay, and nothing may be redacted twice."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted_personal_data import plant

from feedback_miner.aligned import AlignedText
from feedback_miner.stages.personal_data import RULES, fold
from feedback_miner.stages.redact import PersonalData, find_personal_data, pseudonymise, redact_text, redact_value

PLACEHOLDER = re.compile(r"<[A-Z]+>")


def redact(text: str) -> str:
    return redact_text(AlignedText.of(text))[0].text


PLANTED = list(plant(5, seed=20))


def test_plants_enough_of_every_kind() -> None:
    kinds = [kind for kind, _, _ in PLANTED]
    assert len(PLANTED) >= 500
    assert {rule.kind for rule in RULES} == set(kinds)


@pytest.mark.parametrize("kind", sorted({rule.kind for rule in RULES}))
def test_removes_planted(kind: str) -> None:
    left = []
    for planted_kind, secret, text in PLANTED:
        if planted_kind == kind and (secret in redact(text) or not PLACEHOLDER.search(redact(text))):
            left.append((secret, text, redact(text)))
    assert left == []


def test_leaves_no_part_of_planted_numbers() -> None:
    left = [
        (kind, text, redact(text))
        for kind, secret, text in PLANTED
        if kind in ("PHONE", "ID", "CARD", "IBAN", "IP", "EMAIL") and re.search(r"[0-9]{3}", fold(redact(text)))
    ]
    assert left == []


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("手机13800138000打不通", "手机<PHONE>打不通"),
        ("订单号：20260501123，请退款", "订单号：<ORDER>，请退款"),
        ("spoke to Karen from billing", "spoke to <NAME> from billing"),
        ("spoke to Mr Smith's assistant", "spoke to <NAME>'s assistant"),
        ("张经理态度很差，李女士还行", "<NAME>态度很差，<NAME>还行"),
        ("客服小王一直不回", "客服<NAME>一直不回"),
        ("@海底的鱼 你们的客服呢", "<HANDLE> 你们的客服呢"),
        ("@某某公司客服我昨天买的手机今天就坏了没人管", "<HANDLE>我昨天买的手机今天就坏了没人管"),
        ("see (https://example.com/a?b=1).", "see (<URL>)."),
        ("DE89 3704 0044 0532 0130 00 TODAY", "<IBAN> TODAY"),
        ("my WeChat is cat_88 and QQ 12345678", "my WeChat is <ACCOUNT> and QQ <ACCOUNT>"),
        ("call +44 20 7946 0018 3 times", "call <PHONE> 3 times"),
        ("我住在上海市徐汇区漕溪北路18号3栋502室，没人上门", "我住在<ADDRESS>，没人上门"),
        ("①13800138000②13900139000", "①<PHONE>②<PHONE>"),
        ("13800138000 13900139000", "<PHONE> <PHONE>"),
        ("mail a@b.com,c@d.org;e@f.net", "mail <EMAIL>,<EMAIL>;<EMAIL>"),
        ("١٣٨٠٠١٣٨٠٠٠", "<PHONE>"),
        ("ring +999 123 456 7890 now", "ring <PHONE> now"),
        ("+2000000000 people", "+2000000000 people"),
        ("碧波路690弄3号楼201，没人来", "<ADDRESS>，没人来"),
        ("建国路88号2栋2024年建的", "<ADDRESS>2024年建的"),
        ("@user: 2345678", "<HANDLE>: 2345678"),
        ("seehttps://t.example/a", "see<URL>"),
        ("杏林路40号，该小区1栋", "<ADDRESS>，该小区1栋"),
    ],
)
def test_redacts_exactly(text: str, redacted: str) -> None:
    assert redact(text) == redacted


# -------------------------------------------------------------------------------------------------------------- negatives

NEGATIVES = """
三星手机不错
三星级酒店而已
360度全景很好用
5G 套餐太贵
打了10086三次没人接
10010和10000都打不通
12306买不到票
95588一直占线
拨打12315投诉
价格199.00元
原价¥1,299现价¥999
$1,299.99 was too much
系统升级到13.5.1以后卡
版本8.0.30.1闪退
version 10.0.19041.1 crashes
2026-05-01买的
2026年5月1日下单
01/05/2026 was the date
01-05-2026 10:30 Uhr
2026-05-01 12:30:45 还没到
上午10:30到12:00排队
iPhone 15 Pro Max 很烫
高铁很快
王者荣耀卡顿
黄金会员没用
白色的裙子
马上就坏了
老师傅手艺好
高老师傅做的菜
Dr. Martens are great
Dr Pepper tastes fine
Mr. Clean works well
Mr Muscle spray leaked
Miss the old design
Miss you guys
I miss The Old menu
小米手机发热
小红书上看到的
安卓系统不支持
界面易用
万一坏了怎么办
全部退货
路上堵车
花了400块
内存8GB不够
UA1234 was late
the A380 was fine
Mercedes E200 broke down
model XT-2000 is noisy
涨价了30%
95.5% of the time
I ordered 3 and got 2
order 3 items
ordered 20 pieces
电话打不通
客服电话没人接
手机号换了
微信支付失败
微信小程序打不开
微信里找不到入口
WeChat payment failed
wechat is terrible
QQ音乐不好用
QQ邮箱登录不了
加微信才能领券
订单号查不到
订单号填错了
order number not found
no order confirmation
order no longer exists
my order got lost
the case is closed
phone case broke
in case of rain
reference was missing
my account is locked
账号登录不上
账号被封了
快递员态度差
快递3天没到
工单一直没人处理
谢谢师傅
感谢师傅送货上门
谢谢老师
多谢老师
班主任老师很好
主任医师
任何经理都不管
对于师傅的态度
关于经理的回复
由于老师请假
经常老师不在
方便师傅安装
双方经理都来了
官方客服
对方经理
行李师傅帮忙搬
紧张老师
一张小姐的照片
语文老师讲得好
历史老师
现金经理
分钟师傅就到
小姐姐很热情
女士包包质量差
高级女士手表
男士女士都能用
先生们女士们
总经理不管
区域经理推卸责任
这位先生很好
快递小哥很好
店员小姐很有礼貌
服务员小妹
客服小心翼翼
客服小时候
张数不对
王牌产品
李子不新鲜
陈列很乱
杨梅酸
周末没人
吴江店服务差
江苏的用户
石油涨价
林荫道很美
高度不够
金属外壳
白天打不通
万达广场停车难
一条路走到黑
这条街很吵
走路5分钟就到
路口左转
地铁2号线
坐10号线到站
3号口出来
南京路3号口
5号店服务差
两栋楼之间
三楼没有电梯
三栋楼都停电了
小区停水
我是老用户
我是金卡会员
我是高中生，买来学习
我是江苏人，口味重
我叫了外卖
我叫客服来
客服王者态度
师傅张口就骂
店长高度重视
销售金额不对
客服周末不上班
顾问余额不足
available at shop dot com
Grace period in billing
叫号排队太久
姓名写错了
收件人不是我
a 20 minute drive
2 hour drive away
5 star hotel
10 miles down the road
two way street
3 lane road
the 4 best places
100 Best Ways to fail
2026 Great Place
Street food is nice
all the way
Galaxy S9 8GB
Note 9 6GB RAM
64GB 128GB 256GB
500ml 1000ml 1500ml
1920x1080 60Hz
width 100-200 cm
from 100 to 200
1000-2000 per month
9.9 / 10
24/7 support
7x24小时
3.14159265358979
233333333333333
66666666666666
88888888
11111111111111
100000000000000
1000000 downloads
20260501123045
@ 3pm
@3pm yesterday
2 @ 50 each
meet Friday @ HQ.Stay tuned
我是颜值党，喜欢好看的
meet @ the shop
see you @ 5
C++ and C#
a/b testing
and/or
he/she
amazon.com is slow
Booking.com不退款
example.com 打不开
10:30:45
1:2:3
:) :( ::
see :: that
spoke to Customer Relations
spoke to a manager
talked to Billing
thanks to The Team
Thank you so much
my name is on the list
my name was spelled wrong
called Customer Support
an agent called back
the agent named a price
named the best
regards the price
Best wishes to all
Doctor Who is on
Nurse Practitioner was kind
Doctor Appointment was late
mr bean was funny
dr said no
the driver was rude
manager was rude
UTF-8编码
Windows 11 24H2
USB 3.2 Gen 2
IPX68防水
IP68 water resistant
ISO9001认证
PM2.5超标
新款很好
新A4内饰不错
新BMW X5
最新C200000
川菜好吃
京东发货慢
A4纸
B12维生素
H1N1
1.5L
1/2杯
第3次投诉
第12345期
top 100
1st 2nd 3rd
Q1 2026
Q4 2ND HALF
FY2025-26
policy 2020-21
since 1999
reference 2019 model
ticket price 2000
300 400 500三档
400 800 1200
10-20-30
3-5天
0.5折
手机 2999 3999
电话 5 次
4.5星
12V 5A
220V
i7-13700K
RTX 4090
MacBook Air 2024
E5-2680
barcode 4006381333931
69元一件
ABCDE
AAAAAAAAAAAA
Hello World
Very Good Service
All The Best
I AM VERY ANGRY
THIS IS THE WORST ORDER EVER
PLEASE FIX YOUR BOOKING SYSTEM
ok
无
。。。
"""
NEGATIVE_TEXTS = [line for line in NEGATIVES.splitlines() if line]


def test_has_enough_negatives() -> None:
    assert len(set(NEGATIVE_TEXTS)) >= 250


@pytest.mark.parametrize("text", NEGATIVE_TEXTS)
def test_keeps_ordinary_words(text: str) -> None:
    assert redact(text) == text


def test_keeps_ordinary_words_when_joined() -> None:
    """Neighbours make no personal data of each other."""
    text = "。\n".join(NEGATIVE_TEXTS)
    assert redact(text) == text


# ---------------------------------------------------------------------------------------------------------------- aligned


def test_counts_by_kind() -> None:
    redacted, counts = redact_text(AlignedText.of("a@b.com 13800138000 c@d.com"))
    assert redacted.text == "<EMAIL> <PHONE> <EMAIL>"
    assert counts == {"EMAIL": 2, "PHONE": 1}


def test_keeps_clean_text_itself() -> None:
    aligned = AlignedText.of("nothing to hide")
    assert redact_text(aligned) == (aligned, {})


def test_aligns_placeholders_with_what_they_replace() -> None:
    checked = 0
    for _, _, text in PLANTED:
        redacted, _ = redact_text(AlignedText.of(text))
        spans = [(find.start, find.end) for find in find_personal_data(text)]
        assert [redacted.source_span(match.start(), match.end()) for match in PLACEHOLDER.finditer(redacted.text)] == spans
        checked += len(spans)
    assert checked >= len(PLANTED)


def test_keeps_alignment_of_earlier_edits() -> None:
    source = "<p>写信到 a@b.com</p>"
    start = source.index("写")
    end = source.index("</p>")
    stripped = AlignedText.of(source).replace([(0, start, ""), (end, len(source), "")])
    redacted, _ = redact_text(stripped)
    where = redacted.text.index("<EMAIL>")
    begin, stop = redacted.source_span(where, where + len("<EMAIL>"))
    assert source[begin:stop] == "a@b.com"


# ------------------------------------------------------------------------------------------------------------- properties

_PIECES = st.sampled_from(
    [secret for _, secret, _ in PLANTED[::7]]
    + NEGATIVE_TEXTS[::9]
    + [
        "<EMAIL>",
        "<NAME>",
        "<",
        ">",
        "@",
        " ",
        "，",
        "1",
        "86",
        "+",
        "-",
        "Mr ",
        "order ",
        "订单号",
        "张",
        "经理",
        "路",
        "号",
        "小",
        ".com",
        "0",
        "\n",
    ]
)
_TEXTS = st.one_of(st.lists(_PIECES, max_size=8).map("".join), st.text(max_size=60))


@given(_TEXTS)
@settings(max_examples=400, deadline=None)
def test_redacts_once_and_for_all(text: str) -> None:
    once, _ = redact_text(AlignedText.of(text))
    assert redact_text(AlignedText.of(once.text)) == (AlignedText.of(once.text), {})


@given(_TEXTS)
@settings(max_examples=200, deadline=None)
def test_finds_sorted_spans_that_never_overlap(text: str) -> None:
    finds = find_personal_data(text)
    edges = [edge for find in finds for edge in (find.start, find.end)]
    assert edges == sorted(edges)
    assert all(0 <= find.start < find.end <= len(text) for find in finds)
    assert not any("<EMAIL>" in text[find.start : find.end] for find in finds)


@given(st.text(max_size=80))
@settings(deadline=None)
def test_folds_one_for_one(text: str) -> None:
    assert len(fold(text)) == len(text)
    assert fold(fold(text)) == fold(text)


def test_returns_frozen_finds() -> None:
    assert find_personal_data("a@b.com") == [PersonalData(0, 7, "EMAIL")]
    assert find_personal_data("") == []


def test_takes_the_rest_of_text_built_to_need_many_rounds() -> None:
    """Each name is one only once the name before it is gone: after some rounds the rest goes as a whole, and the result is stable."""
    once = redact("周经理" * 60 + "，没人管")
    assert set(PLACEHOLDER.findall(once)) == {"<NAME>"}
    assert "周" not in once
    assert redact(once) == once


_ADVERSARIAL = [
    "1",
    "@",
    "a.",
    "(",
    "a",
    "A ",
    "Mr ",
    "0 ",
    "1 ",
    "+1 ",
    "+12",
    "+1202555",
    "一",
    "王",
    "区",
    "路",
    "号",
    "1号",
    "路1",
    "a@",
    "a-",
    "www.",
    "http://",
    ".",
    "中",
    "#1",
    "DE12 ",
    "DE89",
    "Aa ",
    "spoke to ",
    "1.",
    "1:",
    ":",
    "张经",
    "张经理",
    "x@y.",
    "1一",
    "谢",
    "加",
    "order ",
    "order no ",
    "12 Aa ",
    "A1",
    "Karen ",
    "@中",
    "0-",
    "00",
    "微信",
    "QQ",
    "QQ1",
    "姓名",
    "京A",
    "1)",
    "1/",
    "a/",
    "x.com/",
    "小区1",
    "Dr Smith",
    "138 ",
    "1380013 ",
    "１",
    "<EMAIL>",
    "<",
    "[at]",
    "1-",
    "\u0661",
    "+12025550123 ",
    "https://",
    "riots",
]


@pytest.mark.parametrize("unit", _ADVERSARIAL)
def test_finishes_on_adversarial_text(unit: str) -> None:
    size = 100_000
    text = (unit * (size // len(unit) + 1))[:size]
    assert all(find.end <= size for find in find_personal_data(text))


# ------------------------------------------------------------------------------------------------------------------ values


@pytest.mark.parametrize(
    "value",
    ["C-1029", "Gold plan", "", "北京", "iOS", "4711", "2026-05-01", "VIP3", "三星", "华东区", "18-24", "Dr. Martens", "100234", "app"],
)
def test_keeps_harmless_values(value: str) -> None:
    assert redact_value(value) == value


@pytest.mark.parametrize("value", ["ann@example.com", "13800138000", "110101199003070038", "@blue_sky", "张女士", "6222021234567890128"])
def test_replaces_keys_that_are_personal_data(value: str) -> None:
    pseudonym = redact_value(value)
    assert re.fullmatch("person-[0-9a-f]{12}", pseudonym)
    assert redact_value(pseudonym) == pseudonym


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ann@Example.com", " ann@example.com "),
        ("13800138000", "+86 138-0013-8000"),
        ("13800138000", "１３８００１３８０００"),
        ("110101199003070038", "110101 19900307 0038"),
    ],
)
def test_gives_one_pseudonym_to_all_writings(one: str, other: str) -> None:
    assert redact_value(one) == redact_value(other)


def test_tells_customers_apart() -> None:
    assert redact_value("ann@example.com") != redact_value("bob@example.com")


def test_keys_pseudonyms() -> None:
    assert redact_value("ann@example.com", key=b"one") != redact_value("ann@example.com", key=b"two")
    assert redact_value("ann@example.com", key=b"one") == redact_value("ann@example.com", key=b"one")


def test_redacts_inside_longer_values() -> None:
    assert redact_value("call 13800138000 or a@b.com") == "call <PHONE> or <EMAIL>"


# ------------------------------------------------------------------------------------------------------------------ rules


RARER = [
    ("HANDLE", "u/some_body said"),
    ("PHONE", "1 3 8 0 0 1 3 8 0 0 0"),
    ("ADDRESS", "12 oak street"),
    ("ADDRESS", "邮编：100020"),
    ("PLATE", "AB12 CDE is my number plate"),
    ("PLATE", "VIN: 1HGCM82633A004352"),
    ("NAME", "ask dr Patel"),
    ("NAME", "张总不管"),
    ("NAME", "我是王建国，投诉你们"),
    ("NAME", "叫李雷的客服"),
    ("NAME", "收件人王小二电话打不通"),
    ("NAME", "spoke to Oluwaseun, who was rude"),
    ("CARD", "卡号 6222021234567890"),
    ("IP", "IP地址是8.8.8.8"),
    ("ACCOUNT", "抖音号cat_88"),
    ("EMAIL", "abc#qq.com"),
    ("PHONE", "01 42 68 53 00"),
    ("EMAIL", "john.doe at company dot com"),
    ("NAME", "Sarah at reception was rude"),
    ("NAME", "the agent, Priya, hung up"),
    ("NAME", "agent Karen hung up"),
    ("NAME", "客服专员赵敏"),
    ("NAME", "店长刘强不理人"),
    ("ID", "NI number QQ123456C"),
    ("CARD", "my card 4111 1111 1111 1111 was charged"),
    ("ORDER", "Reservation #44812"),
]


def test_exercises_every_rule() -> None:
    """A rule that no planted text reaches would be untested."""
    texts = [fold(text) for _, _, text in PLANTED] + [fold(text) for _, text in RARER]
    unreached = [rule.pattern.pattern for rule in RULES if not any(rule.pattern.search(text) for text in texts)]
    assert unreached == []


@pytest.mark.parametrize(("kind", "text"), RARER)
def test_finds_rarer_forms(kind: str, text: str) -> None:
    assert kind in {find.kind for find in find_personal_data(text)}


class TestPseudonymise:
    @pytest.mark.parametrize("key", ["C-77", "10086", "person-0123456789ab", "Müller & Söhne"])
    def test_a_key_without_personal_data_is_its_own_pseudonym(self, key):
        assert pseudonymise(key, key=b"secret") == key

    def test_all_writings_of_one_key_have_one_pseudonym(self):
        assert (
            pseudonymise("Ann@Example.com ", key=b"k")
            == pseudonymise("ann@example.com", key=b"k")
            == redact_value("ann@example.com", key=b"k")
        )
        assert pseudonymise("Member  ANN@example.com", key=b"k") == pseudonymise("member ann@example.com", key=b"k")

    def test_keys_that_are_personal_only_in_part_stay_apart(self):
        names = {pseudonymise(f"member {number}: {name}@example.com", key=b"k") for number in range(3) for name in ("ann", "bob")}
        assert len(names) == 6
        assert all(re.fullmatch("person-[0-9a-f]{12}", name) for name in names)
        assert pseudonymise("member ann@example.com", key=b"one") != pseudonymise("member ann@example.com", key=b"two")

    def test_a_pseudonym_is_its_own(self):
        name = pseudonymise("member ann@example.com", key=b"k")
        assert pseudonymise(name, key=b"k") == name
