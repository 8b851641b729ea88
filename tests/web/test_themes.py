"""What was found, as it is read: themes, opinions page by page, figures, reports; and that classify finds the same."""

import json
from typing import Any

import pytest
from service_stage import made_up_items


def get(stage, rest: str, **options: Any) -> Any:
    answer = stage.ask("GET", f"/v1/projects/{stage.project}{rest}", **options)
    assert answer.status_code == 200, answer.text
    return answer.json()


def walk(stage, path: str, limit: int, **params: Any) -> list[list[dict[str, Any]]]:
    """Return the pages of a list."""
    pages, cursor = [], None
    while True:
        page = stage.ask("GET", path, params={"limit": limit, **({} if cursor is None else {"cursor": cursor}), **params}).json()
        pages.append(page["items"])
        cursor = page["next"]
        if cursor is None:
            return pages


@pytest.fixture(scope="module")
def analysis(stage) -> dict[str, Any]:
    return get(stage, "/report.json")


def test_themes_are_those_of_the_analysis(stage, analysis):
    themes = get(stage, "/themes")["items"]
    assert themes
    assert {theme["id"] for theme in themes} == {theme["id"] for theme in analysis["themes"]}
    assert [theme["people"] for theme in themes] == sorted((theme["people"] for theme in themes), reverse=True)
    assert get(stage, f"/themes/{themes[0]['id']}") == themes[0]


class TestPages:
    def test_of_a_themes_opinions_hold_each_once(self, stage, analysis):
        leaf = next(theme for theme in get(stage, "/themes")["items"] if theme["parent"] is not None)
        pages = walk(stage, f"/v1/projects/{stage.project}/themes/{leaf['id']}/opinions", 3)
        found = [opinion["id"] for page in pages for opinion in page]
        expected = [coding["opinion"] for coding in analysis["codings"] if coding["themes"] and coding["themes"][0]["theme"] == leaf["id"]]
        assert sorted(found) == sorted(expected)
        assert [len(page) for page in pages[:-1]] == [3] * (len(pages) - 1)

    def test_of_a_parents_opinions_hold_its_leaves(self, stage):
        themes = get(stage, "/themes")["items"]
        parent = next(theme for theme in themes if any(other["parent"] == theme["id"] for other in themes))
        leaves = {theme["id"] for theme in themes if theme["parent"] == parent["id"]}
        opinions = [opinion for page in walk(stage, f"/v1/projects/{stage.project}/themes/{parent['id']}/opinions", 50) for opinion in page]
        assert {opinion["theme"] for opinion in opinions} == leaves

    def test_of_the_residual_hold_the_rest(self, stage, analysis):
        opinions = [opinion for page in walk(stage, f"/v1/projects/{stage.project}/residual", 7) for opinion in page]
        assert sorted(opinion["id"] for opinion in opinions) == sorted(
            coding["opinion"] for coding in analysis["codings"] if not coding["themes"]
        )
        assert all(opinion["residual"] for opinion in opinions)

    @pytest.mark.parametrize(("path", "name"), [("/v1/projects", "id"), ("/v1/keys", "id"), ("/v1/audit", "id")])
    def test_of_other_lists_hold_each_once(self, stage, path, name):
        for number in range(3):
            stage.new_project(f"page {number}")
            stage.key("read")
        whole = [row[name] for page in walk(stage, path, 500) for row in page]
        parts = [row[name] for page in walk(stage, path, 2) for row in page]
        assert parts == whole
        assert len(set(parts)) == len(parts) > 3

    def test_of_batches_hold_each_once(self, stage):
        project = stage.new_project()
        with stage.client() as client:
            for seed in range(3):
                client.upload(project, made_up_items(2, seed=seed))
        pages = walk(stage, f"/v1/projects/{project}/batches", 1)
        assert [[batch["number"] for batch in page] for page in pages] == [[1], [2], [3]]


