"""A project mined anew: what it finds is what a first mine of all its waves finds, under the ids that its themes had."""

import random
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from front_desk import Desk, Row, comments

from feedback_miner.jobs.claim import JobCancelled
from feedback_miner.jobs.living import replay_log
from feedback_miner.store import findings, projects
from feedback_miner.store.tables import LineageRow, OpinionRow

WRONG = ["The invoice was wrong {}", "I was charged twice {}", "They billed me for something else {}"]
WHEN = ["again", "twice", "yesterday", "on Monday", "this month", "last week", "in May", "this time", "once more", "for the third time"]


def invoices(count: int) -> list[Row]:
    """Responses on a theme that ``comments`` has not, and on a brand that it does not name."""
    draw = random.Random(5)
    said = [draw.choice(WRONG).format(draw.choice(WHEN)) for _ in range(count)]
    return [(f"{text}, dear Quozzle ({number})", "2", f"customer-{number % 40}", "2026-10-01") for number, text in enumerate(said)]


def remine(desk: Desk, project: str) -> str:
    with desk.database.transaction() as session:
        job = projects.add_job(session, project, None, remine=True).id
    desk.run(job)
    return job


def edit(desk: Desk, project: str, kind: str, values: Mapping[str, Any]) -> int:
    row, job = desk.edit(project, kind, values)
    desk.run(job)
    return row.number


def lineage(desk: Desk, project: str) -> list[LineageRow]:
    with desk.database.reading() as session:
        return list(findings.list_lineage(session, project, limit=1_000))


def members(analysis: Mapping[str, Any]) -> dict[str, set[str]]:
    """The opinions of each leaf."""
    found: dict[str, set[str]] = {theme["id"]: set() for theme in analysis["themes"] if theme["parent"]}
    for coding in analysis["codings"]:
        for theme in coding["themes"]:
            found[theme["theme"]].add(coding["opinion"])
    return found


def without_ids(analysis: Mapping[str, Any]) -> dict[str, Any]:
    """What an analysis says, with each leaf called by its opinions."""
    leaves = {leaf: min(opinions, default="none") for leaf, opinions in members(analysis).items()}
    return {
        "codings": [
            {**coding, "themes": [leaves[theme["theme"]] for theme in coding["themes"]], "nearest": len(coding["nearest"])}
            for coding in analysis["codings"]
        ],
        "documents": [{**document, "theme": leaves.get(document["theme"])} for document in analysis["documents"]],
        "people": Counter((leaves.get(theme["id"], "parent"), theme["people"]) for theme in analysis["themes"]),
        **{name: analysis[name] for name in ("items", "opinions", "counts", "score")},
    }


@pytest.fixture
def project(desk: Desk) -> str:
    """Two waves; the second has a theme and a name of its own."""
    project = desk.add_project()
    desk.mine(project, comments(120))
    desk.mine(project, invoices(60))
    return project


def test_a_first_mine_tells_of_births_alone(desk: Desk) -> None:
    project = desk.add_project()
    desk.mine(project, comments(120))
    sizes = {theme: len(opinions) for theme, opinions in members(desk.analysis(project)).items()}
    assert {(event.kind, event.new, event.new_opinions) for event in lineage(desk, project)} == {
        ("born", theme, size) for theme, size in sizes.items()
    }


def test_mining_the_same_anew_changes_nothing(desk: Desk) -> None:
    project = desk.add_project()
    desk.mine(project, comments(120))
    before, told = desk.analysis(project), len(lineage(desk, project))
    remine(desk, project)
    assert desk.analysis(project) == before
    assert len(lineage(desk, project)) == told


