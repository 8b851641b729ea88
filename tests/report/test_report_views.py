"""What the page says, before it is laid out: sentences, choices, quotes, tables and drawings."""

import dataclasses
import re

import pytest

from feedback_miner.domain import Impact, Interval, Polarity, ResidualReason, RowIssue, ScoreKind, Trend
from feedback_miner.errors import TaxonomyError
from feedback_miner.report import figures
from feedback_miner.report.aside import view_aside, view_columns, view_contradictions
from feedback_miner.report.causes import CauseBook, pick_name, read_causes
from feedback_miner.report.charts import IntervalRow, draw_intervals, draw_score_trend, draw_sparkline
from feedback_miner.report.headlines import view_headlines
from feedback_miner.report.quotes import open_quotes
from feedback_miner.report.reasons import view_crossing, view_drivers, view_owners, view_strengths
from feedback_miner.report.sources import UNMAPPED, open_sources
from feedback_miner.report.themes import hurting_themes, loved_themes, view_hurts, view_loves, view_moves, view_themes, view_trend
from feedback_miner.taxonomy import load_taxonomy, taxonomy_to_mapping


@pytest.fixture(scope="module")
def sources(world, book):
    return open_sources(*world, book)


def english(sentences):
    return " ".join(sentence.en for sentence in sentences)


# Figures


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (figures.percent(0.1234), "12.3%"),
        (figures.percent(0.0), "0.0%"),
        (figures.percent(0.0001), "<0.1%"),
        (figures.percent_interval(Interval(0.1, 0.25)), "10.0–25.0%"),
        (figures.signed(-3.14159, 1), "−3.1"),
        (figures.signed(3.14159, 2), "+3.14"),
        (figures.signed(-0.01, 1), "0.0"),
        (figures.score_value(-12.34, ScoreKind.NPS), "−12.3"),
        (figures.score_value(0.625, ScoreKind.CSAT), "62.5%"),
        (figures.score_value(4.567, ScoreKind.STARS), "4.57"),
        (figures.impact_points(-0.05, ScoreKind.CSAT), "−5.0"),
        (figures.impact_points(0.123, ScoreKind.CES), "+0.12"),
        (figures.count(1234567), "1,234,567"),
    ],
)
def test_figures_are_written_as_people_read_them(written, expected):
    assert written == expected


# Names and taxonomies


@pytest.mark.parametrize(
    ("names", "language", "name"),
    [
        ({"zh": "价格", "en": "Price"}, "zh", "价格"),
        ({"en": "Price"}, "zh", "Price"),
        ({"fr": "Prix", "de": "Preis"}, "zh", "Preis"),
        ({"zh": ""}, "zh", "id"),
        ({}, "en", "id"),
    ],
)
def test_pick_name_falls_back_to_another_language(names, language, name):
    assert pick_name(names, language, "id") == name


def test_read_causes_takes_the_shipped_taxonomy_as_data():
    taxonomy = load_taxonomy("default")
    book = read_causes(taxonomy_to_mapping(taxonomy))
    assert list(book.causes) == [cause.id for cause in taxonomy.causes]
    assert list(book.drivers) == [driver.id for driver in taxonomy.drivers]
    cause = taxonomy.causes[0]
    assert book.cause_name(cause.id, "zh") == cause.names["zh"]
    assert book.aspect_name(cause.id, "en") == cause.aspects["en"]
    assert book.owner_name(cause.owner, "zh") == taxonomy.owners[cause.owner]["zh"]
    assert book.stage_name(cause.stage, "en") == taxonomy.stages[cause.stage]["en"]
    assert read_causes(book) is book
    assert read_causes({}) == CauseBook()


def test_read_causes_refuses_what_is_no_taxonomy():
    with pytest.raises(TaxonomyError, match="mine the source again"):
        read_causes({"drivers": ["product"]})


def test_unknown_causes_are_shown_by_their_id():
    book = CauseBook()
    assert (book.cause_name("a.b", "zh"), book.aspect_name("a.b", "zh"), book.owner_name("x", "zh")) == ("a.b", "a.b", "x")


# Sentences


def test_headlines_tell_score_worst_and_best_theme(sources):
    said = english(view_headlines(sources))
    score = sources.findings.score
    assert f"from {score.people} answers" in said
    assert sources.theme_name(hurting_themes(sources)[0].subject).en in said
    assert sources.theme_name(loved_themes(sources)[0].subject).en in said
    assert "book-keeping" in said
    assert "could not be tied to a cause" in said
    assert "Urgent: “Privacy and account safety”" in said