class TestOpinions:
    def test_are_quoted_from_their_documents(self, stage):
        for opinion in get(stage, "/residual", params={"limit": 100})["items"]:
            start, end = opinion["span"]
            assert opinion["document"][start:end] == opinion["text"]

    @pytest.mark.parametrize("polarity", ["negative", "neutral", "positive"])
    def test_can_be_asked_for_by_sentiment(self, stage, polarity):
        everything = [opinion for page in walk(stage, f"/v1/projects/{stage.project}/residual", 500) for opinion in page]
        found = get(stage, "/residual", params={"sentiment": polarity, "limit": 500})["items"]
        assert found == [opinion for opinion in everything if opinion["sentiment"]["label"] == polarity]

    def test_can_be_asked_for_by_words(self, stage):
        theme = get(stage, "/themes")["items"][0]["id"]
        everything = get(stage, f"/themes/{theme}/opinions", params={"limit": 500})["items"]
        found = get(stage, f"/themes/{theme}/opinions", params={"words": "A WEEK", "limit": 500})["items"]
        assert found == [opinion for opinion in everything if "a week" in opinion["document"].casefold()]
        assert get(stage, f"/themes/{theme}/opinions", params={"words": "%"})["items"] == []


def test_figures_are_those_of_the_analysis(stage, analysis):
    assert get(stage, "/scores") == {name: analysis[name] for name in ("score", "score_trend", "counts", "versions")}
    causes = get(stage, "/causes")
    assert causes["causes"] == analysis["cause_measures"]
    assert causes["strengths"] == analysis["strength_measures"]
    moved = {theme["id"] for theme in get(stage, "/themes")["items"] if theme["trend"]}
    assert {row["subject"] for row in get(stage, "/trends")["items"] if row["kind"] == "theme"} == moved


def test_figures_of_a_project_without_any_are_not_there_yet(stage):
    project = stage.new_project("fresh")
    for rest in ("themes", "residual", "scores", "causes", "trends", "report.html"):
        answer = stage.ask("GET", f"/v1/projects/{project}/{rest}")
        assert answer.status_code == 404
        assert "no analysis yet" in answer.json()["detail"]
    answer = stage.ask("POST", "/v1/classify", json={"texts": ["late"], "project": project})
    assert answer.status_code == 404
    assert "no themes yet" in answer.json()["detail"]


class TestReports:
    @pytest.mark.parametrize(
        ("kind", "media", "begins"),
        [
            ("html", "text/html; charset=utf-8", b"<!doctype html"),
            ("json", "application/json", b"{"),
            ("csv", "text/csv; charset=utf-8", b""),
        ],
    )
    def test_come_in_three_kinds(self, stage, kind, media, begins):
        answer = stage.ask("GET", f"/v1/projects/{stage.project}/report.{kind}")
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == media
        assert answer.content.lower().lstrip().startswith(begins)

    def test_as_a_table_hold_each_opinion(self, stage, analysis):
        with stage.client() as client:
            lines = client.report(stage.project, "csv").decode("utf-8-sig").splitlines()
        assert len(lines) == 1 + len(analysis["opinions"])

    def test_speak_either_language(self, stage):
        with stage.client() as client:
            assert 'lang="zh' in client.report(stage.project, language="zh").decode()
            assert 'lang="en' in client.report(stage.project, language="en").decode()


def test_classify_finds_what_the_batch_found(stage, analysis):
    """The raw texts once more: the same opinions, with the same themes, causes, sentiment and type."""
    texts = sorted({item["text"] for item in made_up_items(300)})
    with stage.client() as client:
        answers = client.classify(texts, project=stage.project)
    documents = {document["id"]: document["text"] for document in analysis["documents"]}
    codings = {coding["opinion"]: coding for coding in analysis["codings"]}
    in_batch: dict[str, list[Any]] = {}
    for opinion in analysis["opinions"]:
        coding = codings[opinion["id"]]
        seen = in_batch.setdefault(documents[opinion["document"]], [])
        reading = [
            [opinion["start"], opinion["end"]],
            [theme["theme"] for theme in coding["themes"]],
            coding["residual"],
            [cause["cause"] for cause in coding["causes"]],
            [round(coding["sentiment"][name], 6) for name in ("negative", "neutral", "positive")],
            coding["type"],
        ]
        if reading not in seen:
            seen.append(reading)
    assert len(in_batch) > 50
    compared = 0
    for text, answer in zip(texts, answers, strict=True):
        found = [
            [
                opinion["span"],
                [theme["id"] for theme in opinion["themes"]],
                opinion["residual"],
                [cause["id"] for cause in opinion["causes"]],
                [opinion["sentiment"][name] for name in ("negative", "neutral", "positive")],
                opinion["type"],
            ]
            for opinion in answer["opinions"]
        ]
        assert json.dumps(found) == json.dumps(in_batch.get(text, [])), text
        compared += len(found)
    assert compared > 100