def test_mined_anew_is_what_a_first_mine_of_all_waves_finds(desk: Desk, project: str) -> None:
    at_once = desk.add_project()
    desk.mine(at_once, [*comments(120), *invoices(60)])
    with desk.database.reading() as session:
        assert projects.get_project(session, project).masks == []
    remine(desk, project)
    assert without_ids(desk.analysis(project)) == without_ids(desk.analysis(at_once))
    with desk.database.reading() as session:
        assert projects.get_project(session, project).masks == projects.get_project(session, at_once).masks == ["quozzle"]
        assert session.query(OpinionRow).where(OpinionRow.text_key.is_(None)).count() == 0


def test_themes_found_again_keep_their_ids_and_lineage_proves_it(desk: Desk, project: str) -> None:
    before, told = members(desk.analysis(project)), len(lineage(desk, project))
    remine(desk, project)
    after = members(desk.analysis(project))
    alike = {
        (old, new)
        for old, first in before.items()
        for new, second in after.items()
        if first and second and 2 * len(first & second) >= len(first | second)
    }
    assert alike
    assert all(old == new for old, new in alike)
    events = lineage(desk, project)[told:]
    continued = {event.old: event for event in events if event.kind == "continued"}
    assert continued.keys() == {old for old, _ in alike}
    for theme, event in continued.items():
        assert (event.shared, event.old_opinions, event.new_opinions) == (
            len(before[theme] & after[theme]),
            len(before[theme]),
            len(after[theme]),
        )
    assert {event.new for event in events if event.new} == after.keys()


def test_edits_hold_after_the_next_wave_and_after_mining_anew(desk: Desk) -> None:
    project = desk.add_project()
    desk.mine(project, comments(120))
    sizes = sorted(members(desk.analysis(project)).items(), key=lambda leaf: -len(leaf[1]))
    (first, _), (second, moved), (third, _) = sizes[0], sizes[1], sizes[2]
    edit(desk, project, "rename", {"theme": first, "names": {"en": "slow parcels"}})
    edit(desk, project, "merge", {"themes": [third], "into": first})
    edit(desk, project, "move", {"opinion": min(moved), "theme": first})
    edit(desk, project, "correct", {"opinion": max(moved), "sentiment": "positive"})
    edit(desk, project, "hide", {"theme": second, "hidden": True})
    for wave in (lambda: desk.mine(project, invoices(60)), lambda: remine(desk, project)):
        wave()
        analysis = desk.analysis(project)
        names = {theme["id"]: theme["names"]["en"] for theme in analysis["themes"]}
        codings = {coding["opinion"]: coding for coding in analysis["codings"]}
        assert names[first] == "slow parcels"
        assert third not in names
        assert codings[min(moved)]["themes"] == [{"theme": first, "strength": 1.0}]
        assert codings[max(moved)]["sentiment"]["label"] == "positive"
        with desk.database.reading() as session:
            done = replay_log(desk.shop, session, project)
        assert done.conflicts == ()
        assert done.notes[second].hidden


def test_a_crash_after_the_themes_were_kept_keeps_them_once(desk: Desk, project: str) -> None:
    with desk.database.transaction() as session:
        job = projects.add_job(session, project, None, remine=True).id
    desk.step("ingest", job)
    desk.step("themes", job)
    told = len(lineage(desk, project))
    desk.step("themes", job)
    assert len(lineage(desk, project)) == told


def test_cancelled_on_the_way_it_leaves_everything_as_it_was(desk: Desk, project: str) -> None:
    before = desk.analysis(project)
    with desk.database.transaction() as session:
        job = projects.add_job(session, project, None, remine=True).id
    desk.step("ingest", job)
    with desk.database.transaction() as session:
        projects.request_cancel(session, job)
    with pytest.raises(JobCancelled):
        desk.step("themes", job)
    with desk.database.transaction() as session:
        projects.end_job(session, job, "cancelled")
        after = projects.add_job(session, project, None).id
    desk.run(after)
    assert desk.analysis(project) == before


