# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Files of datasets that runs read and wrote: until now runs knew their workspace only."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "run_dataset_files",
        sa.Column("run_id", sa.String(64), nullable=False),
        sa.Column("direction", sa.String(8), nullable=False),
        sa.Column("dataset", sa.String(255), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("version", sa.String(64), nullable=True),
        sa.Column("digest", sa.String(64), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("authority", sa.String(16), nullable=False, server_default="workload"),
        sa.PrimaryKeyConstraint("run_id", "direction", "dataset", "path"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"]),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_run_dataset_files_path", "run_dataset_files", ["path", "dataset", "direction"]
    )
    op.create_index("ix_run_dataset_files_digest", "run_dataset_files", ["digest"])
    # a hub whose content is in a bucket asks which snapshots commits need
    op.create_index("ix_commits_snapshot", "commits", ["snapshot"])


def downgrade() -> None:
    """Undo."""
    op.drop_index("ix_commits_snapshot", "commits")
    op.drop_table("run_dataset_files")
