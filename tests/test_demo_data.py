"""The demo keeps its promises: what its README says is planted is there, and its answers join."""

import csv
import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from datetime import date
from functools import cache
from itertools import combinations, pairwise

import pytest
from stdnum import iban, luhn
from stdnum.cn import ric

from feedback_miner.demo import Answer, PlantedPersonalData, demo_path, load_answers, load_personal_data
from feedback_miner.domain import FeedbackType, Polarity
from feedback_miner.taxonomy import load_taxonomy

Row = dict[str, str]

COLUMNS = ["response_id", "date", "customer", "company", "plan", "region", "channel", "nps", "comment"]
MONTHS = [f"2026-{month:02d}" for month in range(3, 9)]
COMPLAINTS = {
    "late_delivery", "damaged_parcel", "weak_signal", "slow_data", "surprise_charges", "hotline_wait", "rude_agent", "unresolved_contact",
    "app_trouble", "slow_refund", "not_as_described", "poor_quality", "too_expensive", "marketing_calls", "loyal_customers_worse",
    "contract_rules",
}  # fmt: skip
PRAISE = {"fast_delivery", "friendly_staff", "good_value", "easy_app", "good_quality", "strong_signal"}
STOCK_ANSWERS = {"Good service": 5, "物流很快": 5, "好评": 3, "Great value": 2}
RISING = "damaged_parcel"

HAN = re.compile(r"[\u4e00-\u9fff]")
KANA = re.compile(r"[\u3040-\u30ff]")
WORDS = re.compile(r"[A-Za-z]{2,}")
REPOST = re.compile(r"//@|^RT @")
RESPONSE_ID = re.compile(r"R-\d{4}")


@cache
def comments() -> tuple[Row, ...]:
    with demo_path().open(encoding="utf-8", newline="") as lines:
        return tuple(csv.DictReader(lines))


@cache
def comment_texts() -> dict[str, str]:
    return {row["response_id"]: row["comment"] for row in comments()}


@cache
def minable_ids() -> frozenset[str]:
    """Responses with text that says something."""
    empty = {answer.response_id for answer in answers() if answer.theme == "no_content"}
    return frozenset(row["response_id"] for row in comments() if row["comment"] and row["response_id"] not in empty)


@cache
def hard_cases() -> dict[str, list[str]]:
    """The README's table of hard cases: what -> response ids."""
    table = demo_path().with_name("README.md").read_text(encoding="utf-8").split("## Hard cases, by id")[1].split("\n## ")[0]
    lines = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("|")]
    return {cells[0].strip(): RESPONSE_ID.findall(cells[1]) for cells in lines[2:]}


@cache
def answers() -> tuple[Answer, ...]:
    return load_answers()


@cache
def answers_of(response_id: str) -> tuple[Answer, ...]:
    return tuple(answer for answer in answers() if answer.response_id == response_id)


def language_of(text: str) -> str:
    """Coarse, from the scripts alone: all that the promised shares need."""
    if KANA.search(text):
        return "ja"
    return ("mixed" if len(WORDS.findall(text)) > 2 else "zh") if HAN.search(text) else "latin"


# --- comments.csv ---


def test_comments_have_the_promised_columns_and_about_420_rows() -> None:
    assert list(comments()[0]) == COLUMNS
    assert 400 <= len(comments()) <= 450
    assert None not in {key for row in comments() for key in row}


def test_comments_are_plain_utf8_with_unix_line_ends() -> None:
    for path in (demo_path(), demo_path().with_name("answers.csv"), demo_path().with_name("personal_data.csv")):
        content = path.read_bytes()
        assert not content.startswith(b"\xef\xbb\xbf")
        assert b"\r" not in content
        text = content.decode("utf-8")
        assert unicodedata.is_normalized("NFC", text)
        assert "\ufffd" not in text


def test_response_ids_are_unique_and_in_order_of_date() -> None:
    ids = [row["response_id"] for row in comments()]
    assert ids == [f"R-{number:04d}" for number in range(1, len(ids) + 1)]
    dates = [row["date"] for row in comments()]
    assert dates == sorted(dates)


