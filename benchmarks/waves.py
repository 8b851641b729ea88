"""Two waves of a corpus by date, edited after the first, then mined anew: which themes keep their ids, and which edits hold.

    python benchmarks/waves.py ../shared/data nhs_fft airline_tweets

The first half of the rows by date is mined, some of its themes are edited (five renamed, two merged, one hidden, ten opinions moved),
the second half is coded with them, and then everything is mined anew. Themes are matched by the opinions they share, counted here once
more and not by what is measured: Jaccard one half or more. Labels play no part.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl

from feedback_miner.config import MiningConfig
from feedback_miner.jobs import steps
from feedback_miner.jobs.claim import claim_job
from feedback_miner.jobs.living import add_edit, replay_log
from feedback_miner.jobs.workshop import Workshop
from feedback_miner.store import Database, findings, projects


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("sets", nargs="+")
    given = parser.parse_args(arguments)
    print(
        "| set | rows | themes after two waves | mined anew | matched | of those, same id | edits that hold after wave two | mined anew |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name in given.sets:
        with tempfile.TemporaryDirectory() as folder:
            database = Database(f"sqlite:///{folder}/waves.sqlite")
            database.upgrade()
            print(f"| {name} | {measure(Project(Workshop(database, Path(folder))), given.data / name / 'dev.csv.gz')} |", flush=True)
            database.close()


def measure(project: "Project", file: Path) -> str:
    rows = pl.read_csv(file, infer_schema=False).sort("date", maintain_order=True)
    half = len(rows) // 2
    project.upload(rows[:half])
    edits = edit(project)
    project.upload(rows[half:])
    two, held_after_two = project.members(), project.count_held(edits)
    project.remine()
    anew, held_anew = project.members(), project.count_held(edits)
    matched = [
        (old, new) for old, first in two.items() for new, second in anew.items() if 2 * len(first & second) >= len(first | second) > 0
    ]
    same = sum(old == new for old, new in matched)
    return (
        f"{len(rows)} | {len(two)} | {len(anew)} | {len(matched)} | {same} ({100 * same / max(1, len(matched)):.0f} %) | "
        f"{held_after_two} of {len(edits)} | {held_anew} of {len(edits)}"
    )


def edit(project: "Project") -> list[int]:
    """Edit as an analyst would: the largest themes first."""
    members = project.members()
    themes = sorted(members, key=lambda theme: (-len(members[theme]), theme))
    made = [project.edit("rename", {"theme": theme, "names": {"en": f"renamed {at}"}}) for at, theme in enumerate(themes[:5])]
    made.append(project.edit("merge", {"themes": [themes[6]], "into": themes[5]}))
    made.append(project.edit("hide", {"theme": themes[7], "hidden": True}))
    moved = sorted(members[themes[8]])[:10]
    made += [project.edit("move", {"opinion": opinion, "theme": themes[9]}) for opinion in moved]
    project.run(lambda session: projects.add_job(session, project.id, None).id)
    return made


class Project:
    """A project in a store of its own, whose jobs run here and now."""

    def __init__(self, shop: Workshop) -> None:
        self._shop = shop
        with shop.database.transaction() as session:
            self.id = projects.add_project(session, "waves", asdict(MiningConfig())).id

    def upload(self, rows: pl.DataFrame) -> None:
        def add(session: Any) -> str:
            content, options = rows.write_csv().encode(), {"texts": ["text"], "date": "date"}
            batch = projects.add_batch(session, self.id, source="wave.csv", sha256=sha256(content).hexdigest(), options=options)
            self._shop.spool_path(batch.id).write_bytes(content)
            return projects.add_job(session, self.id, batch.id).id

        self.run(add)

    def remine(self) -> None:
        self.run(lambda session: projects.add_job(session, self.id, None, remine=True).id)

    def run(self, add_job: Callable[[Any], str]) -> None:
        with self._shop.database.transaction() as session:
            job = add_job(session)
        for name in steps.ORDER:
            after: int | None = 0
            while after is not None:
                claim = claim_job(self._shop, job)
                assert claim is not None
                after = steps.encode(claim, after) if name == "encode" else getattr(steps, name)(claim)
        with self._shop.database.transaction() as session:
            projects.end_job(session, job, "succeeded")

    def edit(self, kind: str, values: Mapping[str, Any]) -> int:
        with self._shop.database.transaction() as session:
            row, job = add_edit(self._shop, session, self.id, kind, values, "analyst")
            projects.end_job(session, job, "succeeded")  # one job for all of them will do
            return row.number

    def count_held(self, edits: Sequence[int]) -> int:
        with self._shop.database.reading() as session:
            lost = {conflict.number for conflict in replay_log(self._shop, session, self.id).conflicts}
        return len(set(edits) - lost)

    def members(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        with self._shop.database.reading() as session:
            for opinion, leaf in findings.load_leaves(session, self.id).items():
                found.setdefault(leaf, set()).add(opinion)
        return found


if __name__ == "__main__":
    main(sys.argv[1:])
