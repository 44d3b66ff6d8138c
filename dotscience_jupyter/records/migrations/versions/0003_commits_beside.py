# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Commits that are not on the line of HEAD: until now there were none."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "commits_beside",
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("merged", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("sequence"),
        sa.ForeignKeyConstraint(["sequence"], ["commits.sequence"]),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("commits_beside")