def test_dates_span_march_to_august_evenly() -> None:
    dates = [date.fromisoformat(row["date"]) for row in comments()]
    assert (min(dates), max(dates)) == (date(2026, 3, 1), date(2026, 8, 31))
    per_month = Counter(f"{day:%Y-%m}" for day in dates)
    assert sorted(per_month) == MONTHS
    assert all(60 <= count <= 85 for count in per_month.values())


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("company", {"Nimbus Mobile", "Maple & Moss"}),
        ("channel", {"survey", "app store", "weibo", "twitter", "chat-after-call", "email"}),
        ("plan", {"Basic", "Plus", "Family", "Standard", "VIP", ""}),
        (
            "region",
            {"East China", "South China", "North China", "West China", "Hong Kong & Macau", "UK", "US", "Europe", "Japan"},
        ),
    ],
)
def test_attributes_take_every_promised_value(column: str, values: set[str]) -> None:
    assert {row[column] for row in comments()} == values


def test_plans_belong_to_their_company() -> None:
    plans = {"Nimbus Mobile": {"Basic", "Plus", "Family"}, "Maple & Moss": {"Standard", "VIP"}}
    for row in comments():
        assert row["plan"] in plans[row["company"]] or (row["plan"] == "" and row["channel"] in {"weibo", "twitter"})


def test_companies_have_about_half_of_the_comments_each() -> None:
    share = sum(row["company"] == "Maple & Moss" for row in comments()) / len(comments())
    assert 0.45 <= share <= 0.6


def test_customers_recur_and_stay_who_they_are() -> None:
    rows_of: dict[str, list[Row]] = {}
    for row in comments():
        if row["customer"]:
            rows_of.setdefault(row["customer"], []).append(row)
    assert all(re.fullmatch(r"C-\d{4}", customer) for customer in rows_of)
    assert sum(len(rows) > 1 for rows in rows_of.values()) >= 30
    for rows in rows_of.values():
        assert len({(row["company"], row["plan"], row["region"]) for row in rows}) == 1
    assert {row["channel"] for row in comments() if not row["customer"]} == {"weibo", "twitter"}


def test_two_customers_come_back_about_the_same_unresolved_fault() -> None:
    for customer in ("C-1042", "C-1077"):
        visits = [row for row in comments() if row["customer"] == customer]
        assert len(visits) == 2
        for row in visits:
            assert "unresolved_contact" in {answer.theme for answer in answers_of(row["response_id"])}


def test_scores_give_an_nps_between_5_and_25() -> None:
    scores = [int(row["nps"]) for row in comments() if re.fullmatch(r"\d|10", row["nps"])]
    promoters, detractors = sum(score >= 9 for score in scores), sum(score <= 6 for score in scores)
    assert 5 <= 100 * (promoters - detractors) / len(scores) <= 25
    assert min(promoters, detractors, len(scores) - promoters - detractors) >= 0.2 * len(scores)
    assert set(scores) == set(range(11))


def test_scores_hold_the_odd_ones_once_and_a_few_blanks() -> None:
    odd = [row["nps"] for row in comments() if not re.fullmatch(r"\d|10|", row["nps"])]
    assert sorted(odd) == ["11", "8,5", "9 - Very likely"]
    assert 5 <= sum(row["nps"] == "" for row in comments()) <= 25


def test_scores_agree_with_the_text_but_for_the_listed_contradictions() -> None:
    contradictions = set(hard_cases()["score and text disagree"])
    found = set()
    for row in comments():
        if row["response_id"] not in minable_ids() or not row["nps"].isdigit() or row["comment"] in STOCK_ANSWERS:
            continue
        sentiments = {answer.sentiment for answer in answers_of(row["response_id"])} - {Polarity.NEUTRAL}
        praises_low = sentiments == {Polarity.POSITIVE} and int(row["nps"]) <= 4
        complains_high = sentiments == {Polarity.NEGATIVE} and row["nps"] in {"9", "10"}
        if praises_low or complains_high:
            found.add(row["response_id"])
    assert found == contradictions


