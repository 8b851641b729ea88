"""Opinions as they are asked for, by every filter, by meaning, and in a browser; and what a theme might be split into."""

import re
import threading
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest
from service_stage import made_up_items

from feedback_miner.web import meaning as meaning_module
from feedback_miner.web import splits
from feedback_miner.web.opinions import prefers_html

CSV_ROWS = 120
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


def shown(value: Any) -> str:
    """Name a parameter: a function's own name has its address in it."""
    return "keeps" if callable(value) else str(value)


@pytest.fixture(scope="module")
def filed(stage) -> str:
    """A project from a file with channels and attributes; its comments are those of the mined project."""
    project = stage.new_project("filed")
    lines = ["comment,nps,date,customer,via,region"]
    for number, item in enumerate(made_up_items(CSV_ROWS, seed=3)):
        via, region = ("web", "shop")[number % 2], ("north", "south", "it's: odd")[number % 3]
        lines.append(f'"{item["text"]}",{item["score"]},{item["created_at"]},{item["customer"]},{via},"{region}"')
    path = stage.service.settings.data / "filed.csv"
    path.write_text("\n".join(lines))
    with stage.client() as client:
        client.upload(
            project,
            path,
            texts=["comment"],
            score="nps",
            score_kind="nps",
            date="date",
            customer="customer",
            channel="via",
            attributes=["region"],
        )
    stage.engine.work()
    return project


def every(stage, project: str, rest: str = "opinions", **params: Any) -> list[dict[str, Any]]:
    found, cursor = [], None
    while True:
        asked = {"limit": 500, **({} if cursor is None else {"cursor": cursor}), **params}
        answer = stage.ask("GET", f"/v1/projects/{project}/{rest}", params=asked)
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        cursor = answer.json()["next"]
        if cursor is None:
            return found


def largest_leaf(stage, project: str) -> str:
    themes = stage.ask("GET", f"/v1/projects/{project}/themes").json()["items"]
    return next(theme["id"] for theme in themes if theme["parent"] is not None)


@pytest.fixture(scope="module")
def whole(stage, filed) -> list[dict[str, Any]]:
    return every(stage, filed)


