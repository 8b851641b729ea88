"""analysis.json: canonical bytes, nothing lost on the way back, and every field documented."""

import dataclasses
import json
import re
import types
import typing
from pathlib import Path

import numpy as np
import pytest

from feedback_miner.domain import Findings, Interval, Run
from feedback_miner.errors import OutputError, ThemeSetError
from feedback_miner.report.json import ANALYSIS_SCHEMA, findings_from_json, findings_to_json

DOCS = Path(__file__).parents[2] / "docs" / "analysis-schema.md"


def rounded(value):
    """The same value with every float at six decimals: what JSON can hold."""
    if isinstance(value, float):
        return round(value, 6) + 0.0
    if dataclasses.is_dataclass(value):
        return dataclasses.replace(value, **{entry.name: rounded(getattr(value, entry.name)) for entry in dataclasses.fields(value)})
    if isinstance(value, tuple):
        return tuple(rounded(entry) for entry in value)
    if isinstance(value, dict):
        return {key: rounded(entry) for key, entry in value.items()}
    return value


def test_findings_to_json_loses_nothing(world):
    findings, run = rounded(world[0]), rounded(world[1])
    assert findings_from_json(findings_to_json(findings, run)) == (findings, run)


@pytest.mark.parametrize("options", [{"kind": None}, {"dated": False}, {"people": 1}, {"people": 0}, {"leaves": (), "people": 8}])
def test_findings_to_json_loses_nothing_of_odd_runs(build, options):
    findings, run = (rounded(part) for part in build(**options))
    assert findings_from_json(findings_to_json(findings, run)) == (findings, run)


def test_findings_to_json_gives_the_same_bytes_again(world):
    content = findings_to_json(*world)
    assert findings_to_json(*findings_from_json(content)) == content
    shuffled = dataclasses.replace(
        world[0],
        config=dict(reversed(world[0].config.items())),
        themes=tuple(dataclasses.replace(theme, names=dict(reversed(theme.names.items()))) for theme in world[0].themes),
    )
    assert findings_to_json(shuffled, world[1]) == content


def test_findings_to_json_merges_themes_with_their_measures(world):
    findings, _ = world
    document = json.loads(findings_to_json(*world))
    assert "theme_measures" not in document
    assert [theme["id"] for theme in document["themes"]] == [found.subject for found in findings.theme_measures]
    first = document["themes"][0]
    assert {"id", "parent", "names", "people", "share", "interval", "polarity", "exemplars"} <= first.keys()
    assert "subject" not in first
    assert first["people"] == findings.theme_measures[0].people
    assert document["schema"] == ANALYSIS_SCHEMA
    assert document["run"]["source"] == world[1].source


def test_findings_to_json_tells_sentiment_in_words_too(world):
    document = json.loads(findings_to_json(*world))
    sentiment = document["codings"][0]["sentiment"]
    assert sentiment["label"] == world[0].codings[0].sentiment.label.value
    assert sentiment["score"] == pytest.approx(world[0].codings[0].sentiment.score, abs=1e-6)


def test_findings_to_json_is_readable_line_by_line(world):
    content = findings_to_json(*world).decode("utf-8")
    assert "客服" in content  # as text, not as \\u escapes
    lines = content.splitlines()
    assert len(lines) > len(world[0].items) + len(world[0].opinions)
    assert json.loads(next(line for line in lines if '"status":"themed"' in line).rstrip(","))


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_findings_to_json_refuses_numbers_that_are_none(world, number):
    findings, run = world
    broken = dataclasses.replace(findings.theme_measures[0], interval=Interval(0.0, number))
    with pytest.raises(OutputError, match="not finite"):
        findings_to_json(dataclasses.replace(findings, theme_measures=(broken, *findings.theme_measures[1:])), run)


def test_findings_to_json_refuses_a_theme_without_measure(world):
    findings, run = world
    with pytest.raises(OutputError, match="every theme needs one measure"):
        findings_to_json(dataclasses.replace(findings, theme_measures=findings.theme_measures[1:]), run)


@pytest.mark.parametrize(("number", "written"), [(np.float32(0.1), 0.1), (np.int64(3), 3), (-0.0, 0.0), (1 / 3, 0.333333)])
def test_findings_to_json_writes_any_number_as_a_plain_one(world, number, written):
    findings, run = world
    document = json.loads(findings_to_json(dataclasses.replace(findings, config={"number": number}), run))
    assert repr(document["config"]["number"]) == repr(written)


def test_findings_to_json_refuses_what_json_does_not_have(world):
    findings, run = world
    with pytest.raises(OutputError, match="type set"):
        findings_to_json(dataclasses.replace(findings, config={"odd": {1, 2}}), run)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"[]", "does not fit this version"),
        (b'{"schema": "feedback-miner/analysis/9"}', "does not fit this version"),
        (b'{"schema": "feedback-miner/analysis/1"}', "'themes' must be a list"),
        (b'{"schema": "feedback-miner/analysis/1", "themes": [3]}', "'themes' must be a list"),
        (b'{"schema": "feedback-miner/analysis/1", "themes": []}', "damaged at version"),
    ],
)
def test_findings_from_json_names_what_is_wrong(content, message):
    with pytest.raises(ThemeSetError, match=message):
        findings_from_json(content)


def test_findings_from_json_never_quotes_the_content(world):
    content = findings_to_json(*world).replace(b'"created_at":"2026', b'"created_at":"SECRET WORDS 2026', 1)
    with pytest.raises(ThemeSetError) as caught:
        findings_from_json(content)
    assert "items" in str(caught.value)
    assert "SECRET" not in str(caught.value)
    assert caught.value.__suppress_context__


def nouns(noun, found):
    """Every dataclass that a noun is made of."""
    if noun in found:
        return found
    found[noun] = [entry.name for entry in dataclasses.fields(noun)]
    for hint in typing.get_type_hints(noun).values():
        waiting = [hint]
        while waiting:
            part = waiting.pop()
            if dataclasses.is_dataclass(part) and isinstance(part, type):
                nouns(part, found)
            elif typing.get_origin(part) is not None or isinstance(part, types.UnionType):
                waiting.extend(typing.get_args(part))
    return found


def documented():
    sections = {}
    for section in re.split(r"^## ", DOCS.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        title, _, body = section.partition("\n")
        sections[title.strip()] = re.findall(r"^- `(\w+)`:", body, flags=re.MULTILINE)
    return sections


def test_every_field_is_documented_and_no_other():
    expected = {noun.__name__: fields for noun, fields in (nouns(Findings, {}) | nouns(Run, {})).items()}
    expected["Findings"].append("run")
    expected["Sentiment"] += ["score", "label"]
    found = documented()
    assert found.keys() == expected.keys()
    for noun, fields in expected.items():
        assert sorted(found[noun]) == sorted(fields), noun


def test_every_key_of_the_file_is_documented(world):
    document = json.loads(findings_to_json(*world))
    assert sorted(document) == sorted(set(documented()["Findings"]) - {"theme_measures"})
    merged = set(documented()["Theme"]) | set(documented()["Measure"]) - {"subject"}
    assert set(document["themes"][0]) == merged