def test_languages_are_about_half_chinese_and_half_english() -> None:
    languages = Counter(language_of(comment_texts()[response]) for response in minable_ids())
    assert 0.44 <= languages["zh"] / len(minable_ids()) <= 0.56
    assert 0.42 <= languages["latin"] / len(minable_ids()) <= 0.54
    assert languages["ja"] == 1


def test_lengths_run_from_two_words_to_eighty() -> None:
    english = [len(comment_texts()[response].split()) for response in minable_ids() if language_of(comment_texts()[response]) == "latin"]
    chinese = [len(comment_texts()[response]) for response in minable_ids() if language_of(comment_texts()[response]) == "zh"]
    assert min(english) == 2
    assert 60 <= max(english) <= 80
    assert max(chinese) >= 90
    assert len({length for length in english if length >= 25}) >= 5


def test_rows_without_text_keep_their_score() -> None:
    empty = [row for row in comments() if not row["comment"]]
    assert len(empty) == 20
    assert all(row["nps"] for row in empty)


def test_forty_comments_carry_emoji() -> None:
    assert sum(any(unicodedata.category(character) == "So" for character in row["comment"]) for row in comments()) >= 40


def test_stock_answers_repeat_with_different_scores() -> None:
    for text, count in STOCK_ANSWERS.items():
        scores = [row["nps"] for row in comments() if row["comment"] == text]
        assert len(scores) == count
        assert len(set(scores)) > 1


def test_five_reposts_copy_an_earlier_post() -> None:
    reposts = [row for row in comments() if REPOST.search(row["comment"])]
    assert len(reposts) == 5
    originals = [row for row in comments() if row["channel"] in {"weibo", "twitter"} and row not in reposts]
    for row in reposts:
        assert any(original["comment"] in row["comment"] and original["date"] <= row["date"] for original in originals)


def test_wording_is_never_used_twice_but_where_planted() -> None:
    def shingles(text: str) -> frozenset[str]:
        folded = re.sub(r"\s+", " ", text.casefold())
        return frozenset(folded[start : start + 5] for start in range(max(1, len(folded) - 4)))

    free = [
        (response, shingles(text))
        for response, text in sorted(comment_texts().items())
        if response in minable_ids() and text not in STOCK_ANSWERS and not REPOST.search(text)
    ]
    alike = [
        (first, second)
        for (first, mine), (second, theirs) in combinations(free, 2)
        if len(mine & theirs) >= 0.6 * len(mine | theirs)
    ]  # fmt: skip
    assert len(free) > 330
    assert alike == []


# --- answers.csv ---


def test_quotes_stand_exactly_once_in_their_comment() -> None:
    for answer in answers():
        assert answer.quote.strip() == answer.quote != ""
        assert comment_texts()[answer.response_id].count(answer.quote) == 1, answer.response_id


def test_quotes_of_one_comment_do_not_overlap() -> None:
    for response, text in comment_texts().items():
        spans = sorted((text.index(answer.quote), text.index(answer.quote) + len(answer.quote)) for answer in answers_of(response))
        assert all(before[1] <= after[0] for before, after in pairwise(spans)), response


def test_answers_cover_every_comment_with_text() -> None:
    assert {answer.response_id for answer in answers()} == {row["response_id"] for row in comments() if row["comment"]}


def test_themes_are_the_promised_ones_and_each_has_15_opinions_or_more() -> None:
    counts = Counter(answer.theme for answer in answers())
    assert set(counts) == COMPLAINTS | PRAISE | {"no_content", None}
    assert all(15 <= counts[theme] <= 50 for theme in COMPLAINTS | PRAISE)
    assert counts["no_content"] == 20
    assert 20 <= counts[None] <= 40


