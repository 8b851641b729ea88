"""Uploads: files and items, twice, halfway, wrong; their jobs; what is done once however often it is asked."""

import gzip

import pytest
from service_stage import made_up_items

from feedback_miner.errors import InputError
from feedback_miner.jobs import steps
from feedback_miner.jobs.claim import claim_job
from feedback_miner.store import projects

CSV = b"comment,nps,customer\nthe courier never came,2,ann\nrude people on the phone,1,bob\nlovely shop,10,cid\n"


@pytest.fixture
def project(stage) -> str:
    return stage.new_project()


def upload(stage, project, content=CSV, *, name="wave.csv", mapping=None, key="", **headers):
    files = {"file": (name, content), **({} if mapping is None else {"mapping": (None, mapping)})}
    return stage.ask(
        "POST",
        f"/v1/projects/{project}/batches",
        key,
        files=files,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


def test_an_upload_is_a_job(stage, project):
    answer = upload(stage, project)
    batch = answer.json()
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/v1/jobs/{batch['job']}"
    assert (batch["number"], batch["source"], batch["duplicate"]) == (1, "wave.csv", False)
    job = stage.ask("GET", answer.headers["Location"]).json()
    assert (job["state"], job["percent"], job["batch"]) == ("queued", 0.0, batch["id"])
    assert batch["job"] in stage.engine.waiting
    spool = stage.service.shop.spool_path(batch["id"])
    assert spool.read_bytes() == CSV
    assert spool.stat().st_mode & 0o077 == 0
    assert stage.ask("GET", f"/v1/projects/{project}/batches").json()["items"][0]["id"] == batch["id"]


@pytest.mark.parametrize("name", ["../../etc/passwd", "a\u202eb\x7f.csv", "", "x" * 500])
def test_a_files_name_is_a_name(stage, project, name):
    source = upload(stage, project, name=name or "upload").json()["source"]
    assert "/" not in source
    assert source.isprintable()
    assert len(source) <= 200


def test_the_same_content_is_recognised(stage, project):
    first = upload(stage, project).json()
    again = upload(stage, project, name="copy.csv")
    assert again.status_code == 200
    assert again.json() == first | {"duplicate": True}
    assert stage.engine.waiting.count(first["job"]) == 1
    assert upload(stage, stage.new_project()).status_code == 202


def test_the_same_items_are_recognised(stage, project):
    items = made_up_items(3)
    with stage.client() as client:
        assert client.upload(project, items) == client.upload(project, items)


def test_a_failed_upload_may_be_repeated(stage, project):
    stage.engine.waiting.clear()
    failed = upload(stage, project, mapping='{"texts": ["no such column"]}').json()
    stage.engine.work()
    job = stage.ask("GET", f"/v1/jobs/{failed['job']}").json()
    assert job["state"] == "failed"
    assert "no such column" in job["reason"]
    assert failed["id"] not in job["reason"]
    again = upload(stage, project)
    assert again.status_code == 202
    assert again.json()["id"] != failed["id"]
    assert [batch["id"] for batch in stage.ask("GET", f"/v1/projects/{project}/batches").json()["items"]] == [again.json()["id"]]


def test_a_cancelled_upload_may_be_repeated(stage, project):
    stage.engine.waiting.clear()
    job = upload(stage, project).json()["job"]
    cancelled = stage.ask("POST", f"/v1/jobs/{job}/cancel")
    assert cancelled.status_code == 202
    assert cancelled.json()["state"] == "cancelled"
    assert stage.ask("POST", f"/v1/jobs/{job}/cancel").status_code == 409
    stage.engine.work()
    assert stage.ask("GET", f"/v1/jobs/{job}").json()["state"] == "cancelled"
    assert upload(stage, project).status_code == 202


def test_rows_that_are_no_responses_are_listed(stage, project):
    stage.engine.waiting.clear()
    batch = upload(
        stage,
        project,
        b"comment,nps\nthe courier never came,2\nrude people,eleventy\n",
        mapping='{"texts": ["comment"], "score": "nps", "score_kind": "nps"}',
    ).json()
    claim_and_read(stage, batch["job"])
    issues = stage.ask("GET", f"/v1/projects/{project}/batches/{batch['id']}/issues").json()["items"]
    assert [(issue["row"], issue["column"], issue["kept"]) for issue in issues] == [(3, "nps", True)]
    assert "eleventy" not in str(issues)


def claim_and_read(stage, job):
    claim = claim_job(stage.service.shop, job)
    assert claim is not None
    steps.ingest(claim)


class TestPreview:
    def test_says_how_a_file_would_be_read_and_keeps_nothing(self, stage, project):
        content = b"comment,nps,mail\ncall me at jane.roe@example.com,2,jane.roe@example.com\n" + b"the courier never came,3,x\n" * 20
        before = set((stage.service.settings.data / "spool").iterdir())
        answer = stage.ask("POST", f"/v1/projects/{project}/batches/preview", files={"file": ("wave.csv", content)})
        preview = answer.json()
        assert answer.status_code == 200
        assert (preview["columns"]["texts"], preview["columns"]["score"]) == (["comment"], "nps")
        assert preview["rows"][0]["texts"]["comment"].startswith("call me at <")
        assert preview["rows"][1]["score"] == 3.0
        assert len(preview["rows"]) == 10
        assert "jane.roe" not in answer.text
        assert set((stage.service.settings.data / "spool").iterdir()) == before
        assert stage.ask("GET", f"/v1/projects/{project}/batches").json()["items"] == []

    def test_takes_items_and_gzip(self, stage, project):
        path = f"/v1/projects/{project}/batches/preview"
        items = stage.ask("POST", path, json={"items": [{"text": "late again", "score": 1}], "score_kind": "csat"}).json()
        assert items["columns"]["score_kind"] == "csat"
        assert items["rows"][0]["texts"] == {"text": "late again"}
        packed = stage.ask("POST", path, files={"file": ("wave.csv.gz", gzip.compress(CSV))}).json()
        assert packed["columns"]["score"] == "nps"

    def test_follows_the_mapping(self, stage, project):
        files = {"file": ("wave.csv", b"a,b\nlate again,rude people\n"), "mapping": (None, '{"texts": ["b"]}')}
        preview = stage.ask("POST", f"/v1/projects/{project}/batches/preview", files=files).json()
        assert preview["rows"][0]["texts"] == {"b": "rude people"}

    def test_needs_a_project(self, stage):
        assert stage.ask("POST", "/v1/projects/prj_none/batches/preview", files={"file": ("wave.csv", CSV)}).status_code == 404


class TestIdempotencyKey:
    def test_makes_one_request_of_two(self, stage):
        options = {"json": {"name": "once"}, "headers": {"Idempotency-Key": "project-1"}}
        first, again = stage.ask("POST", "/v1/projects", **options), stage.ask("POST", "/v1/projects", **options)
        assert (again.status_code, again.json(), again.headers["Location"]) == (201, first.json(), first.headers["Location"])
        assert sum(row["name"] == "once" for row in stage.ask("GET", "/v1/projects", params={"limit": 500}).json()["items"]) == 1

    def test_covers_uploads_after_their_batch_is_gone(self, stage, project):
        first = upload(stage, project, Idempotency_Key="upload-1")
        stage.ask("POST", f"/v1/jobs/{first.json()['job']}/cancel")
        again = upload(stage, project, Idempotency_Key="upload-1")
        assert (again.status_code, again.json()) == (202, first.json())

    def test_is_for_one_request_only(self, stage, project):
        assert upload(stage, project, Idempotency_Key="upload-2").status_code == 202
        other = upload(stage, project, CSV + b"more,1,dan\n", Idempotency_Key="upload-2")
        assert other.status_code == 422
        assert "Idempotency-Key" in other.json()["detail"]
        assert upload(stage, stage.new_project(), Idempotency_Key="upload-2").status_code == 422

    def test_is_each_callers_own(self, stage):
        options = {"json": {"name": "twice"}, "headers": {"Idempotency-Key": "project-2"}}
        first, other = stage.ask("POST", "/v1/projects", **options), stage.ask("POST", "/v1/projects", stage.key("ingest"), **options)
        assert other.status_code == 201
        assert first.json()["id"] != other.json()["id"]

    def test_is_not_endless(self, stage):
        answer = stage.ask("POST", "/v1/projects", json={"name": "a"}, headers={"Idempotency-Key": "k" * 129})
        assert answer.status_code == 422


class TestDeletion:
    def test_of_a_project_leaves_nothing_of_it(self, stage):
        project = stage.new_project("short-lived")
        batch = upload(stage, project).json()
        spool = stage.service.shop.spool_path(batch["id"])
        assert spool.exists()
        assert stage.ask("DELETE", f"/v1/projects/{project}").status_code == 204
        assert not spool.exists()
        assert stage.ask("GET", f"/v1/projects/{project}").status_code == 404
        assert stage.ask("GET", f"/v1/jobs/{batch['job']}").status_code == 404

    def test_of_a_customer_waits_for_what_is_still_to_be_read(self, stage, project):
        upload(stage, project)
        answer = stage.ask("DELETE", f"/v1/projects/{project}/customers/ann")
        assert answer.status_code == 409

    @pytest.mark.parametrize(
        "customer", ["a/b/c", "50%", "what?", "#7", "Müller & Söhne", "...", "a..b", "jane.roe@example.com", "+44 20 7946 0958"]
    )
    def test_finds_customers_of_any_name(self, stage, project, customer):
        stage.engine.waiting.clear()
        with stage.client() as client:
            job = client.upload(project, [{"text": "late again", "customer": customer}, {"text": "rude people", "customer": "else"}])
            claim_and_read(stage, job)
            with stage.service.database.transaction() as session:
                projects.end_job(session, job, "succeeded")
            assert client.delete_customer(project, customer) == {"responses": 1, "job": None}
            assert client.delete_customer(project, customer) == {"responses": 0, "job": None}

    @pytest.mark.parametrize("customer", ["", ".", "..", "a/..", "../../other"])
    def test_of_a_customer_never_climbs_to_the_project(self, stage, project, customer):
        with stage.client() as client, pytest.raises(InputError, match="customer"):
            client.delete_customer(project, customer)
        assert stage.ask("GET", f"/v1/projects/{project}").status_code == 200
