"""The commands about the service's database: upgrade, check, backup, restore. Settings from options, then the environment."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from feedback_miner import __version__
from feedback_miner.cli.edge import guarded
from feedback_miner.cli.options import DatabaseUrl, DataFolder
from feedback_miner.errors import StoreError

if TYPE_CHECKING:
    from feedback_miner.config import Settings

__all__ = ["db_app", "reaching_the_database"]

db_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The service's database.")

_Archive = Annotated[Path, typer.Argument(metavar="FILE", show_default=False)]


@db_app.command("upgrade")
@guarded
def upgrade(data: DataFolder = None, database: DatabaseUrl = None) -> None:
    """Bring the database to this version's schema."""
    from feedback_miner.store import Database

    settings = _settings(data, database)
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    with reaching_the_database():
        Database(settings.database_url).upgrade()


@db_app.command("check")
@guarded
def check(data: DataFolder = None, database: DatabaseUrl = None) -> None:
    """Say whether the database has this version's schema."""
    from feedback_miner.store import Database

    with reaching_the_database():
        Database(_settings(data, database).database_url).check()
    typer.echo("the database is up to date")


@db_app.command("backup")
@guarded
def backup(
    file: _Archive,
    data: DataFolder = None,
    database: DatabaseUrl = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file where there is one.")] = False,
) -> None:
    """Write the database and the key files into one file, while the service runs. Whoever has the file can read everything in it."""
    from feedback_miner.jobs.workshop import JOBS_FILE, KEY_FILES
    from feedback_miner.store import Database
    from feedback_miner.store.backup import back_up

    settings = _settings(data, database)
    with reaching_the_database(), closing(Database(settings.database_url)) as source:
        manifest = back_up(source, file, folder=settings.data, books=JOBS_FILE, keys=KEY_FILES, version=__version__, force=force)
    typer.echo(f"{file}: {len(manifest.parts)} parts, revision {manifest.revision}")


@db_app.command("restore")
@guarded
def restore(
    file: _Archive,
    data: DataFolder = None,
    database: DatabaseUrl = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace what the database holds. Stop the service first.")] = False,
) -> None:
    """Fill the database and the data folder from a backup, and bring them to this version.

    Customers, projects and keys that were deleted since are deleted again, where the database that is replaced still tells of it.
    """
    from feedback_miner.jobs.forget import forget_again
    from feedback_miner.jobs.workshop import JOBS_FILE, KEY_FILES, Workshop
    from feedback_miner.store import Database
    from feedback_miner.store.backup import restore as restore_archive

    settings = _settings(data, database)
    with reaching_the_database(), closing(Database(settings.database_url)) as target:
        restored = restore_archive(target, file, folder=settings.data, books=JOBS_FILE, keys=KEY_FILES, replace=replace)
        deleted = forget_again(Workshop(target, settings.data), restored.since or ())
    typer.echo(f"restored the backup of {restored.manifest.created_at:%Y-%m-%d %H:%M} UTC")
    if restored.since is None:
        typer.echo("what was deleted after it is back: delete it again")
    else:
        typer.echo(f"deleted again what was deleted after it: {deleted}")


def _settings(data: Path | None, database: str | None) -> "Settings":
    from feedback_miner.config import Settings

    return Settings.from_environment(data=data, database=database)


@contextmanager
def reaching_the_database() -> Iterator[None]:
    """Say in one line that the database cannot be used, and why."""
    from sqlalchemy.exc import OperationalError

    try:
        yield
    except OperationalError as error:
        reason = str(error.orig).strip().partition("\n")[0]
        raise StoreError(f"the database cannot be used: {reason}") from None