@pytest.mark.parametrize("theme", sorted(COMPLAINTS | PRAISE))
def test_themes_are_told_in_both_languages(theme: str) -> None:
    languages = Counter(language_of(answer.quote) for answer in answers() if answer.theme == theme)
    assert languages["zh"] >= 6
    assert languages["latin"] >= 6


@pytest.mark.parametrize("theme", sorted(COMPLAINTS | PRAISE))
def test_themes_have_one_polarity_and_one_cause(theme: str) -> None:
    opinions = [answer for answer in answers() if answer.theme == theme]
    wrong = Polarity.POSITIVE if theme in COMPLAINTS else Polarity.NEGATIVE
    assert not [answer.response_id for answer in opinions if answer.sentiment is wrong]
    assert len({answer.cause for answer in opinions}) == 1


def test_causes_are_in_the_default_taxonomy() -> None:
    known = {cause.id for cause in load_taxonomy("default").causes}
    assert {answer.cause for answer in answers()} - {None} <= known


def test_no_content_answers_say_nothing() -> None:
    for answer in answers():
        if answer.theme == "no_content":
            assert answer.quote == comment_texts()[answer.response_id]
            assert (answer.cause, answer.sentiment, answer.type) == (None, Polarity.NEUTRAL, FeedbackType.STATEMENT)


@pytest.mark.parametrize(
    ("feedback_type", "at_least"),
    [
        (FeedbackType.COMPLAINT, 250),
        (FeedbackType.PRAISE, 150),
        (FeedbackType.SUGGESTION, 20),
        (FeedbackType.QUESTION, 15),
        (FeedbackType.STATEMENT, 20),
    ],
)
def test_types_are_all_there(feedback_type: FeedbackType, at_least: int) -> None:
    assert sum(answer.type is feedback_type for answer in answers()) >= at_least


def test_types_agree_with_the_sentiment() -> None:
    for answer in answers():
        if answer.type is FeedbackType.COMPLAINT:
            assert answer.sentiment is Polarity.NEGATIVE
        if answer.type is FeedbackType.PRAISE:
            assert answer.sentiment is Polarity.POSITIVE


def test_forty_comments_hold_opposite_opinions() -> None:
    opposite = [
        response for response in minable_ids() if {Polarity.NEGATIVE, Polarity.POSITIVE} <= {a.sentiment for a in answers_of(response)}
    ]
    several = [response for response in minable_ids() if len({answer.theme for answer in answers_of(response)}) > 1]
    assert len(opposite) >= 40
    assert len(several) >= 100


def monthly_shares(theme: str) -> list[float]:
    """Of the minable comments of each month."""
    month_of = {row["response_id"]: row["date"][:7] for row in comments()}
    base = Counter(month_of[response] for response in minable_ids())
    hits = Counter(month_of[response] for response in {answer.response_id for answer in answers() if answer.theme == theme})
    return [hits[month] / base[month] for month in MONTHS]


def test_damaged_parcels_rise_from_3_to_20_percent_since_june() -> None:
    shares = monthly_shares(RISING)
    assert all(share < 0.05 for share in shares[:3])
    assert shares[2] < shares[3] < shares[4] < shares[5]
    assert 0.18 <= shares[5] <= 0.25


def test_no_other_theme_reaches_the_rise_of_damaged_parcels() -> None:
    for theme in (COMPLAINTS | PRAISE) - {RISING}:
        shares = monthly_shares(theme)
        assert abs(sum(shares[3:]) - sum(shares[:3])) / 3 < 0.04, theme


def test_packaging_change_is_told_in_both_languages() -> None:
    told = [
        row["comment"]
        for row in comments()
        if row["date"] >= "2026-06" and re.search(r"六月换成|换了新包装|in June|new packaging", row["comment"])
    ]
    assert {language_of(text) for text in told} >= {"zh", "latin"}


# --- personal_data.csv ---


def test_personal_data_stand_in_their_comments() -> None:
    planted = load_personal_data()
    assert len({item.response_id for item in planted}) >= 25
    for item in planted:
        assert item.value in comment_texts()[item.response_id]