class TestFilters:
    def test_all_opinions_are_those_of_all_themes_and_the_residual(self, stage, filed, whole):
        leaves = [theme["id"] for theme in stage.ask("GET", f"/v1/projects/{filed}/themes").json()["items"] if theme["parent"]]
        parts = [opinion for leaf in leaves for opinion in every(stage, filed, f"themes/{leaf}/opinions")] + every(stage, filed, "residual")
        assert sorted(opinion["id"] for opinion in parts) == sorted(opinion["id"] for opinion in whole)

    @pytest.mark.parametrize(
        ("asked", "holds"),
        [
            ({"from": "2026-03-01", "to": "2026-05-01"}, lambda one: "2026-03" <= one["created_at"][:7] < "2026-05"),
            ({"from": "2026-06-15"}, lambda one: one["created_at"][:10] >= "2026-06-15"),
            ({"to": "2026-06-15"}, lambda one: one["created_at"][:10] < "2026-06-15"),
            ({"score_group": "detractor"}, lambda one: one["score"] <= 6),
            ({"score_group": "passive"}, lambda one: one["score"] in (7, 8)),
            ({"score_group": "promoter"}, lambda one: one["score"] >= 9),
            ({"sentiment": "negative"}, lambda one: one["sentiment"]["label"] == "negative"),
            ({"type": "complaint"}, lambda one: one["type"] == "complaint"),
            ({"channel": "shop"}, lambda one: one["channel"] == "shop"),
            ({"language": "en"}, lambda one: one["language"] == "en"),
            ({"attribute": "region:north"}, lambda one: one["attributes"]["region"] == "north"),
            ({"attribute": "region:it's: odd"}, lambda one: one["attributes"]["region"] == "it's: odd"),
            ({"attribute": ["region:north", "region:south"]}, lambda one: False),
            ({"words": "A WEEK"}, lambda one: "a week" in one["document"].casefold()),
            ({"words": "late", "score_group": "promoter", "channel": "web"}, lambda one: "late" in one["document"] and one["score"] >= 9 and one["channel"] == "web"),
            ({"cause": "unmapped"}, lambda one: one["sentiment"]["label"] == "negative" and not one["causes"]),
        ],
        ids=shown,
    )  # fmt: skip
    def test_leave_what_they_ask_for(self, stage, filed, whole, asked, holds):
        assert every(stage, filed, **asked) == [opinion for opinion in whole if holds(opinion)]

    def test_find_a_cause_and_all_causes_of_its_driver(self, stage, filed, whole):
        cause = next(cause["cause"] for opinion in whole for cause in opinion["causes"])
        found = every(stage, filed, cause=cause)
        assert found == [opinion for opinion in whole if cause in [read["cause"] for read in opinion["causes"]]]
        listed = stage.ask("GET", f"/v1/projects/{filed}/opinions", params={"cause": "no-such"})
        drivers = re.search(r"one of the drivers (.*)", listed.json()["detail"])[1].split(", ")
        by_driver = {opinion["id"] for driver in drivers for opinion in every(stage, filed, cause=driver)}
        assert by_driver == {opinion["id"] for opinion in whole if opinion["causes"]}

    def test_find_the_residual_by_reason(self, stage, filed):
        residual = every(stage, filed, "residual")
        reasons = {opinion["residual"] for opinion in residual}
        for reason in reasons | {"moved_out"}:
            assert every(stage, filed, "residual", reason=reason) == [one for one in residual if one["residual"] == reason]

    @pytest.mark.parametrize(
        ("asked", "says"),
        [
            ({"from": "2026-02-30"}, "query.from"),
            ({"from": "yesterday"}, "query.from"),
            ({"from": "2026-03-01", "to": "2026-03-01"}, "earlier than 'to'"),
            ({"score_group": "satisfied"}, "nps scores have no group 'satisfied'; choose among detractor, passive, promoter"),
            ({"score_group": "happy"}, "query.score_group"),
            ({"cause": "no-such"}, "there is no cause 'no-such'"),
            ({"attribute": "region"}, "query.attribute"),
            ({"type": "rant"}, "query.type"),
            ({"meaning": "..."}, "the phrase says nothing"),
        ],
        ids=shown,
    )
    def test_that_cannot_be_are_refused(self, stage, filed, asked, says):
        answer = stage.ask("GET", f"/v1/projects/{filed}/opinions", params=asked)
        assert answer.status_code == 422, answer.text
        assert says in answer.json()["detail"]

    def test_by_score_group_need_a_score(self, stage):
        project = stage.new_project("without scores")
        with stage.client() as client:
            client.upload(project, [{"text": item["text"]} for item in made_up_items(60, seed=5)])
        stage.engine.work()
        answer = stage.ask("GET", f"/v1/projects/{project}/opinions", params={"score_group": "promoter"})
        assert answer.status_code == 422
        assert "have no score" in answer.json()["detail"]


class TestMeaning:
    def test_puts_what_means_the_same_first(self, stage, filed, whole):
        said = next(opinion for opinion in whole if "rude" in opinion["text"])
        found = every(stage, filed, meaning=said["text"])
        assert sorted(opinion["id"] for opinion in found) == sorted(opinion["id"] for opinion in whole)
        assert found[0]["text"].casefold() == said["text"].casefold()
        assert found[0]["similarity"] == pytest.approx(1.0, abs=1e-3)
        similarities = [opinion["similarity"] for opinion in found]
        assert similarities == sorted(similarities, reverse=True)

    def test_comes_in_pages_that_hold_each_once(self, stage, filed, monkeypatch):
        one_page = [opinion["id"] for opinion in every(stage, filed, meaning="the parcel was late")]
        pages = [opinion["id"] for opinion in every(stage, filed, meaning="the parcel was late", limit=7)]
        assert pages == one_page
        assert len(set(pages)) == len(pages) > 100

    def test_combines_with_the_other_filters(self, stage, filed):
        both = every(stage, filed, meaning="the parcel was late", channel="web", score_group="detractor")
        assert sorted(one["id"] for one in both) == sorted(one["id"] for one in every(stage, filed, channel="web", score_group="detractor"))

    def test_of_a_theme_stays_in_the_theme(self, stage, filed):
        leaf = largest_leaf(stage, filed)
        found = every(stage, filed, f"themes/{leaf}/opinions", meaning="late")
        assert {opinion["theme"] for opinion in found} == {leaf}

    def test_does_not_depend_on_the_parts_that_vectors_come_in(self, stage, filed, monkeypatch):
        before = every(stage, filed, meaning="late again")
        monkeypatch.setattr("feedback_miner.store.opinions._VECTORS", 3)
        assert every(stage, filed, meaning="late again") == before
        monkeypatch.setattr("feedback_miner.store.opinions._FEW", 0)
        assert every(stage, filed, meaning="late again") == before

    def test_is_asked_of_the_model_only_as_long_as_one_text_takes(self, stage, filed, monkeypatch):
        held = []

        def compare(*args: Any) -> Any:
            desk = stage.service.desk
            everybody = threading.Barrier(desk._at_once + 1)  # is broken where one of the readers is not free
            for _ in range(desk._at_once):
                desk._readers.submit(everybody.wait, 60)
            everybody.wait(60)
            held.append(everybody.broken)
            return kept(*args)

        kept = meaning_module.compare
        monkeypatch.setattr(meaning_module, "compare", compare)
        every(stage, filed, meaning="late again")
        assert set(held) == {False}


