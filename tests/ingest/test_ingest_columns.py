"""Which column plays which role, and why."""

import random
from collections.abc import Sequence
from typing import Any

import pytest

from feedback_miner.domain import ScoreKind
from feedback_miner.errors import ColumnError
from feedback_miner.ingest import Ingested, IngestOptions, read_feedback
from feedback_miner.ingest.headers import read_hints

COMMENTS = [
    "The parcel was a week late",
    "Phone staff stayed patient",
    "The app crashes every morning",
    "Price and worth do not match",
    "Smooth from order to unpacking",
    "I waited an hour in the shop",
    "Quick refund, thanks a lot",
    "The manual is hard to follow",
]


def table(**columns: Sequence[Any]) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def mapped(source: Any, **options: Any) -> Ingested:
    return read_feedback(source, options=IngestOptions(**options))


def why(ingested: Ingested, column: str) -> str:
    return " / ".join(reason for name, reason in ingested.mapping.reasons if name == column)


@pytest.mark.parametrize(
    "header",
    [
        "comment",
        "Customer Feedback",
        "why_this_score",
        "verbatim",
        "nps_comment",
        "score reason",
        "评论",
        "评分原因",
        "您的建议（选填）",
        "col7",
        "Q2_TEXT",
    ],
)
def test_guess_columns_finds_the_text(header: str) -> None:
    ingested = mapped(table(id=[f"r{number}" for number in range(8)], **{header: COMMENTS}, region=["north", "south"] * 4))
    assert ingested.mapping.texts == (header,)
    assert ingested.mapping.attributes == ("region",)
    assert why(ingested, header)


def test_guess_columns_takes_short_comments_where_the_name_says_so() -> None:
    ingested = mapped(table(id=list("abcd"), comment=["good", "bad", "too slow", "ok"], plan=["pro", "pro", "free", "free"]))
    assert ingested.mapping.texts == ("comment",)


def test_guess_columns_mines_several_open_questions() -> None:
    ingested = mapped(table(**{"What did you like about us?": COMMENTS, "What should we improve next?": COMMENTS[::-1]}))
    assert len(ingested.mapping.texts) == 2
    assert "side by side, pass --text to choose" in why(ingested, "What did you like about us?")


def test_guess_columns_leaves_titles_and_answers_aside() -> None:
    titles = [comment[:14] for comment in COMMENTS]
    replies = [f"Dear customer, thank you for note {number}" for number in range(8)]
    ingested = mapped(table(title=titles, text=[comment + ", really so" for comment in COMMENTS], reply=replies))
    assert ingested.mapping.texts == ("text",)
    assert "--text" in why(ingested, "title")
    assert "--text" in why(ingested, "reply")
    assert mapped(table(title=COMMENTS)).mapping.texts == ("title",)


def test_guess_columns_mines_a_cleaned_copy_once() -> None:
    clean = [comment.lower().replace(",", "") for comment in COMMENTS]
    ingested = mapped(table(clean_text=clean, text=[f"{comment}!!" for comment in COMMENTS]))
    assert ingested.mapping.texts == ("text",)
    assert "nearly a copy of 'text'" in why(ingested, "clean_text")


def test_guess_columns_passes_over_what_machines_wrote() -> None:
    machine = [f'[{{"aspect": "delivery", "polarity": "negative", "target": "item {number}"}}]' for number in range(8)]
    links = [f"https://example.org/a/very/long/path/{number}" for number in range(8)]
    assert mapped(table(comment=COMMENTS, annotations=machine, permalink=links)).mapping.texts == ("comment",)


@pytest.mark.parametrize(
    ("header", "values", "kind"),
    [
        ("nps", [0, 5, 10, 7, 9, 2, 8, 6], ScoreKind.NPS),
        ("How likely are you to recommend us?", [9, 9, 10, 7, 9, 6, 8, 6], ScoreKind.NPS),
        ("您有多大可能推荐我们", ["9分", "10分", "0分", "7分", "9分", "6分", "8分", "6分"], ScoreKind.NPS),
        ("score", [9, 9, 10, 7, 9, 6, 8, 6], ScoreKind.NPS),
        ("rating", [1, 5, 4, 3, 5, 2, 4, 5], ScoreKind.STARS),
        ("rating", [0, 9, 4, 3, 5, 2, 4, 5], ScoreKind.NPS),
        ("评分", [1, 5, 4, 3, 5, 2, 4, 5], ScoreKind.STARS),
        ("stars", ["★★★★☆", "★☆☆☆☆"] * 4, ScoreKind.STARS),
        ("col3", ["★★★★☆", "★☆☆☆☆"] * 4, ScoreKind.STARS),
        ("csat", [1, 5, 4, 3, 5, 2, 4, 5], ScoreKind.CSAT),
        ("满意度", ["非常满意", "不满意", "一般", "满意"] * 2, ScoreKind.CSAT),
        ("Q3", ["Very satisfied", "Dissatisfied"] * 4, ScoreKind.CSAT),
        ("It was easy to get help", [1, 7, 4, 3, 6, 2, 4, 5], ScoreKind.CES),
        ("费力度", [1, 7, 4, 3, 6, 2, 4, 5], ScoreKind.CES),
        ("nps", [9, 9, 10, 7, 99, 6, 8, 6] + [8] * 8, ScoreKind.NPS),
    ],
)
def test_find_score_reads_name_and_values(header: str, values: list[Any], kind: ScoreKind) -> None:
    ingested = mapped(
        table(comment=[f"{comment} {number}" for number, comment in enumerate((COMMENTS * 2)[: len(values)])], **{header: values})
    )
    assert (ingested.mapping.score, ingested.mapping.score_kind) == (header, kind)
    assert kind.value in why(ingested, header)