def test_models_that_are_gone_leave_the_last_codings_to_compare_with(desk: Desk, project: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new version of the models cannot code with the old theme set; its themes keep their ids all the same."""
    before = members(desk.analysis(project))
    models = desk.shop.models("tiny")
    monkeypatch.setattr(type(models.embedder), "version", "tiny-of-tomorrow")
    monkeypatch.setattr(type(models.heads), "encoder_version", "tiny-of-tomorrow")
    with pytest.raises(Exception, match="mine again"):
        desk.mine(project, comments(20, seed=8))
    remine(desk, project)
    after = members(desk.analysis(project))
    assert sum(theme in after for theme in before) >= len(before) / 2


def ask_more_of_themes(desk: Desk, project: str) -> None:
    """From now on a theme needs so many opinions that small ones are not found again."""
    with desk.database.transaction() as session:
        row = projects.get_project(session, project)
        row.config = {**row.config, "min_theme_opinions": 45}


def test_themes_that_analysts_worked_on_are_kept_until_they_take_that_back(desk: Desk, project: str) -> None:
    twin = desk.add_project()
    desk.mine(twin, comments(120))
    desk.mine(twin, invoices(60))
    for one in (project, twin):
        ask_more_of_themes(desk, one)
    before = members(desk.analysis(project))
    remine(desk, twin)
    lost = sorted(before.keys() - members(desk.analysis(twin)).keys())
    assert len(lost) > 1, "nothing was lost that could be kept"
    parents = {theme["id"]: theme["parent"] for theme in desk.analysis(project)["themes"]}
    renamed = edit(desk, project, "rename", {"theme": lost[0], "names": {"en": "what we look into"}})
    edit(desk, project, "hide", {"theme": lost[0], "hidden": True})
    remine(desk, project)
    kept = desk.analysis(project)
    themes = {theme["id"]: theme for theme in kept["themes"]}
    assert themes.keys() & set(lost) == {lost[0]}
    assert (themes[lost[0]]["names"]["en"], themes[lost[0]]["parent"]) == ("what we look into", parents[lost[0]])
    assert members(kept)[lost[0]] & before[lost[0]]
    names = [theme["names"].get("en", "") for theme in kept["themes"] if theme["parent"]]
    assert len(set(filter(None, names))) == len(list(filter(None, names)))
    fate = next(event for event in reversed(lineage(desk, project)) if event.old == lost[0])
    assert (fate.kind, fate.new, fate.shared) == ("continued", lost[0], len(members(kept)[lost[0]] & before[lost[0]]))
    with desk.database.reading() as session:
        assert replay_log(desk.shop, session, project).conflicts == ()
    remine(desk, project)
    assert desk.analysis(project) == kept
    edit(desk, project, "undo", {"edit": renamed})
    edit(desk, project, "undo", {"edit": renamed + 1})
    remine(desk, project)
    assert without_ids(desk.analysis(project)) == without_ids(desk.analysis(twin))


def test_a_theme_kept_under_other_models_is_where_its_opinions_are(desk: Desk, project: str, monkeypatch: pytest.MonkeyPatch) -> None:
    twin = desk.add_project()
    desk.mine(twin, comments(120))
    desk.mine(twin, invoices(60))
    models = desk.shop.models("tiny")
    monkeypatch.setattr(type(models.embedder), "version", "tiny-of-tomorrow")
    monkeypatch.setattr(type(models.heads), "encoder_version", "tiny-of-tomorrow")
    for one in (project, twin):
        ask_more_of_themes(desk, one)
    before = members(desk.analysis(project))
    remine(desk, twin)
    lost = {leaf: opinions for leaf, opinions in before.items() if leaf not in members(desk.analysis(twin))}
    assert lost
    with desk.database.transaction() as session:
        for leaf in lost:
            findings.add_edit(session, project, "pin", {"theme": leaf, "pinned": True}, "anna")
    remine(desk, project)
    after = members(desk.analysis(project))
    for leaf, opinions in lost.items():
        assert 2 * len(after[leaf] & opinions) > len(opinions)
    with desk.database.reading() as session:
        assert replay_log(desk.shop, session, project).conflicts == ()
