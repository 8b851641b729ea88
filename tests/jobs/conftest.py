from pathlib import Path

import pytest
from front_desk import Desk

from feedback_miner.config import MiningConfig
from feedback_miner.jobs.workshop import Workshop
from feedback_miner.store import Database


@pytest.fixture
def desk(database: Database, quick_config: MiningConfig, tmp_path: Path) -> Desk:
    return Desk(Workshop(database, tmp_path), quick_config)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Jobs on PostgreSQL are for the slow tests: the engine's polling takes most of their time, and tests/store asks both for every query."""
    for item in items:
        if Path(__file__).parent in item.path.parents and "postgresql" in getattr(getattr(item, "callspec", None), "params", {}).values():
            item.add_marker(pytest.mark.slow)
