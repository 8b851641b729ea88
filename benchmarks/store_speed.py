"""How long the store takes for what the API's pages and the jobs ask of it, on a made-up project written straight into the tables.

In: a number of comments, and where: SQLite in a folder, or a PostgreSQL server where databases may be made. Out: one line for each query
with the median of its runs, by the clock and of this process's processor (SQLite works within it, PostgreSQL does not). The texts are made
of words drawn by their rank, the vectors are random: what is timed does not depend on what they say. Ten other, small projects lie beside
the large one.

    python benchmarks/store_speed.py 100000 --sqlite /tmp
    python benchmarks/store_speed.py 100000 --postgres postgresql://postgres@127.0.0.1:5432/test
"""

import argparse
import gzip
import json
import math
import random
import secrets
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.orm import Session

from feedback_miner.domain import FeedbackType, Polarity
from feedback_miner.store import Database, findings, projects, responses
from feedback_miner.store.customers import find_callers, load_callers
from feedback_miner.store.opinions import OpinionFilter, find_opinions
from feedback_miner.store.tables import AnalysisRow, CodingRow, DocumentRow, OpinionRow, ResponseRow, VectorRow, insert_rows
from feedback_miner.web.meaning import Phrase, nearest_opinions

DIMENSIONS = 384
THEMES = [f"t-{number:08x}" for number in range(40)]
PARENT = tuple(THEMES[:8])
WORDS = [f"word{number:04d}" for number in range(5_000)]
CAUSES = [f"cause-{number}" for number in range(30)]
TYPES = [kind.value for kind in FeedbackType]
STEP = 5_000
START = datetime.fromisoformat("2026-01-01")


def fill(database: Database, comments: int, *, name: str, draw: random.Random) -> str:
    """Write a project of so many comments; return its id. Two opinions to a comment; three in five texts of an opinion differ."""
    numbers = np.random.default_rng(draw.randrange(1 << 30))
    with database.transaction() as session:
        project = projects.add_project(session, name, {"encoder": "bench"}).id
        batch = projects.add_batch(session, project, source="made-up.csv", sha256=secrets.token_hex(32), options={})
        batch.columns, batch.rows = {"score_kind": "nps"}, comments
        themes = [{"id": theme, "parent": "p", "names": {"en": theme}, "people": 1} for theme in THEMES]
        figures = {"themes": themes, "counts": {}, "score": None}
        session.add(AnalysisRow(project=project, theme_set=1, created_at=START, figures=figures, packed=gzip.compress(bytes(comments))))
        home = batch.id
    distinct = max(1, int(comments * 1.2))
    for first in range(0, comments, STEP):
        count = min(STEP, comments - first)
        with database.transaction() as session:
            fill_part(session, project, home, range(first, first + count), distinct, draw, numbers)
    return project


