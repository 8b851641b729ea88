"""Cleaning: what a verbatim keeps, what it loses, and that its offsets lead back to the raw text."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from feedback_miner.stages.clean import clean_text, is_repost, matching_text, text_key

NASTY = st.text(
    alphabet=st.one_of(
        st.sampled_from(list("好，<>&;#/ab=pbr\"' \t\n\r\x00\x85\x92Ã©â€™ï¿½\u200b\u200d\u200f\ufeff\u00ad\u3000")),
        st.sampled_from(list("e\u0301한가\u1161😀👩❤\ufe0f🏴\U000e0067\U000e007f")),
        st.characters(),
        st.characters(categories=["Cs"]),
    ),
    max_size=40,
)


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("plain text", "plain text"),
        ("", ""),
        ("   ", ""),
        # mojibake
        ("schÃ¶n und gut", "schön und gut"),
        ("itâ€™s broken", "it’s broken"),
        ("it\x92s \x93bad\x94\x85", "it’s “bad”…"),
        ("ok\nCafÃ© closed\nok", "ok\nCafé closed\nok"),
        ("(╯°□°）╯︵ ┻━┻", "(╯°□°）╯︵ ┻━┻"),
        # tags
        ("<p>Slow<br>and <b>rude</b></p>", "Slow\nand rude"),
        ("very<br/>slow<BR />indeed", "very\nslow\nindeed"),
        ("<div class='a'>one</div><div>two</div>", "one\ntwo"),
        ("<td>a</td><td>b</td>", "a b"),
        ('see <a href="https://x.test/?a=1&b=2" target=_blank>here</a>!', "see here!"),
        ("a<!-- hidden -->b<o:p></o:p>", "ab"),
        ("<style>p {color: red}</style>slow", "slow"),
        ("<input disabled>x", "x"),
        ("<span class=url-icon><img alt=[泪] src=x></span>太差", "[泪]太差"),
        ("<img src='x.png'>ok", "ok"),
        # what looks like tags
        ("I <3 it", "I <3 it"),
        ("a < b and c > d", "a < b and c > d"),
        ("1<2>3", "1<2>3"),
        ("mail <EMAIL> or <PHONE>", "mail <EMAIL> or <PHONE>"),
        ("lives at <ADDRESS>", "lives at <ADDRESS>"),
        ("if x <b and c> y", "if x <b and c> y"),
        ("<bad service>", "<bad service>"),
        # entities
        ("R&amp;D &lt;3 &quot;x&quot; it&#39;s &#x27;so&#x27;", "R&D <3 \"x\" it's 'so'"),
        ("a&nbsp;b&nbsp c", "a b c"),
        ("&amp;amp;amp;lt;", "<"),
        ("AT&T, Q&A; R&D;", "AT&T, Q&A; R&D;"),
        ("&AMP; &Eacute;t&eacute;", "& Été"),
        ("&lt;br&gt;slow", "slow"),
        ("&#128545;", "😡"),
        # what cannot be seen
        ("a\u200bb\ufeffc\u00add\x00e\x07", "abcde"),
        ("👨\u200d👩\u200d👧 here", "👨\u200d👩\u200d👧 here"),
        ("a\u200db", "ab"),
        ("❤\ufe0f\u200d🔥", "❤\ufe0f\u200d🔥"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("\u200fالخدمة سيئة\u200e", "الخدمة سيئة"),
        (
            "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f!",
            "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f!",
        ),
        ("\ud83d\ude21 bad \ud83d", "😡 bad \ufffd"),
        # white space
        ("  a \t b\u3000c  ", "a b c"),
        ("a \r\n \r\n b\u2028c\x0bd", "a\nb\nc\nd"),
        ("a \u200b b", "a b"),
        # composition
        ("cafe\u0301", "café"),
        ("\u1112\u1161\u11ab", "한"),
        # as written
        ("ＡＢＣ１２３，客服態度差！😡ＯＫ", "ＡＢＣ１２３，客服態度差！😡ＯＫ"),
        ("ﬁne SHOUTING “quotes”", "ﬁne SHOUTING “quotes”"),
    ],
)
def test_clean_repairs_and_keeps(raw: str, clean: str) -> None:
    assert clean_text(raw).text == clean


@pytest.mark.parametrize(
    ("raw", "word", "source"),
    [
        ("<p>The <b>staff</b> &amp; food</p>", "staff", "staff"),
        ("<p>The <b>staff</b> &amp; food</p>", "&", "&amp;"),
        ("<p>The <b>staff</b> &amp; food</p>", "staff & food", "staff</b> &amp; food"),
        ("sehr schÃ¶n hier", "schön", "schÃ¶n"),
        ("sehr schÃ¶n hier", "hier", "hier"),
        ("物流\u200b很慢，  客服差", "很慢，", "很慢，"),
        ("&amp;lt;3 it", "<", "&amp;lt;"),
        ("cafe\u0301 shut", "é", "e\u0301"),
        ("cafe\u0301 shut", "shut", "shut"),
    ],
)
def test_clean_keeps_the_way_back_to_the_source(raw: str, word: str, source: str) -> None:
    aligned = clean_text(raw)
    start = aligned.text.index(word)
    first, last = aligned.source_span(start, start + len(word))
    assert raw[first:last] == source


@given(NASTY)
@example("<<<<<<<b>b>b>b>b>b>b>slow")
@example("&am<b>p;lt;i&gt;")
@example("<\x00b>")
@example("&amp\u037e")
@example("a\u200d\u0301<p>e</p>\u0301")
def test_clean_twice_is_clean_once(raw: str) -> None:
    once = clean_text(raw).text
    assert clean_text(once).text == once


@given(NASTY)
def test_clean_leaves_composed_trimmed_single_spaced_text(raw: str) -> None:
    text = clean_text(raw).text
    assert unicodedata.is_normalized("NFC", text)
    assert text == text.strip()
    assert "  " not in text
    assert "\n\n" not in text
    assert not any(unicodedata.category(character) in {"Cc", "Cs"} and character != "\n" for character in text)


@given(NASTY)
def test_clean_spans_lie_in_the_source_and_never_go_back(raw: str) -> None:
    aligned = clean_text(raw)
    spans = [aligned.source_span(place, place + 1) for place in range(len(aligned.text))]
    assert all(0 <= start <= end <= len(raw) for start, end in spans)
    assert spans == sorted(spans)


@pytest.mark.parametrize("raw", ["<" * 200_000, "&amp;" * 50_000, "<b " * 60_000, "a  " * 60_000, "e\u0301" * 100_000, "<!--" * 50_000])
def test_clean_reads_long_nasty_text_to_its_end(raw: str) -> None:
    # Linear work takes a blink here; anything quadratic would take hours.
    assert clean_text(clean_text(raw).text).text == clean_text(raw).text


@pytest.mark.parametrize(
    ("text", "language", "matching"),
    [
        ("沒有人理我", "zh", "没有人理我"),
        ("沒有人理我", "ja", "沒有人理我"),
        ("ＡＰＰ很卡！１２３", "zh", "APP很卡!123"),
        ("太差了😡😡😡", "zh", "太差了 怒火中烧"),
        ("so bad 😡", "en", "so bad enraged face"),
        ("schlecht 👎🏿", "de", "schlecht daumen runter"),
        ("good 👍 👎", "en", "good thumbs up thumbs down"),
        ("good 👍 👍", "en", "good thumbs up"),
        ("客服不理人[怒][怒]", "zh", "客服不理人 怒"),
        ("看[图片]", "zh", "看"),
        ("nice [Smile]", "en", "nice smile"),
        ("late :(", "en", "late slightly frowning face"),
        ("fast :-)", "en", "fast slightly smiling face"),
        ("I <3 it", "en", "I red heart it"),
        ("came in <3 days", "en", "came in <3 days"),
        ("（╯°□°）╯ again", "en", "enraged face again"),
        ("T_T ^_^", "en", "loudly crying face smiling face with smiling eyes"),
        ("原因:(见下)", "zh", "原因:(见下)"),
        ("sooooooo baaaad", "en", "sooo baaad"),
        ("哈哈哈哈哈哈", "zh", "哈哈哈"),
        ("慢！！！！！！", "zh", "慢!!!"),
        ("waited 100000 hours", "en", "waited 100000 hours"),
        ("see https://a.test/x?y=1 now", "en", "see now"),
        ("打不开https://a.test/x这个", "zh", "打不开 这个"),
        ("#CustomerCare is #NotGood_atAll", "en", "Customer Care is Not Good at All"),
        ("#双十一# 物流慢", "zh", "双十一 物流慢"),
        ("ranked #1", "en", "ranked 1"),
        ("RT @some_one: app crashes", "en", "app crashes"),
        ("转发微博", "zh", ""),
        ("//@小明:物流慢//@小红: 是的", "zh", "物流慢 是的"),
        ("@airline_help lost my bag", "en", "lost my bag"),
        ("@小米客服 你好", "zh", "你好"),
        ("mail <EMAIL> or <ORDER_ID>", "en", "mail or"),
        ("  a \n b ", "en", "a b"),
    ],
)
def test_match_text_speaks_what_the_encoder_should_see(text: str, language: str, matching: str) -> None:
    assert matching_text(text, language) == matching
    assert matching_text(matching, language) == matching


@given(NASTY, st.sampled_from(["zh", "en", "de", "th", "und"]))
def test_match_text_is_single_spaced(text: str, language: str) -> None:
    result = matching_text(text, language)
    assert result == " ".join(result.split())
    assert result == matching_text(text, language)


@pytest.mark.parametrize(
    ("text", "repost"),
    [
        ("RT @someone: app is down", True),
        ("so true RT @someone app is down", True),
        ("RT <HANDLE>: app is down", True),
        ("RT: app is down", True),
        ("转发微博", True),
        ("轉發微博", True),
        ("太差了//@小明: 物流慢", True),
        ("太差了//<HANDLE>: 物流慢", True),
        ("转发：退款一个月没到", True),
        ("Repost", True),
        ("转发给朋友了", False),
        ("微博转发功能打不开", False),
        ("@someone app is down", False),
        ("see http://x.test/@me", False),
        ("smart @home", False),
        ("", False),
    ],
)
def test_is_repost_recognises_others_words(text: str, repost: bool) -> None:
    assert is_repost(text) is repost


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Good service!", "good  SERVICE"),
        ("沒有意見。", "没有意见"),
        ("ＯＫ", "ok"),
        ("Straße", "STRASSE"),
        ("很好👍🏻", "很好 👍🏻!"),
        ("a-b", "ab"),
    ],
)
def test_key_ignores_case_script_width_and_punctuation(one: str, other: str) -> None:
    assert text_key(one) == text_key(other)


@pytest.mark.parametrize(("one", "other"), [("good", "goods"), ("好👍", "好👎"), ("10", "1 1"), ("有", "没有")])
def test_key_tells_different_answers_apart(one: str, other: str) -> None:
    assert text_key(one) != text_key(other)


@pytest.mark.parametrize("text", ["", "...", " ,! ", "——"])
def test_key_of_nothing_is_empty(text: str) -> None:
    assert text_key(text) == ""


@given(st.text(max_size=30))
def test_key_holds_no_white_space(text: str) -> None:
    assert not any(character.isspace() for character in text_key(text))
