"""The OpenAPI document: what it says of itself, and every path of it held to its word by made-up requests."""

import contextlib
import warnings
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable

from feedback_miner.store import projects

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of what it is built on
    import requests
    import schemathesis
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
MODES = [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE]
EXAMPLES = 8
SIGN_IN = {("post", "/v1/session"), ("post", "/v1/people/accept")}


def test_describes_itself_without_a_key(stage):
    answer = stage.ask("GET", "/openapi.json", None)
    document = answer.json()
    assert answer.status_code == 200
    assert document["openapi"].startswith("3.1")
    schemes = document["components"]["securitySchemes"]
    assert schemes["HTTPBearer"]["scheme"] == "bearer"
    assert (schemes["Session"]["in"], schemes["Session"]["name"]) == ("cookie", "fm_session")
    assert (schemes["CsrfToken"]["in"], schemes["CsrfToken"]["name"]) == ("header", "X-CSRF-Token")
    assert stage.ask("GET", "/openapi.json", None).json() == document


def test_every_path_under_v1_names_the_key_or_session_and_its_refusals(stage):
    for path, operations in stage.app.openapi()["paths"].items():
        for method, operation in operations.items():
            if path.startswith("/v1/") and (method, path) not in SIGN_IN:
                session = {"Session": []} if method == "get" else {"Session": [], "CsrfToken": []}
                assert operation["security"] == [{"HTTPBearer": []}, session], (path, method)
            else:
                assert "security" not in operation, (path, method)
            if path.startswith("/v1/"):
                assert {"401", "403", "422", "429", "500", "503"} <= set(operation["responses"]), (path, method)


def test_every_reference_leads_somewhere(stage):
    document = stage.app.openapi()

    def references(part: Any) -> list[str]:
        if isinstance(part, dict):
            own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
            return own + [found for value in part.values() for found in references(value)]
        return [found for value in part for found in references(value)] if isinstance(part, list) else []

    found = references(document)
    assert found
    for reference in found:
        assert reference.removeprefix("#/components/schemas/") in document["components"]["schemas"]


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
def test_every_path_keeps_its_word(stage, mode):
    with stage.service.database.reading() as session:
        batch = projects.list_batches(session, stage.project)[0].id
    theme = stage.ask("GET", f"/v1/projects/{stage.project}/themes").json()["items"][0]["id"]
    known = {"project": stage.project, "theme": theme, "batch": batch, "kind": "csv"}
    schema = schemathesis.openapi.from_dict(stage.app.openapi(), config=schemathesis.Config())
    failures = []
    with stage.http(stage.key("admin", "contact")) as client:
        for found in schema.get_all_operations():
            operation = found.ok()
            names = {parameter.name for parameter in operation.path_parameters}
            fixed = [{}] if operation.method.lower() == "delete" or not names <= set(known) else [{}, {name: known[name] for name in names}]
            for parameters in fixed:
                try:
                    statuses = hold_to_its_word(client, operation, mode, parameters)
                    if mode.is_positive and operation.method.lower() == "get" and (parameters or not names):
                        assert 200 in statuses, f"only ever answered {statuses}"
                except BaseException as error:  # noqa: BLE001 - all of them at once
                    failures.append(f"{operation.label} {parameters}: {error}")
    assert not failures, "\n\n".join(failures)


def hold_to_its_word(client: httpx.Client, operation: Any, mode: schemathesis.GenerationMode, parameters: dict[str, str]) -> set[int]:
    """Send made-up requests, check every answer, and return the statuses seen."""
    statuses: set[int] = set()
    options = {"path_parameters": parameters} if parameters else {}

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode, **options))
    def run(case: schemathesis.Case) -> None:
        asked = requests.Request(**case.as_transport_kwargs(base_url=str(client.base_url))).prepare()
        headers = {name: value for name, value in asked.headers.items() if name.lower() != "authorization"}
        answer = client.send(client.build_request(asked.method, asked.url, headers=headers, content=asked.body or b""))
        statuses.add(answer.status_code)
        case.validate_response(answer, checks=CHECKS)

    with contextlib.nullcontext() if mode.is_positive else contextlib.suppress(Unsatisfiable):  # nothing to send that could be wrong
        run()
    return statuses
