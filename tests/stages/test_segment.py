"""Segmentation: where opinions part, where they must not, and that no letter is lost on the way."""

import unicodedata
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from feedback_miner.stages.segment import segment_text

# One text a line; ¦ marks the cuts and does not belong to it.
CHINESE = """
物流很快，¦包装也好，¦客服态度差
界面好看，¦功能太少，¦广告太多
房间很大，¦卫生间有异味，¦早餐种类少
前台小姐姐很热情，¦房间隔音不好
颜色很正，¦大小合适，¦穿着舒服
屏幕清晰，¦运行流畅，¦电池不耐用
服务员态度恶劣，¦上菜速度太慢，¦菜也不新鲜
客服态度差，¦问题一直没解决
对客服的态度很不满意，¦对物流也不满意
物流很快 ¦包装很好 ¦客服态度差
app老是闪退，¦登录不上，¦客服也联系不到
性价比很高，¦而且物流很快
电影票价格便宜，¦座位舒服，¦音响效果一般
网络信号很差，¦套餐价格也贵
虽然物流快，¦但是包装差
虽然价格贵，¦质量确实好
东西不错，¦就是贵
挺好吃的，¦不过有一点咸
味道还可以，¦但分量太少
味道还可以¦但是分量太少
整体满意，¦可惜停车位太少
东西收到了，¦只是包装有点破
店面干净，¦唯一的缺点是要排队
外观漂亮，¦然而续航让人失望
价格便宜，¦质量也不错，¦就是物流慢，¦其他都好
昨天下单，今天就到了，包装完好，¦就是味道不怎么样
太差了😡¦客服不理人
环境很好~¦服务也很周到~
退款太慢了！！¦客服不回消息。。。¦再也不来了
充电很慢……¦屏幕也容易花
优点：屏幕清晰，¦运行流畅。¦缺点：电池不耐用
1、物流慢¦2、客服差¦3、退款难
1、物流太慢 ¦2、客服不理人 ¦3、退款很难
①物流太慢¦②客服不理人
首先，客服态度不好；¦其次，物流太慢；¦最后，价格偏高。
第一，客服态度不好，¦第二，物流太慢
物流慢/¦客服差/¦包装烂
客服推诿；¦退款拖延
物流太慢\\n¦客服太凶
这家店的 service 很 nice, ¦but 价格太贵
其实，客服态度很差。¦我等了三天，才有人回复！
说实话，味道很一般
好！好！好！
等了三天，物流才到
手机用了两天，屏幕就碎了
打开包装，瓶子已经碎了
升级以后，电池掉得很快
说了半天，问题还是没解决
我打了三次电话，客服都不接
因为下雨，所以送餐晚了
由于系统维护，订单没有提交成功
如果物流能快一点，价格低一点就好了
不但价格贵，而且质量差
不仅客服态度差，售后流程也慢
用起来很方便，值得购买
味道很好，下次还会来
包装破损，导致里面的杯子碎了
退款等了两周，打电话没人接，很生气
手机，平板，耳机都买过
物流、包装、客服都很好
再好不过了
也就是说你们根本没有测试过
不只是贵的问题
非但没有解决问题，还把责任推给我
这个价格不过分
价格3,500元很贵，¦速度2.5M太慢
请升级到v2.1.3版本
详见https://a.test/x?a=1;b=2。¦客服不错
唯一的缺点是充电慢
"""
ENGLISH = """
The soup was great ¦but the waiters took ages.
The soup was cold ¦and the staff acted rudely.
The app crashes, ¦the support never answers, ¦and the fees are too high
The website is slow, ¦also the search never works
The display is bright, ¦the battery is weak
The staff is patient and kind ¦and the wards are clean.
It is slow, ¦and it crashes a lot
Great soup, ¦the waiters were rude
Although the room was clean, ¦the bed was hard.
Even though it was late, ¦the driver was kind
The driver was kind ¦even though it rained
Good location, ¦however the wifi was slow
The food was good. ¦However, the wine was warm.
The flat was fine ¦except the heating
Great hostel, ¦only problem is noise
Nice room, ¦the only downside is noise
Lovely place, ¦apart from the parking
Setup was easy, ¦while the manual was useless
Cheap tickets ¦whereas the drinks cost a fortune
The old app was fine, ¦yet you replaced it
Good phone, ¦unfortunately its camera broke
On time. ¦Rude driver though, would not wait.
Slow delivery; ¦rude driver; ¦broken box
Easy to install - ¦hard to remove
The driver was late.¦The food was cold
The driver was late... ¦The food was cold
not yet tried again... ¦but it looks nice
Great service ¦but expensive
1) slow app ¦2) rude staff ¦3) no refund
1. The app is slow ¦2. The staff is rude
1. The app is slow to start
1. the app is slow\\n¦2. the staff is rude
(1) slow app ¦(2) rude staff
- too slow\\n¦- too expensive
Pros: cheap, fast. ¦Cons: ugly, heavy
slow delivery / ¦rude driver / ¦no refund
Really slow!! ¦Will not come back!
Why so slow? ¦And why so expensive?
Delivery took 3.5 days, e.g. my U.S. order. ¦No. 5 was late.
Visit https://a.test/x?y=1;z=2 today! ¦So bad :( Really.
I spoke to Mr. Smith at 9.30 a.m. about it
I spoke to J. Smith. ¦He was kind to me.
Version v2.1 broke everything, e.g. the search
It costs 1,000.50 dollars a year
Use Node.js or go to shop.com for help
The box, bags, etc. were wet. ¦No refund given.
Nothing but trouble.
Anything but cheap
Not only slow but also expensive!
It is all but useless
They would have come but for the rain
You left us no choice but to go
While waiting for help, I lost my place.
It has not yet arrived
The food, however, was cold.
It works, though.
I like the phone, and the case, and the cable.
If the app is slow, the phone gets hot
When I called, the agent was rude
I called three times and they hung up on me.
I waited an hour, I gave up
Last week, the app was down
Because of the strike, the train was late
good but pricey
Slow. Rude. Dirty.
Honestly, the staff was rude.
Open 24/7 and/or on request
However hard I try, it fails
"""
OTHERS = [
    ("es", "La comida es buena ¦pero el servicio es lento"),
    ("fr", "Le produit est bon ¦mais la livraison est lente"),
    ("de", "Der Service ist gut, ¦aber das Essen ist kalt."),
    ("de", "Der Service ist aber langsam"),
    ("it", "Il cibo è buono ¦ma il servizio è lento"),
    ("pt", "A comida é boa, ¦mas o atendimento é lento"),
    ("es", "No sólo es caro sino también lento"),
    ("nl", "De bezorging was snel. ¦De doos was kapot."),
    ("ja", "対応が悪いです。¦配送も遅いです。"),
    ("ko", "배송이 너무 느려요. ¦포장도 엉망이에요."),
    ("ar", "الخدمة سيئة جدا. ¦والأسعار مرتفعة."),
    ("und", "太慢了！¦So slow and rude!"),
]
SEPARATORS = " \n，,；;、/-~"