@pytest.mark.parametrize(
    ("header", "values", "says"),
    [
        ("score", [1, 5, 4, 3, 5, 2, 4, 5], "several scales"),
        ("rating", [1, 9, 4, 3, 5, 2, 4, 8], "not within 1-5"),
        ("satisfaction", [1, 9, 4, 3, 5, 2, 4, 8], "not within 1-5"),
        ("recommended", [0, 1] * 4, "yes or no"),
        ("recommend group", ["Promoter", "Detractor"] * 4, "groups"),
        ("nps", ["promoter", "passive"] * 4, "groups"),
        ("score", [0.13, 0.5, 0.77, 0.2, 0.3, 0.41, 0.52, 1], "fractions"),
        ("score", [113, 205, 377, 20, 30, 41, 52, 1], "outside 0-10"),
    ],
)
def test_find_score_takes_none_rather_than_a_wrong_one(header: str, values: list[Any], says: str) -> None:
    ingested = mapped(table(comment=COMMENTS, **{header: values}))
    assert ingested.mapping.score is None
    assert says in why(ingested, header)


def test_find_score_does_not_take_a_scale_of_five_for_nps() -> None:
    ingested = mapped(table(comment=[f"{COMMENTS[number % 8]} {number}" for number in range(40)], recommend=[1, 2, 3, 4, 5] * 8))
    assert ingested.mapping.score is None
    assert "no NPS" in why(ingested, "recommend")


@pytest.mark.parametrize("header", ["likes", "n_items", "rating_count", "sentiment_score", "visits"])
def test_find_score_needs_a_name(header: str) -> None:
    assert mapped(table(comment=COMMENTS, **{header: [0, 5, 10, 7, 9, 2, 8, 6]})).mapping.score is None


def test_find_score_prefers_nps_and_names_the_others() -> None:
    ingested = mapped(table(comment=COMMENTS, rating=[1, 5, 4, 3, 5, 2, 4, 5], nps=[0, 5, 10, 7, 9, 2, 8, 6]))
    assert ingested.mapping.score == "nps"
    assert "pass --score to choose" in why(ingested, "rating")
    assert (
        mapped(
            table(comment=COMMENTS, rating=[1, 5, 4, 3, 5, 2, 4, 5], nps=[0, 5, 10, 7, 9, 2, 8, 6]), score_kind=ScoreKind.STARS
        ).mapping.score
        == "rating"
    )


def test_find_score_obeys_the_user_or_says_why_not() -> None:
    rows = table(comment=COMMENTS, points=[1, 5, 4, 3, 5, 2, 4, 5], group=["Promoter", "Detractor"] * 4)
    assert mapped(rows, score="points", score_kind="csat").mapping.score_kind is ScoreKind.CSAT
    with pytest.raises(ColumnError, match=r"cannot tell what the scores in column 'points' mean.*--score-kind"):
        mapped(rows, score="points")
    with pytest.raises(ColumnError, match="'group' holds groups"):
        mapped(rows, score="group", score_kind="nps")
    with pytest.raises(ColumnError, match="no value of column 'comment' can be read"):
        mapped(rows, score="comment", score_kind="nps", texts=("comment",))
    assert mapped(table(comment=COMMENTS, nps=[9] * 8), score="nps").mapping.score_kind is ScoreKind.NPS


def test_guess_columns_gives_every_other_role() -> None:
    ingested = mapped(
        table(
            customer_id=["c1", "c2", "c3", "c1", "c4", "c5", "c6", "c7"],
            created_at=[f"2026-05-0{number}" for number in range(1, 9)],
            updated_at=["2026-06-01", "2026-06-02"] * 4,
            channel=["app", "shop"] * 4,
            weight=["0,5", "1,5"] * 4,
            region=["north", "south"] * 4,
            email=[f"p{number}@example.org" for number in range(8)],
            comment=COMMENTS,
        )
    )
    mapping = ingested.mapping
    assert (mapping.customer, mapping.date, mapping.channel, mapping.weight, mapping.attributes) == (
        "customer_id",
        "created_at",
        "channel",
        "weight",
        ("region",),
    )
    assert "--date" in why(ingested, "updated_at")
    item = next(ingested.items())
    assert (item.customer, item.channel, item.weight, item.attributes) == ("c1", "app", 0.5, (("region", "north"),))