def test_headlines_warn_of_few_answers(build, book):
    sources = open_sources(*build(people=12), book)
    assert "Only 12 answers" in english(view_headlines(sources))


def test_headlines_do_not_claim_an_impact_that_may_be_nothing(world, book):
    findings, run = world
    unsure = Impact(-2.0, Interval(-6.0, 1.0))
    measures = tuple(dataclasses.replace(found, impact=unsure if found.impact else None) for found in findings.theme_measures)
    said = english(view_headlines(open_sources(dataclasses.replace(findings, theme_measures=measures), run, book)))
    assert "points higher" not in said


@pytest.mark.parametrize(("shift", "claim"), [(70.0, "the score rose"), (-70.0, "the score fell"), (3.0, "chance alone could explain")])
def test_headlines_compare_the_first_and_last_period(world, book, shift, claim):
    findings, run = world
    first = dataclasses.replace(findings.score, value=0.0, interval=Interval(-10.0, 10.0))
    last = dataclasses.replace(findings.score, value=shift, interval=Interval(shift - 10, shift + 10))
    changed = dataclasses.replace(findings, score_trend=(("2026-01", first), ("2026-02", last)))
    assert claim in english(view_headlines(open_sources(changed, run, book)))


def test_headlines_say_when_nothing_was_found(build, book):
    assert "No themes were found" in english(view_headlines(open_sources(*build(people=8, leaves=()), book)))


def test_headlines_name_causes_without_an_owner(sources):
    ownerless = open_sources(sources.findings, sources.run, dataclasses.replace(sources.book, owners={}))
    said = english(view_headlines(ownerless))
    assert "The root cause read most often" in said
    assert "owns it" not in said


def test_headlines_name_rising_complaints(sources):
    assert "Rising: “Hotline hard to reach”" in english(view_headlines(sources))


# Themes


def test_hurting_themes_are_leaves_worst_first(sources):
    worst = hurting_themes(sources)
    impacts = [found.impact.leave_out for found in worst if found.impact]
    assert impacts == sorted(impacts)
    assert all(sources.themes[found.subject].parent for found in worst)
    assert all(found.polarity["negative"] > found.polarity["positive"] for found in worst)
    assert {found.subject for found in worst}.isdisjoint(found.subject for found in loved_themes(sources))


def test_hurting_themes_without_a_score_go_by_negative_opinions(build, book):
    worst = hurting_themes(open_sources(*build(kind=None), book))
    negative = [found.polarity["negative"] for found in worst]
    assert negative == sorted(negative, reverse=True)


def test_view_hurts_breaks_themes_down_to_causes(sources):
    for card in view_hurts(sources):
        assert card.quotes
        assert all(quote.polarity is Polarity.NEGATIVE for quote in card.quotes)
        assert card.causes[0].width == 100
        assert sum(cause.people for cause in card.causes) >= card.people
        assert len({quote.marked for quote in card.quotes}) == len(card.quotes)


def test_view_loves_quotes_the_happiest_first(sources):
    card = view_loves(sources)[0]
    scores = [quote.score for quote in card.quotes[1:]]  # the exemplar leads
    assert scores == sorted(scores, reverse=True)
    assert all(quote.polarity is Polarity.POSITIVE for quote in card.quotes)


def test_view_themes_is_the_whole_tree(sources):
    tree = view_themes(sources)
    shown = [view.anchor for parent in tree for view in (parent, *parent.children)]
    assert sorted(shown) == sorted(f"theme-{theme.id}" for theme in sources.findings.themes)
    assert [parent.people for parent in tree] == sorted((parent.people for parent in tree), reverse=True)
    assert all(len(leaf.quotes) <= 5 for parent in tree for leaf in parent.children)


def test_view_moves_leaves_out_what_is_steady(sources):
    moves = view_moves(sources)
    assert "Hotline hard to reach" in [view.name.en for view in moves]
    assert all(view.trend.direction != "steady" for view in moves)


def test_view_trend_words_small_p_values():
    trend = Trend(("2026-01", "2026-02"), (1, 9), (50, 50), "rising", 0.16, 0.00001)
    view = view_trend(trend)
    assert (view.p, view.change.en, view.name.zh) == ("<0.001", "+16.0 pp", "上升")
    assert view_trend(None) is None