class TestInABrowser:
    @pytest.mark.parametrize(
        ("accept", "html"),
        [
            (BROWSER, True), ("text/html", True), ("text/html;q=0.9, application/json;q=0.5", True),
            ("*/*", False), ("", False), ("application/json", False), ("text/html;q=0.4, application/json", False), ("text/html;q=x", False),
        ],
    )  # fmt: skip
    def test_a_page_is_answered_where_it_is_preferred(self, accept, html):
        assert prefers_html(accept) is html

    def test_the_report_leads_to_each_themes_opinions(self, stage, filed):
        report = stage.ask("GET", f"/v1/projects/{filed}/report.html").text
        links = set(re.findall(r'href="(/v1/[^"]+)"', report))
        themes = stage.ask("GET", f"/v1/projects/{filed}/themes").json()["items"]
        assert links == {f"/v1/projects/{filed}/themes/{theme['id']}/opinions" for theme in themes}
        for link in links:
            answer = stage.ask("GET", link, headers={"Accept": BROWSER})
            assert answer.status_code == 200
            assert answer.headers["Content-Type"] == "text/html; charset=utf-8"

    def test_the_page_needs_nothing_that_its_policy_forbids(self, stage, filed):
        answer = stage.ask("GET", f"/v1/projects/{filed}/residual", headers={"Accept": BROWSER})
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert not re.findall(r"<(?:script|link|img|form|iframe)\b|\son\w+=|https?://", answer.text)
        assert "Accept" in answer.headers["Vary"]

    def test_its_links_keep_the_filters_and_lead_through_all_pages(self, stage, filed):
        path = f"/v1/projects/{filed}/opinions"
        wanted = every(stage, filed, words="late", attribute=["region:north"])
        seen, link = 0, "?words=late&attribute=region%3Anorth&limit=5"
        while link:
            page = stage.ask("GET", path + link, headers={"Accept": BROWSER}).text
            seen += page.count("<blockquote")
            following = re.search(r'<a href="(\?[^"]+)" rel="next">', page)
            link = following and following[1].replace("&amp;", "&")
        assert seen == len(wanted) > 5
        negative = next(found.replace("&amp;", "&") for found in re.findall(r'href="(\?[^"]+)"', page) if "sentiment=negative" in found)
        narrowed = stage.ask("GET", path + negative, headers={"Accept": BROWSER}).text
        kept = every(stage, filed, words="late", attribute=["region:north"], sentiment="negative")
        assert narrowed.count("<blockquote") == min(5, len(kept))
        assert 'aria-current="true"' in narrowed

    def test_the_page_opens_in_the_browsers_language(self, stage, filed):
        path = f"/v1/projects/{filed}/residual"
        for language, shown in (("zh-CN,zh;q=0.9", "zh-Hans"), ("de", "en")):
            page = stage.ask("GET", path, headers={"Accept": BROWSER, "Accept-Language": language}).text
            assert f'<html lang="{shown}">' in page

    def test_reading_the_page_is_audited(self, stage, filed):
        leaf = largest_leaf(stage, filed)
        stage.ask("GET", f"/v1/projects/{filed}/themes/{leaf}/opinions", headers={"Accept": BROWSER})
        rows = every(stage, filed, "../../audit")
        assert (rows[-1]["action"], rows[-1]["subject"]) == ("read opinions", leaf)


def telling_word(opinions: Iterable[dict[str, Any]]) -> str:
    """The word that comes nearest to being said by half of them. Which themes are found differs between processors."""
    texts = [opinion["text"].lower() for opinion in opinions]
    words = {word for text in texts for word in re.findall(r"[a-z]+", text)}
    return min(sorted(words), key=lambda word: abs(2 * sum(word in text for text in texts) - len(texts)))