def test_personal_data_are_of_every_promised_kind() -> None:
    kinds = {"email", "phone", "id_card", "bank_card", "iban", "order_number", "wechat", "qq", "handle", "name", "address"}
    assert {item.kind for item in load_personal_data()} == kinds | {"licence_plate", "url"}


@pytest.mark.parametrize(
    ("kind", "is_valid"),
    [
        ("id_card", ric.is_valid),
        ("bank_card", luhn.is_valid),
        ("iban", iban.is_valid),
        ("email", re.compile(r"[\w.]+@example\.(com|org|cn)").fullmatch),
        ("phone", re.compile(r"(\+86 )?1\d\d ?0000 ?\d{4}|07700 900\d{3}|(\(\d{3}\) |\d{3}-)555-01\d\d").fullmatch),
        ("url", re.compile(r"https://[a-z.]*example\.com/\S+").fullmatch),
    ],
)
def test_personal_data_are_valid_in_form_and_nobodys(kind: str, is_valid: Callable[[str], object]) -> None:
    values = [item.value.replace(" ", "") if kind == "bank_card" else item.value for item in load_personal_data() if item.kind == kind]
    assert values
    assert all(is_valid(value) for value in values)


def test_identity_numbers_use_a_sequence_that_is_never_issued() -> None:
    assert {item.value[14:17] for item in load_personal_data() if item.kind == "id_card"} == {"000"}


def test_personal_data_lists_everything_that_looks_like_it() -> None:
    """Eleven digits or more, e-mail addresses and handles: nothing unlisted slipped in."""
    listed: dict[str, list[str]] = {}
    for item in load_personal_data():
        listed.setdefault(item.response_id, []).append(item.value)
    for response, text in comment_texts().items():
        rest = text
        for value in sorted(listed.get(response, []), key=len, reverse=True):
            rest = rest.replace(value, "")
        assert not re.search(r"\d[\d -]{9,}\d|\w@\w|@\w", rest), response


def test_quotes_hold_no_personal_data() -> None:
    values: dict[str, list[PlantedPersonalData]] = {}
    for item in load_personal_data():
        values.setdefault(item.response_id, []).append(item)
    for answer in answers():
        assert not any(item.value in answer.quote for item in values.get(answer.response_id, []))


# --- README.md ---


@pytest.mark.parametrize(
    ("what", "at_least"),
    [
        ("sarcasm", 10),
        ("score and text disagree", 4),
        ("reposts of somebody else's words", 5),
        ("Chinese and English in one sentence", 5),
        ("German, Spanish, Japanese", 3),
        ("traditional characters", 3),
        ("typos", 40),
        ("the same customer, still waiting", 4),
    ],
)
def test_readme_lists_the_hard_cases_by_id(what: str, at_least: int) -> None:
    ids = hard_cases()[what]
    assert len(set(ids)) == len(ids) >= at_least
    assert set(ids) <= set(comment_texts())


def test_readme_counts_agree_with_the_answers() -> None:
    readme = demo_path().with_name("README.md").read_text(encoding="utf-8")
    counts = Counter(answer.theme for answer in answers())
    stated = {theme: int(count) for theme, count in re.findall(r"^\| `(\w+)` \| `[\w.]+` \| (\d+) \|", readme, re.MULTILINE)}
    assert stated == {theme: counts[theme] for theme in COMPLAINTS | PRAISE}
    assert f"# The demo: {len(comments())} comments" in readme


@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        ("reposts of somebody else's words", REPOST.pattern),
        ("Chinese and English in one sentence", r"[\u4e00-\u9fff].*[A-Za-z]{3}|[A-Za-z]{3}.*[\u4e00-\u9fff]"),
        ("traditional characters", r"[還環臺運寄澳門島訊號緩衝兩]"),
    ],
)
def test_readme_hard_cases_are_what_they_are_called(what: str, pattern: str) -> None:
    assert all(re.search(pattern, comment_texts()[response]) for response in hard_cases()[what])
