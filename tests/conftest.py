"""Shared fixtures: the demo mined once for the whole session, and a configuration that mines a small corpus in no time."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

import feedback_miner
from feedback_miner.analysis import Analysis
from feedback_miner.config import DEFAULT_ENCODER, MiningConfig
from feedback_miner.demo import demo_path
from feedback_miner.store import Database

TWO_CAUSES = """\
id: two-causes
version: "1.0"
names: {en: Two causes, zh: 两个原因}
drivers: [{id: process, names: {en: Process, zh: 流程}}]
stages: [{id: delivery, names: {en: Delivery, zh: 交付}}, {id: support, names: {en: Support, zh: 求助}}]
owners: [{id: logistics, names: {en: Logistics, zh: 物流}}, {id: helpdesk, names: {en: Help desk, zh: 客服}}]
causes:
  - {id: late, driver: process, stage: delivery, owner: logistics, names: {en: Late delivery, zh: 送货慢}, aspects: {en: delivery, zh: 送货},
     definitions: {en: It came late., zh: 送得太慢。},
     utterances: {en: [the parcel came late, delivery took far too long, two weeks late again], zh: [送货太慢了, 等了两个星期]}}
  - {id: rude, driver: process, stage: support, owner: helpdesk, names: {en: Rude staff, zh: 态度差}, aspects: {en: staff, zh: 态度}, urgent: true,
     definitions: {en: Somebody was rude., zh: 态度不好。},
     utterances: {en: [the staff were rude, she shouted at me, rude people on the phone], zh: [客服态度很差, 店员骂人]}}
unmapped_utterances: {en: [hello there, good value], zh: [你好, 很划算]}
"""


@pytest.fixture(scope="session")
def quick_config(tmp_path_factory: pytest.TempPathFactory) -> MiningConfig:
    """Tiny encoder, a taxonomy of two causes: fitting a shipped one takes seconds."""
    pack = tmp_path_factory.mktemp("pack") / "two-causes.yaml"
    pack.write_text(TWO_CAUSES, encoding="utf-8")
    return MiningConfig(encoder="tiny", taxonomy=str(pack), bootstrap_samples=20)


@pytest.fixture(scope="session")
def tiny_demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``save`` leaves of the demo mined with the tiny encoder."""
    return mine_demo_once(tmp_path_factory, "tiny")


@pytest.fixture(scope="session")
def tiny_demo(tiny_demo_folder: Path) -> Analysis:
    return feedback_miner.load(tiny_demo_folder)


@pytest.fixture(scope="session")
def default_demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``save`` leaves of the demo mined with the default encoder."""
    return mine_demo_once(tmp_path_factory, DEFAULT_ENCODER)


@pytest.fixture(scope="session")
def default_demo(default_demo_folder: Path) -> Analysis:
    return feedback_miner.load(default_demo_folder)


def mine_demo_once(tmp_path_factory: pytest.TempPathFactory, encoder: str) -> Path:
    """Mine and save the demo, once for all workers of a parallel session: the first one mines, the others wait for its files."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder = base / f"demo-{encoder}"
    with (base / f"demo-{encoder}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            feedback_miner.mine(demo_path(), config=MiningConfig(encoder=encoder)).save(folder)
    return folder


POSTGRES = os.environ.get("FEEDBACK_MINER_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/test")
"""A PostgreSQL server where tests may create databases of their own, and one that is there already."""


@pytest.fixture(scope="session")
def postgres_template() -> Iterator[str]:
    """The name of a database with our tables in it, made for this session."""
    try:
        name = create_postgres_database()
    except psycopg.OperationalError as error:
        pytest.skip(f"no PostgreSQL server: {error}".strip())
    database = Database(postgres_url(name))
    database.upgrade()
    database.close()
    yield name
    drop_postgres_database(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database with our tables in it; each test that asks runs on both kinds."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'test.sqlite'}"
        database = Database(url)
        database.upgrade()
        database.close()
        yield url
    else:
        name = create_postgres_database(request.getfixturevalue("postgres_template"))
        yield postgres_url(name)
        drop_postgres_database(name)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture
def bare_url(database_url: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a second database of the same kind, without a table in it."""
    if database_url.startswith("sqlite"):
        return f"sqlite:///{tmp_path / 'bare' / 'test.sqlite'}"
    return str(request.getfixturevalue("bare_postgres"))


@pytest.fixture
def bare_postgres(postgres_template: str) -> Iterator[str]:
    """The address of a PostgreSQL database without a table in it."""
    name = create_postgres_database()
    yield postgres_url(name)
    drop_postgres_database(name)


def create_postgres_database(template: str = "template0") -> str:
    name = f"feedback_miner_test_{secrets.token_hex(6)}"
    with psycopg.connect(POSTGRES, autocommit=True, connect_timeout=5) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    return name


def drop_postgres_database(name: str) -> None:
    with psycopg.connect(POSTGRES, autocommit=True, connect_timeout=5) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def postgres_url(name: str) -> str:
    return make_url(POSTGRES).set(database=name).render_as_string(hide_password=False)
