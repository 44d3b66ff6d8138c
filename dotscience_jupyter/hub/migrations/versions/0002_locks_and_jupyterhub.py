# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Tasks that have a project to themselves for a while; users who came from JupyterHub."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from dotscience_jupyter.records.models import UTCDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, and the column with its index."""
    op.add_column("users", sa.Column("jupyterhub", sa.String(255)))
    # an index, since SQLite adds a constraint by making the table anew, and others refer to it
    op.create_index("uq_users_jupyterhub", "users", ["jupyterhub"], unique=True)
    op.create_table(
        "task_locks",
        sa.Column("project_id", sa.String(36), sa.ForeignKey("projects.id"), primary_key=True),
        sa.Column("id", sa.String(36), nullable=False, unique=True),
        sa.Column("user_id", sa.String(36), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("holder", sa.String(100), nullable=False),
        sa.Column("task", sa.String(100), nullable=False),
        sa.Column("taken", UTCDateTime(), nullable=False),
        sa.Column("until", UTCDateTime(), nullable=False),
    )


def downgrade() -> None:
    """Remove them."""
    op.drop_table("task_locks")
    op.drop_index("uq_users_jupyterhub", "users")
    op.drop_column("users", "jupyterhub")