def fill_part(
    session: Session, project: str, batch: str, rows: range, distinct: int, draw: random.Random, numbers: np.random.Generator
) -> None:
    items = [f"{draw.getrandbits(64):016x}" for _ in rows]
    values = [
        {
            "project": project, "batch": batch, "item": item, "row": row, "score": float(draw.randint(0, 10)), "weight": 1.0,
            "created_at": START + timedelta(minutes=draw.randint(0, 500_000)), "customer": f"C-{draw.randint(0, 1 << 20)}",
            "channel": draw.choice(["web", "shop", "phone"]),
            "attributes": {"region": draw.choice("NSEW"), "age": str(draw.randint(18, 80))},
        }
        for row, item in zip(rows, items, strict=True)
    ]  # fmt: skip
    insert_rows(session, ResponseRow, values)
    found = session.execute(
        text("SELECT id FROM responses WHERE project = :project AND row >= :first ORDER BY id"), {"project": project, "first": rows[0]}
    )
    ids = [row.id for row in found][-len(rows) :]
    texts = [" ".join(WORDS[min(4_999, int(draw.paretovariate(0.6)))] for _ in range(draw.randint(8, 30))) for _ in rows]
    values = [
        {
            "response": id_, "number": 0, "column": "comment", "text": said, "language": "en" if draw.random() < 0.7 else "zh",
            "status": "themed", "repost": False, "redactions": {},
        }
        for id_, said in zip(ids, texts, strict=True)
    ]  # fmt: skip
    insert_rows(session, DocumentRow, values)
    documents = session.execute(
        text("SELECT id, length(text) AS size FROM documents WHERE response >= :first AND response <= :last ORDER BY id"),
        {"first": min(ids), "last": max(ids)},
    ).all()
    values = []
    for id_, size in documents:
        middle = size // 2
        for start, end in ((0, middle), (middle + 1, size)):
            values.append({"document": id_, "start": start, "end": end, "text_key": draw.randrange(distinct).to_bytes(16, "big")})
    insert_rows(session, OpinionRow, values)
    opinions = [
        row.id
        for row in session.execute(
            text("SELECT id FROM opinions WHERE document >= :first AND document <= :last ORDER BY id"),
            {"first": documents[0].id, "last": documents[-1].id},
        )
    ]
    values = []
    for id_ in opinions:
        place = int(draw.paretovariate(0.7)) - 1
        theme = THEMES[place] if place < len(THEMES) and draw.random() < 0.9 else None
        negative, positive = draw.random(), draw.random()
        whole = negative + positive + 0.5
        causes = [{"cause": draw.choice(CAUSES), "score": 0.9, "runner_up": None, "runner_up_score": 0.0, "start": 0, "end": 5}]
        values.append(
            {
                "opinion": id_, "project": project, "theme_set": 1, "theme": theme, "strength": 0.8,
                "residual": None if theme else "alone", "nearest": [["t-00000000", 0.5]], "negative": negative / whole,
                "neutral": 0.5 / whole, "positive": positive / whole, "type": draw.choice(TYPES), "aspects": [],
                "causes": causes if negative > positive else [], "edited": [],
            }
        )  # fmt: skip
    insert_rows(session, CodingRow, values)
    fresh = range(int(rows[0] * 1.2), max(1, int((rows[-1] + 1) * 1.2)))
    vectors = numbers.standard_normal((len(fresh), DIMENSIONS)).astype("<f2")
    stored = [
        {"project": project, "encoder": "bench", "text_key": key.to_bytes(16, "big"), "vector": vector.tobytes()}
        for key, vector in zip(fresh, vectors, strict=True)
    ]
    insert_rows(session, VectorRow, stored)


