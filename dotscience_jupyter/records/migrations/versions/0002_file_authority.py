# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Files of runs that were observed, not declared; files found by their bytes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column(
        "run_files",
        sa.Column("authority", sa.String(16), nullable=False, server_default="workload"),
    )
    op.create_index("ix_run_files_digest", "run_files", ["digest"])


def downgrade() -> None:
    """Undo."""
    op.drop_index("ix_run_files_digest", "run_files")
    op.drop_column("run_files", "authority")