# Reasons


def test_view_crossing_agrees_with_the_findings(sources):
    table = view_crossing(sources)
    totals = {}
    for theme, _, people in sources.findings.detractor_causes:
        name = sources.theme_name(theme).en
        totals[name] = totals.get(name, 0) + people
    assert {name.en: sum(people for people, _ in cells) for name, cells in table.rows} == totals
    assert table.columns[-1][0].en == "Not tied to one"
    assert max(shade for _, cells in table.rows for _, shade in cells) == 1.0


def test_view_crossing_puts_rare_causes_together(world, book):
    findings, run = world
    crossed = (*(("late", f"made.up{number}", 20 - number) for number in range(12)), ("late", UNMAPPED, 3))
    table = view_crossing(open_sources(dataclasses.replace(findings, detractor_causes=crossed), run, book))
    assert [name.en for name, _ in table.columns][-2:] == ["Other causes", "Not tied to one"]
    assert [people for people, _ in table.rows[0][1]] == [20, 19, 18, 17, 16, 15, 14, 13 + 12 + 11 + 10 + 9, 3]


def test_view_crossing_is_none_without_causes(build, book):
    assert view_crossing(open_sources(*build(people=3, leaves=()), book)) is None


def test_view_drivers_shows_all_five_also_those_nobody_blames(sources):
    drivers = view_drivers(sources)
    assert [driver.name.en for driver in drivers] == [names["en"] for names in sources.book.drivers.values()]
    assert drivers[2].people == 0
    assert drivers[2].causes == ()
    assert max(driver.width for driver in drivers) == 100
    attitude = next(cause for driver in drivers for cause in driver.causes if cause.name.en == "Rude staff")
    assert attitude.praised > 0
    assert attitude.owner.en == "Customer service"


def test_view_drivers_keeps_causes_the_taxonomy_does_not_know(sources):
    drivers = view_drivers(open_sources(sources.findings, sources.run, CauseBook()))
    assert {driver.name.en for driver in drivers} >= {"product", "service", "process"}
    assert "service.wait" in [cause.name.en for driver in drivers for cause in driver.causes]


def test_view_owners_counts_a_person_once_for_each_owner(sources):
    owners = view_owners(sources)
    assert [owner.people for owner in owners] == sorted((owner.people for owner in owners), reverse=True)
    for owner in owners:
        assert max(people for _, people, _ in owner.causes) <= owner.people <= sum(people for _, people, _ in owner.causes)
        assert owner.stages
        assert owner.themes


def test_view_strengths_names_aspects_not_causes(sources):
    assert view_strengths(sources)[0].name.en == "Staff attitude"


# What does not fit


def test_view_contradictions_lists_both_ends(sources):
    found = view_contradictions(sources)
    assert found.high_count >= len(found.high) > 0
    assert all(quote.score >= 9 and quote.polarity is Polarity.NEGATIVE for quote in found.high)
    assert all(quote.score <= 4 and quote.polarity is Polarity.POSITIVE for quote in found.low)


def test_view_contradictions_is_none_without_a_score(build, book):
    assert view_contradictions(open_sources(*build(kind=None, people=9), book)) is None


def test_view_aside_accounts_for_every_row(sources):
    aside = view_aside(sources)
    whole, *parts = aside.rows
    assert whole[1] == sum(number for _, number, _ in parts)
    assert sum(row.count for row in aside.residual) == sum(coding.residual is not None for coding in sources.findings.codings)
    assert {words for words, _ in aside.nothings} <= {"无", "n/a", "没有", "..."}


def test_view_aside_groups_and_caps_issues(world, book):
    findings, run = world
    issues = [RowIssue(row, "NPS", "no number", True) for row in range(2, 40)]
    issues += [RowIssue(row, None, "broken", False) for row in range(500, 400, -1)]
    aside = view_aside(open_sources(findings, dataclasses.replace(run, issues=tuple(issues)), book))
    assert [(group.column, group.count) for group in aside.kept] == [("NPS", 38)]
    assert aside.kept[0].lines == "2, 3, 4, 5, 6, 7, 8, 9 …"
    assert [issue.row for issue in aside.rejected] == list(range(401, 451))
    assert aside.rejected_more.en.startswith("50 more")
    assert aside.kept_more is None