def rows(table: str, language: str) -> list[tuple[str, str]]:
    return [(language, line.replace("\\n", "\n")) for line in table.strip().splitlines()]


ROWS = [*rows(CHINESE, "zh"), *rows(ENGLISH, "en"), *OTHERS]


def pieces_of(text: str, language: str) -> list[str]:
    return [text[start:end] for start, end in segment_text(text, language)]


@pytest.mark.parametrize(("language", "marked"), ROWS)
def test_segment_cuts_where_the_opinion_changes(language: str, marked: str) -> None:
    text = marked.replace("¦", "")
    expected = [piece.strip(SEPARATORS.replace("~", "")) for piece in marked.split("¦")]
    assert [piece.strip(SEPARATORS.replace("~", "")) for piece in pieces_of(text, language)] == expected


def test_tables_hold_sixty_texts_each() -> None:
    assert len(rows(CHINESE, "zh")) >= 60
    assert len(rows(ENGLISH, "en")) >= 60


@pytest.mark.parametrize(("language", "marked"), ROWS)
def test_segment_leaves_a_single_opinion_alone(language: str, marked: str) -> None:
    for piece in pieces_of(marked.replace("¦", ""), language):
        assert len(segment_text(piece, language)) == 1


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("", []),
        (" \n ", []),
        ("...!!! ，。", []),
        ("👍👍👍", ["👍👍👍"]),
        ("ok", ["ok"]),
        ("  ，物流很慢，  ", ["物流很慢"]),
        (":( so bad", [":( so bad"]),
        ("so bad :(", ["so bad :("]),
        ("“非常好！”", ["“非常好！”"]),
        ("- too slow\n- too dear\n* ok", ["too slow", "too dear\n* ok"]),
        ("ok. Our waiter shouted at us", ["ok. Our waiter shouted at us"]),
        ("Our waiter shouted at us. ok", ["Our waiter shouted at us. ok"]),
        ("-5 degrees in the room", ["-5 degrees in the room"]),
    ],
)
def test_segment_trims_and_joins_fragments(text: str, pieces: list[str]) -> None:
    assert pieces_of(text, "und") == pieces


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        (
            "关于停水的投诉。尊敬的胡书记：您好！我们小区停水三天了。物业不管。",
            ["关于停水的投诉。", "尊敬的胡书记：您好！我们小区停水三天了。", "物业不管。"],
        ),
        ("亲爱的客服们，你们好！充电线坏了。此致\n敬礼", ["亲爱的客服们，你们好！充电线坏了。此致\n敬礼"]),
        ("亲爱的小猫很可爱。充电线坏了。", ["亲爱的小猫很可爱。", "充电线坏了。"]),
        (
            "Dear Sir or Madam,\nMy parcel never arrived. I want my money back.\nKind regards,\nAnna",
            ["Dear Sir or Madam,\nMy parcel never arrived.", "I want my money back.\nKind regards,\nAnna"],
        ),
        (
            "Dear customer service was awful. Best regards are not enough.",
            ["Dear customer service was awful.", "Best regards are not enough."],
        ),
        ("Sehr geehrte Damen und Herren,\nmein Paket fehlt.", ["Sehr geehrte Damen und Herren,\nmein Paket fehlt."]),
        ("Kind regards", ["Kind regards"]),
    ],
)
def test_segment_makes_no_opinion_of_how_a_letter_begins_and_ends(text: str, pieces: list[str]) -> None:
    assert pieces_of(text, "und") == pieces


