"""The page: one file, both languages, nobody's markup, well-formed whatever the run holds."""

import dataclasses
import re
from html.parser import HTMLParser

import pytest

from feedback_miner.domain import ScoreKind
from feedback_miner.errors import InputError
from feedback_miner.report.causes import CauseBook
from feedback_miner.report.html import render_report
from feedback_miner.report.texts import TEXTS, Both, text

VOID = {"meta", "input", "br", "link", "img", "hr"}


class Page(HTMLParser):
    """Checks that tags nest, and collects words, addresses, ids and tags."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.open, self.words, self.tags, self.ids, self.links, self.attributes = [], [], [], [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            self.attributes.append((name, value))
            if name == "id":
                self.ids.append(value)
            if name == "href":
                self.links.append(value)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self):
        return "".join(self.words)


@pytest.fixture(scope="module")
def html(world, book):
    return render_report(*world, language="zh", taxonomy=book)


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def test_render_report_names_every_theme_in_both_languages(page, world):
    for theme in world[0].themes:
        assert theme.names["zh"] in page.text
        assert theme.names["en"] in page.text


def test_render_report_needs_no_network_and_runs_no_script(html, page):
    assert not re.search(r"https?:|//[a-z]|url\((?!#)|@import", html)
    assert not {"script", "link", "img", "iframe", "object", "form"} & set(page.tags)
    assert all(link.startswith("#") for link in page.links)
    assert not [name for name, _ in page.attributes if name.startswith("on") or name == "src"]
    assert "default-src 'none'" in html


def test_render_report_links_every_theme_to_its_opinions_where_it_is_told_how(world):
    page = Page(render_report(*world, theme_link=lambda theme: f"/opinions/{theme}?a=1&b=2"))
    assert {f"/opinions/{theme.id}?a=1&b=2" for theme in world[0].themes} == {link for link in page.links if not link.startswith("#")}


def test_render_report_links_within_the_page(page):
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links} <= set(page.ids)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_render_report_opens_in_the_chosen_language(build, language):
    html = render_report(*build(people=4), language=language)
    assert f'<html lang="{"zh-Hans" if language == "zh" else "en"}">' in html
    checked = re.findall(r'id="show-(\w+)"[^>]*checked', html)
    assert checked == [language]
    assert f"<title>{text('page.title').pick(language)}</title>" in html


def test_render_report_says_everything_twice(page):
    for key in ("section.hurts", "section.loves", "section.detractors", "section.causes", "section.aside", "section.method"):
        assert TEXTS[key][0] in page.text
        assert TEXTS[key][1] in page.text


def test_render_report_is_accessible(page):
    assert page.tags.count("h1") == 1
    assert page.tags.count("table") > 8
    labelled = [value for name, value in page.attributes if name == "aria-label"]
    assert all(labelled)
    images = sum((name, value) == ("role", "img") for name, value in page.attributes)
    assert images <= len(labelled)
    assert "main" in page.tags
    assert "nav" in page.tags


def test_render_report_shows_the_score_with_its_interval(page, world):
    score = world[0].score
    assert f"{abs(score.value):.1f}" in page.text
    assert f"{abs(score.interval.low):.1f}" in page.text
    assert f"{score.people} answers" in page.text


def test_render_report_tells_what_was_set_aside(page, world):
    findings, run = world
    for issue in run.issues:
        assert str(issue.row) in page.text
        assert issue.reason in page.text
    for kind in findings.counts.redactions:
        assert kind in page.text
    assert TEXTS["residual.between"][1] in page.text
    assert "“n/a”" in page.text or "n/a" in page.text


def test_render_report_shows_all_drivers_and_owners(page, book):
    for names in [*book.drivers.values(), *book.owners.values()]:
        assert names["zh"] in page.text
        assert names["en"] in page.text


def with_hostile_words(findings, words):
    """The same findings, where every document, exemplar and name says something hostile."""
    documents = tuple(dataclasses.replace(document, text=words, language='"><b>') for document in findings.documents)
    opinions = tuple(dataclasses.replace(opinion, start=0, end=len(words), text=words) for opinion in findings.opinions)
    themes = tuple(dataclasses.replace(theme, names={"en": words}, keyphrases={"en": (words,)}) for theme in findings.themes)
    items = tuple(dataclasses.replace(item, channel=words, attributes={words: words}) for item in findings.items)
    return dataclasses.replace(findings, documents=documents, opinions=opinions, themes=themes, items=items)


@pytest.mark.parametrize(
    "words",
    [
        "<script>alert(1)</script>",
        "</style><img src=x onerror=alert(1)>",
        "' + alert(1) + '\"><svg onload=alert(1)>",
        "{{ 7 * 7 }}{% raw %}",
        "a & b < c > d \u2028 \\' \\u0027",
    ],
)
def test_render_report_escapes_everything_that_was_said(build, words):
    findings, run = build(people=40)
    html = render_report(with_hostile_words(findings, words), dataclasses.replace(run, source=words), language="en")
    page = Page(html)
    assert words in page.text
    assert not {"script", "img", "b"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert "49" not in re.findall(r"\{\{|49(?=\{%)", html)


@pytest.mark.parametrize(
    "options",
    [
        {"kind": None},
        {"kind": None, "dated": False},
        {"dated": False},
        {"people": 40, "leaves": 1},
        {"people": 12, "leaves": 0},
        {"people": 1},
        {"people": 0},
        {"kind": ScoreKind.CSAT},
        {"kind": ScoreKind.CES, "people": 60},
        {"kind": ScoreKind.STARS, "people": 60},
    ],
    ids=str,
)
@pytest.mark.parametrize("known", [True, False])
def test_render_report_is_whole_for_odd_runs(build, book, leaves, options, known):
    chosen = {**options, "leaves": leaves[: options["leaves"]]} if "leaves" in options else options
    findings, run = build(**chosen)
    page = Page(render_report(findings, run, language="en", taxonomy=book if known else CauseBook()))
    for theme in findings.themes:
        assert theme.names["en"] in page.text
    assert "None" not in re.sub("None found|None\\.", "", page.text)
    assert "nan" not in page.text.split()


def test_render_report_stays_small_with_many_themes(build, leaves):
    many = tuple((f"t{n}", f"p{n % 15}", {"zh" if n % 2 else "en": f"Theme {n:03d}"}, *leaves[n % 11][3:]) for n in range(200))
    findings, run = build(people=2000, leaves=many, samples=20)
    html = render_report(findings, run)
    assert len(html.encode()) < 3_000_000
    page = Page(html)
    for theme in many:
        assert theme[2].get("zh", theme[2].get("en")) in page.text  # a name in one language serves both


def test_render_report_cuts_endless_comments(build):
    findings, run = build(people=30)
    endless = "长" * 50_000
    documents = tuple(dataclasses.replace(document, text=document.text + endless) for document in findings.documents)
    assert len(render_report(dataclasses.replace(findings, documents=documents), run)) < 300_000


def test_render_report_refuses_a_language_it_has_not(world):
    with pytest.raises(InputError, match="choose one of: zh, en"):
        render_report(*world, language="de")


@pytest.mark.parametrize("key", sorted(TEXTS))
def test_every_text_is_there_in_both_languages(key):
    zh, en = TEXTS[key]
    assert zh.strip()
    assert en.strip()
    assert sorted(set(re.findall(r"\{\w+\}", zh)) - {"{unit}"}) == sorted(set(re.findall(r"\{\w+\}", en)) - {"{unit}"})


@pytest.mark.parametrize(
    ("count", "english"), [("1", "1 person"), ("2", "2 people"), ("21", "21 people"), ("1,001", "1,001 people"), ("0.1", "0.1 people")]
)
def test_text_counts_one_person_in_english(count, english):
    assert text("theme.count", count=count) == Both(f"{count} 人", english)


def test_render_report_marks_the_span_in_its_comment(build):
    findings, run = build(people=200)
    row = next(place for place, coding in enumerate(findings.codings) if coding.themes)
    opinion = findings.opinions[row]
    verbatim = "It is fine. The lid <fell> off at once! Bye."
    said = "The lid <fell> off at once!"
    start = verbatim.index(said)
    marked = dataclasses.replace(opinion, start=start, end=start + len(said), text=said)
    documents = [
        dataclasses.replace(document, text=verbatim) if document.id == opinion.document else document for document in findings.documents
    ]
    opinions = [marked if other.document == opinion.document else other for other in findings.opinions]
    html = render_report(dataclasses.replace(findings, documents=tuple(documents), opinions=tuple(opinions)), run)
    assert "It is fine. <mark>The lid &lt;fell&gt; off at once!</mark> Bye." in html