def test_view_columns_tells_refused_columns_too(world, book):
    findings, run = world
    columns = dataclasses.replace(findings.columns, weight="w", reasons=(*findings.columns.reasons, ("IP", "an address")))
    rows = {
        row.column: (row.role.en, row.reason)
        for row in view_columns(open_sources(dataclasses.replace(findings, columns=columns), run, book))
    }
    assert rows["w"] == ("weight", "")
    assert rows["NPS"] == ("score", "whole numbers from 0 to 10")
    assert rows["IP"] == ("not used", "an address")


# Quotes


def test_quotes_are_spans_of_their_documents(sources):
    quotes = sources.quotes.pick_theme("hotline", 50)
    texts = {document.text for document in sources.findings.documents}
    assert quotes
    assert all(quote.before + quote.marked + quote.after in texts for quote in quotes)


def test_quotes_are_the_same_whatever_the_row_order(world):
    findings, run = world
    pairs = list(zip(findings.opinions, findings.codings, strict=True))[::-1]
    turned = dataclasses.replace(
        findings,
        opinions=tuple(opinion for opinion, _ in pairs),
        codings=tuple(coding for _, coding in pairs),
        documents=findings.documents[::-1],
        items=findings.items[::-1],
    )
    for theme in ("hotline", "helpful"):
        assert open_quotes(turned, run).pick_theme(theme, 5) == open_quotes(findings, run).pick_theme(theme, 5)


def test_quotes_lead_with_the_exemplar(sources):
    exemplar = next(theme for theme in sources.findings.themes if theme.id == "late").exemplars[0]
    assert sources.quotes.pick_theme("late", 3)[0].marked == exemplar.text


def test_quotes_cut_around_the_span_only(world):
    findings, run = world
    row = next(place for place, coding in enumerate(findings.codings) if coding.themes)
    opinion = findings.opinions[row]
    pad = "x" * 500
    documents = tuple(
        dataclasses.replace(found, text=pad + opinion.text + pad) if found.id == opinion.document else found for found in findings.documents
    )
    moved = dataclasses.replace(opinion, start=500, end=500 + len(opinion.text))
    opinions = tuple(moved if place == row else found for place, found in enumerate(findings.opinions))
    book = open_quotes(dataclasses.replace(findings, documents=documents, opinions=opinions), run)
    quotes = book.pick_theme(findings.codings[row].themes[0].theme, 1000)
    quote = next(found for found in quotes if found.marked == opinion.text and found.before.endswith("x"))
    assert quote.before == "…" + "x" * 90
    assert quote.after == "x" * 90 + "…"


def test_quotes_of_the_residual_say_why(sources):
    assert sources.quotes.pick_residual(ResidualReason.ALONE, 3)[0].marked.startswith("My neighbour's parrot")


# Drawings


def test_draw_score_trend_keeps_periods_as_text(world):
    svg = draw_score_trend(world[0].score_trend, scale=1.0, key="trend")
    assert svg.startswith("<svg")
    assert ">2026-01<" in svg
    assert "xmlns" not in svg
    assert "http" not in svg
    assert svg == draw_score_trend(world[0].score_trend, scale=1.0, key="trend")


@pytest.mark.parametrize("name", ["客服电话难打通", 'it\'s "quoted" \\ back', "<script>", "${x} #{y}", "🙂 smile"])
def test_draw_intervals_keeps_names_as_text(name):
    rows = [IntervalRow(name, -3.0, -5.0, -1.0), IntervalRow(name, 2.0, 1.0, 3.0)]
    svg = draw_intervals(rows, title="分", key="k", red_below_zero=True)
    labels = re.findall(r"<text[^>]*>([^<]*)</text>", svg)
    written = name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert labels.count(written) == 2
    assert "分" in labels
    assert "<script" not in svg


def test_draw_intervals_shortens_endless_names():
    svg = draw_intervals([IntervalRow("n" * 300, 1.0, 0.5, 2.0)], title="%", key="k", red_below_zero=False)
    assert "n" * 33 + "…" in svg
    assert "n" * 40 not in svg


@pytest.mark.parametrize(("people", "base"), [((0, 0), (0, 0)), ((1, 5, 2), (10, 10, 10)), ((3,), (4,))])
def test_draw_sparkline_draws_any_trend(people, base):
    svg = draw_sparkline(Trend(tuple(str(n) for n in people), people, base, "steady", 0.0, 1.0))
    points = re.search(r'points="([^"]+)"', svg).group(1).split()
    assert len(points) == len(people)
    assert "nan" not in svg