def test_segment_puts_an_opener_with_what_it_opens() -> None:
    assert pieces_of("The room was very dirty. Overall! The hotel was fine to us.", "en") == [
        "The room was very dirty.",
        "Overall! The hotel was fine to us.",
    ]


@pytest.mark.parametrize("unit", ["物流很慢包装很差", "the delivery was late ", "a", "好，", "👩‍👩‍👧"])
def test_segment_cuts_endless_sentences_into_readable_pieces(unit: str) -> None:
    text = unit * 500
    spans = segment_text(text, "und")
    assert len(spans) > 1
    assert all(end - start <= 300 for start, end in spans)


def test_segment_never_cuts_inside_a_joined_emoji() -> None:
    text = "👩\u200d👩\u200d👧" * 400
    for start, end in segment_text(text, "und"):
        assert text[start] != "\u200d"
        assert text[end - 1] != "\u200d"


@pytest.mark.parametrize(
    "unit", ["好，", "ok. ", "1) ", "the a ", "not only ", "a.b@", "- ", "...", "11", "很好 ", "and the x ", "  ", "〈", ":("]
)
def test_segment_reads_long_nasty_text_to_its_end(unit: str) -> None:
    # Linear work takes a blink here; anything quadratic would take hours.
    text = unit * 40_000
    spans = segment_text(text, "und")
    assert all(first[1] <= second[0] for first, second in pairwise(spans))


def counts(character: str) -> bool:
    """Letters, digits and symbols that are not punctuation: what must not be lost."""
    return unicodedata.category(character)[0] in "LN" or unicodedata.category(character) == "So"


SNIPPETS = [
    "但是", "但", "不过", "虽然", "而且", "，物流很快", "，客服差", "。", "！", "1、", "2、", "①", "很好", "其实，", "~", "/",
    "优点：", "1)", "2)", ":(", "but", "however", "although", ", the staff was", "and the app is", "slow", ".", "...", "!", "?", ";",
    "-", "U.S.", "3.5", "yet", "ok", "https://a.test/b", "<EMAIL>", "😡", "👩‍👩‍👧", "while", "except", "\n", "(", ")", "“", "”", ":",
]  # fmt: skip
TEXTS = st.lists(
    st.one_of(
        st.sampled_from(SNIPPETS),
        st.text(max_size=6),
    ),
    max_size=14,
).map(" ".join) | st.text(max_size=60)


@given(TEXTS, st.sampled_from(["zh", "en", "es", "de", "th", "und"]))
@example("a" * 700 + "\u0301" * 700, "en")
@example("x" * 320 + "👩‍👩‍👧" * 40, "zh")
def test_segment_covers_every_letter_once_and_in_order(text: str, language: str) -> None:
    spans = segment_text(text, language)
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert all(first[1] <= second[0] for first, second in pairwise(spans))
    covered = {place for start, end in spans for place in range(start, end)}
    assert [place for place, character in enumerate(text) if counts(character) and place not in covered] == []


@given(TEXTS, st.sampled_from(["zh", "en", "und"]))
def test_segment_trims_white_space_and_is_deterministic(text: str, language: str) -> None:
    pieces = pieces_of(text, language)
    assert all(piece == piece.strip(" \n\t") for piece in pieces)
    assert pieces == pieces_of(text, language)
    assert all(any(unicodedata.category(character)[0] in "LNSC" or character in ":;=" for character in piece) for piece in pieces)
