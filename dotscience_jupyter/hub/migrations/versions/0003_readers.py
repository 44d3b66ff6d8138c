# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Collaborators who only read; those of before read and write."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    access = sa.Column("access", sa.String(8), nullable=False, server_default="write")
    op.add_column("collaborators", access)


def downgrade() -> None:
    """Remove it."""
    op.drop_column("collaborators", "access")