def queries(project: str, comments: int) -> Iterator[tuple[str, Callable[[Session], object]]]:
    """Yield what is timed, by name; each is one reading."""
    deep = comments  # row numbers are about twice the comments: the middle
    period = OpinionFilter(
        themes=(THEMES[0],), since=datetime.fromisoformat("2026-03-01"), until=datetime.fromisoformat("2026-03-08"), scores=(-math.inf, 6.5)
    )
    means = {"und": np.zeros(DIMENSIONS, np.float32)}
    phrase = Phrase(np.full(DIMENSIONS, DIMENSIONS**-0.5, np.float32), means, "bench")

    def listed(wanted: OpinionFilter, after: int = 0) -> Callable[[Session], object]:
        return lambda session: find_opinions(session, project, wanted, after=after, limit=51)

    def called(wanted: OpinionFilter) -> Callable[[Session], object]:
        return lambda session: load_callers(session, project, wanted, find_callers(session, project, wanted, limit=51))

    yield "themes list", lambda session: findings.get_figures(session, project)
    yield "opinions of a theme, first page", listed(OpinionFilter(themes=(THEMES[0],)))
    yield "opinions of a theme, from the middle", listed(OpinionFilter(themes=(THEMES[0],)), deep)
    yield "opinions of a parent of 8 leaves, first page", listed(OpinionFilter(themes=PARENT))
    yield "opinions of a parent, from the middle", listed(OpinionFilter(themes=PARENT), deep)
    yield "opinions of a theme, frequent word", listed(OpinionFilter(themes=(THEMES[0],), words=WORDS[1]))
    yield "opinions of a theme, word nobody says", listed(OpinionFilter(themes=(THEMES[0],), words="zebrafinch"))
    yield "opinions of a theme, a week and a score group", listed(period)
    yield (
        "opinions of a theme, attribute and type",
        listed(OpinionFilter(themes=(THEMES[0],), attributes=(("region", "N"), ("age", "44")), type=FeedbackType.PRAISE)),
    )
    yield "opinions of a theme, one cause", listed(OpinionFilter(themes=(THEMES[0],), causes=(CAUSES[3],), sentiment=Polarity.NEGATIVE))
    yield "residual, first page", listed(OpinionFilter(themes=()))
    yield "residual, word nobody says", listed(OpinionFilter(themes=(), words="zebrafinch"))
    yield "all opinions, first page", listed(OpinionFilter())
    yield "all opinions, from the middle", listed(OpinionFilter(), deep)
    yield "all opinions, word nobody says", listed(OpinionFilter(words="zebrafinch"))
    yield (
        "all opinions, a day",
        listed(OpinionFilter(since=datetime.fromisoformat("2026-04-01"), until=datetime.fromisoformat("2026-04-02"))),
    )
    yield "meaning, in a theme", lambda session: nearest_opinions(session, project, OpinionFilter(themes=(THEMES[5],)), phrase)
    yield "meaning, in all", lambda session: nearest_opinions(session, project, OpinionFilter(), phrase)
    yield "customers to call back, of a theme", called(OpinionFilter(themes=(THEMES[5],)))
    yield "customers to call back, word nobody says", called(OpinionFilter(words="zebrafinch"))
    contents = [f"{number:016x}" for number in np.random.default_rng(5).integers(0, 1 << 63, 2_000)]
    yield "2,000 more responses: said before?", lambda session: responses.last_numbers(session, project, contents, other_than="")
    yield "count of uncoded", lambda session: findings.count_uncoded(session, project, 1)
    yield "uncoded, one shard (none left)", lambda session: findings.load_uncoded(session, project, 1, 0, 2_000)
    yield "uncoded, one shard (all to do)", lambda session: findings.load_uncoded(session, project, 2, deep, 2_000)
    yield "shard to encode (none left)", lambda session: responses.load_shard(session, project, 0, 2_000)
    yield (
        "vectors of a shard",
        lambda session: responses.load_vectors(
            session, project, "bench", [key.to_bytes(16, "big") for key in range(0, comments, max(1, comments // 2_000))]
        ),
    )


@contextmanager
def open_database(options: argparse.Namespace) -> Iterator[Database]:
    """Make an empty database, and remove it afterwards."""
    name = f"store_speed_{secrets.token_hex(4)}"
    if options.postgres is None:
        path = Path(options.sqlite) / f"{name}.sqlite"
        database = Database(f"sqlite:///{path}")
        database.upgrade()
        try:
            yield database
        finally:
            database.close()
            for file in path.parent.glob(f"{name}*"):
                file.unlink()
        return
    server = create_engine(make_url(options.postgres).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template0"))
    database = Database(make_url(options.postgres).set(database=name).render_as_string(hide_password=False))
    database.upgrade()
    try:
        yield database
    finally:
        database.close()
        with server.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


def median_ms(database: Database, query: Callable[[Session], object], *, runs: int) -> tuple[float, float]:
    """Return the median time of some runs after a first one, by the clock and of this process's processor."""
    clock, processor = [], []
    for _ in range(runs + 1):
        start, busy = time.perf_counter(), time.process_time()
        with database.reading() as session:
            query(session)
        clock.append(1_000 * (time.perf_counter() - start))
        processor.append(1_000 * (time.process_time() - busy))
        if clock[0] > 20_000:
            return clock[0], processor[0]
    return statistics.median(clock[1:]), statistics.median(processor[1:])


def main() -> None:
    """Fill, time, and say."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("comments", type=int)
    parser.add_argument("--sqlite", default="/tmp", help="folder for the database file")
    parser.add_argument("--postgres", help="a server where databases may be made")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    draw = random.Random(7)
    with open_database(options) as database:
        start = time.perf_counter()
        for number in range(5):
            fill(database, 200, name=f"before {number}", draw=draw)
        project = fill(database, options.comments, name="large", draw=draw)
        for number in range(5):
            fill(database, 200, name=f"after {number}", draw=draw)
        if options.postgres is not None:
            with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("VACUUM ANALYZE"))
        print(json.dumps({"filled": options.comments, "seconds": round(time.perf_counter() - start)}), flush=True)
        for name, query in queries(project, options.comments):
            clock, processor = median_ms(database, query, runs=options.runs)
            print(f"{name:<50} {clock:>10.1f} ms {processor:>10.1f} ms", flush=True)
        start = time.perf_counter()
        with database.transaction() as session:
            deleted = responses.delete_customer(session, project, session.execute(text(
                "SELECT customer FROM responses WHERE project = :project LIMIT 1"), {"project": project}).scalar_one())  # fmt: skip
        name = f"deletion of a customer ({deleted} responses)"
        print(f"{name:<50} {1_000 * (time.perf_counter() - start):>10.1f} ms", flush=True)


if __name__ == "__main__":
    main()
