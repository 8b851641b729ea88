"""Alembic's way in: the connection comes from ``Database.upgrade``."""

from alembic import context

from feedback_miner.store.tables import Base

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, render_as_batch=True, transaction_per_migration=True
)
context.run_migrations()
