"""Alembic's way in: the connection comes from ``Database.upgrade``."""

from alembic import context

from feedback_miner.store.people_tables import PersonRow

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=PersonRow.metadata,  # one for the tables of both modules
    render_as_batch=True,
    transaction_per_migration=True,
)
context.run_migrations()