def test_guess_columns_finds_dates_without_a_name_and_numbers_with_one() -> None:
    assert mapped(table(comment=COMMENTS, x=[f"2026-05-0{number}" for number in range(1, 9)])).mapping.date == "x"
    assert mapped(table(comment=COMMENTS, timestamp=[1_777_600_000 + number for number in range(8)])).mapping.date == "timestamp"
    assert mapped(table(comment=COMMENTS, x=[1_777_600_000 + number for number in range(8)])).mapping.date is None
    assert mapped(table(comment=COMMENTS, birth_date=[f"1980-05-0{number}" for number in range(1, 9)])).mapping.date != "birth_date"


def test_guess_columns_limits_attributes() -> None:
    columns = {f"group {chr(97 + number)}": ["x", "y"] * 4 for number in range(15)}
    ingested = mapped(table(comment=COMMENTS, **columns, label=["z" * 61, "w"] * 4, constant=["same"] * 8, size=[1.5, 2.25] * 4))
    assert ingested.mapping.attributes == tuple(columns)[:12]
    assert "12 are taken before it" in why(ingested, "group o")


def test_guess_columns_obeys_the_user() -> None:
    rows = table(
        note=COMMENTS, remark=COMMENTS[::-1], when=["3/4/2026"] * 8, who=list("abcdefgh"), via=["x"] * 8, w=[2] * 8, kind=list("abababab")
    )
    mapping = mapped(
        rows, texts=("Remark",), date="when", customer="who", channel="via", weight="w", attributes=("kind", "who", "kind")
    ).mapping
    assert (mapping.texts, mapping.date, mapping.customer, mapping.channel, mapping.weight, mapping.attributes) == (
        ("remark",),
        "when",
        "who",
        "via",
        "w",
        ("kind", "who"),
    )
    assert sum("named by the user" in reason for _, reason in mapping.reasons) == 7


@pytest.mark.parametrize("option", ["texts", "score", "date", "customer", "channel", "weight", "attributes"])
def test_guess_columns_names_the_nearest_column(option: str) -> None:
    value: Any = ("coment",) if option in {"texts", "attributes"} else "coment"
    with pytest.raises(ColumnError, match=r"'coment' not found .*\(columns: comment, region\); did you mean 'comment'\?"):
        mapped(table(comment=COMMENTS, region=["n", "s"] * 4), **{option: value})


def test_guess_columns_lists_the_columns_where_nothing_is_text() -> None:
    with pytest.raises(ColumnError, match=r"no column .* \(columns: id, nps, region\); name one with --text"):
        mapped(table(id=list("abcdefgh"), nps=[9] * 8, region=["north", "south"] * 4))


def test_guess_columns_takes_stock_answers_where_nothing_else_is_text() -> None:
    for comments in (["good", "bad"] * 40, ["👍", "👎👎"] * 4, [None] * 8):
        rows = [{"comment": comment, "nps": number % 11} for number, comment in enumerate(comments)]
        ingested = mapped(rows)
        assert ingested.mapping.texts == ("comment",)
        assert "nothing else is" in why(ingested, "comment")


def test_guess_columns_refuses_numbers_as_text() -> None:
    with pytest.raises(ColumnError, match="column 'nps' holds numbers, not text"):
        mapped(table(comment=COMMENTS, nps=[9] * 8), texts=("nps",))


def test_guess_columns_does_not_depend_on_the_order_of_rows() -> None:
    generator = random.Random(7)
    rows = [
        {
            "comment": f"{generator.choice(COMMENTS)} {number}",
            "nps": number % 11,
            "date": f"{number % 12 + 1}/{number % 28 + 1}/2026",
            "region": generator.choice("nsew"),
        }
        for number in range(3000)
    ]
    one = mapped(rows)
    generator.shuffle(rows)
    other = mapped(rows)
    assert one.mapping == other.mapping
    assert {item.id for item in one.items()} == {item.id for item in other.items()}


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("comment_id", "no_text"),
        ("score_comment", "text"),
        ("review text", "text"),
        ("text_length", "no_text"),
        ("reply", "second_text"),
        ("manager_comments", "second_text"),
        ("原因分类", "no_text"),
        ("用户评论", "text"),
    ],
)
def test_read_hints_goes_by_the_last_word(name: str, hint: str) -> None:
    hints = read_hints(name)
    assert {kind for kind in ("text", "no_text", "second_text") if getattr(hints, kind)} == {hint}
