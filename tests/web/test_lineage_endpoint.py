"""Mined anew on demand, and what is told of it."""


def test_mining_anew_is_a_job_and_what_it_finds_is_told(stage):
    themes = [theme["id"] for theme in stage.ask("GET", f"/v1/projects/{stage.project}/themes").json()["items"] if theme["parent"]]
    path = f"/v1/projects/{stage.project}/lineage"
    born = stage.ask("GET", path, params={"limit": 200}).json()["items"]
    assert {(event["kind"], event["new"]) for event in born} == {("born", theme) for theme in themes}
    stage.client().upload(stage.project, [{"text": f"the invoice was wrong again, number {number}"} for number in range(60)])
    stage.engine.work()
    answer = stage.ask("POST", f"/v1/projects/{stage.project}/remine")
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/v1/jobs/{answer.json()['id']}"
    assert answer.json()["kind"] == "remine"
    stage.engine.work()
    assert stage.ask("GET", answer.headers["Location"]).json()["state"] == "succeeded"
    after = stage.ask("GET", path, params={"limit": 200}).json()["items"][len(born) :]
    assert "continued" in {event["kind"] for event in after}
    continued = next(event for event in after if event["kind"] == "continued")
    assert continued["old"] == continued["new"]
    assert 2 * continued["shared"] >= continued["old_opinions"] + continued["new_opinions"] - continued["shared"]


def test_lineage_comes_in_pages_and_of_one_theme(stage):
    path = f"/v1/projects/{stage.project}/lineage"
    whole = stage.ask("GET", path, params={"limit": 200}).json()["items"]
    pages, cursor = [], "0"
    while cursor:
        page = stage.ask("GET", path, params={"limit": 2, "cursor": cursor}).json()
        pages += page["items"]
        cursor = page["next"]
    assert pages == whole
    theme = whole[0]["new"]
    assert stage.ask("GET", path, params={"theme": theme}).json()["items"] == [
        event for event in whole if theme in (event["old"], event["new"])
    ]


def test_a_project_without_themes_cannot_be_mined_anew(stage):
    answer = stage.ask("POST", f"/v1/projects/{stage.new_project()}/remine")
    assert answer.status_code == 404
    assert "has no themes yet" in answer.json()["detail"]