class TestSplitPreview:
    def ask(self, stage, project: str, **asked: Any) -> Any:
        leaf = largest_leaf(stage, project)
        return stage.ask("POST", f"/v1/projects/{project}/themes/{leaf}/split-preview", json=asked)

    @pytest.mark.parametrize(
        "asked",
        [
            {"by": "clusters", "parts": 2},
            {"by": "clusters", "parts": 3},
            {"by": "query", "words": "half of them say it"},
            {"by": "query", "meaning": "a month"},
        ],
        ids=shown,
    )
    def test_proposes_parts_that_hold_all_opinions(self, stage, filed, asked):
        leaf = largest_leaf(stage, filed)
        mine = {opinion["id"]: opinion for opinion in every(stage, filed, f"themes/{leaf}/opinions")}
        if "words" in asked:
            asked = {**asked, "words": telling_word(mine.values()).upper()}
        answer = self.ask(stage, filed, **asked)
        assert answer.status_code == 200, answer.text
        preview = answer.json()
        assert (preview["opinions"], preview["compared"]) == (len(mine), len(mine))
        assert len(preview["parts"]) == asked.get("parts", 2)
        assert sum(part["opinions"] for part in preview["parts"]) == len(mine)
        examples = [id_ for part in preview["parts"] for id_ in part["examples"]]
        assert len(set(examples)) == len(examples)
        assert [mine[id_]["text"] for id_ in examples] == [text for part in preview["parts"] for text in part["texts"]]
        assert self.ask(stage, filed, **asked).json() == preview

    def test_by_words_parts_those_that_say_them_from_the_rest(self, stage, filed):
        word = telling_word(every(stage, filed, f"themes/{largest_leaf(stage, filed)}/opinions"))
        first, second = self.ask(stage, filed, by="query", words=word).json()["parts"]
        assert all(word in text.lower() for text in first["texts"])
        assert not any(word in text.lower() for text in second["texts"])

    def test_of_a_large_theme_looks_at_some(self, stage, filed, monkeypatch):
        monkeypatch.setattr(splits, "_MOST", 10)
        preview = self.ask(stage, filed, by="clusters").json()
        assert preview["compared"] == 10 < preview["opinions"]

    def test_is_what_the_split_then_does(self, stage, filed):
        project = filed
        leaf = largest_leaf(stage, project)
        before = every(stage, project, f"themes/{leaf}/opinions")
        preview = self.ask(stage, project, by="clusters", parts=2).json()
        with stage.client() as client:
            made = client.edit(project, "split", theme=leaf, examples=[part["examples"] for part in preview["parts"]])
            stage.engine.work()
            ids = {opinion["id"] for opinion in before}
            after = {opinion["id"]: opinion["theme"] for opinion in every(stage, project) if opinion["id"] in ids}
            client.undo(project, made["number"])
            stage.engine.work()
        sizes = Counter(after.values())
        homes = [{after[id_] for id_ in part["examples"]} for part in preview["parts"]]
        assert all(len(home) == 1 for home in homes)  # every example where it was put
        assert [sizes[home] for (home,) in homes] == [part["opinions"] for part in preview["parts"]]
        assert len(sizes) == 2
        assert leaf not in sizes
        assert every(stage, project, f"themes/{leaf}/opinions") == before

    @pytest.mark.parametrize(
        ("asked", "says"),
        [
            ({"by": "clusters", "parts": 7}, "parts"),
            ({"by": "query"}, "either words or meaning"),
            ({"by": "query", "words": "a", "meaning": "b"}, "either words or meaning"),
            ({"by": "query", "words": "zebrafinch"}, "none of the theme's opinions"),
            ({"by": "query", "words": "e"}, "every one of the theme's opinions"),
            ({"by": "chance"}, "by"),
        ],
        ids=shown,
    )
    def test_that_cannot_be_is_refused(self, stage, filed, asked, says):
        answer = self.ask(stage, filed, **asked)
        assert answer.status_code == 422, answer.text
        assert says in answer.json()["detail"]

    def test_is_for_a_single_theme(self, stage, filed):
        themes = stage.ask("GET", f"/v1/projects/{filed}/themes").json()["items"]
        parent = next(theme["id"] for theme in themes if theme["parent"] is None)
        answer = stage.ask("POST", f"/v1/projects/{filed}/themes/{parent}/split-preview", json={"by": "clusters"})
        assert answer.status_code == 422
        assert "is a parent" in answer.json()["detail"]
