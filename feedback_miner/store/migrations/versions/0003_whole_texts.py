"""Whole texts: documents of several opinions have a vector of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column; keys are noted when a project is counted next."""
    with op.batch_alter_table("documents", schema=None) as batch_op:
        batch_op.add_column(sa.Column("text_key", sa.LargeBinary(length=16), nullable=True))
        batch_op.create_index(batch_op.f("ix_documents_text_key"), ["text_key"], unique=False)
