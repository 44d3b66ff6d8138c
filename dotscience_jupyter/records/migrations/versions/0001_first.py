# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The first tables: commits, runs, and what belongs to them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "commits",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("snapshot", sa.String(255), nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("sequence"),
    )
    op.create_table(
        "environments",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "commit_parents",
        sa.Column("commit_id", sa.String(64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("parent_id", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("commit_id", "position"),
        sa.ForeignKeyConstraint(["commit_id"], ["commits.id"]),
        sa.ForeignKeyConstraint(["parent_id"], ["commits.id"]),
    )
    op.create_index("ix_commit_parents_parent_id", "commit_parents", ["parent_id"])
    op.create_table(
        "refs",
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("commit_id", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        sa.ForeignKeyConstraint(["commit_id"], ["commits.id"]),
    )
    op.create_table(
        "file_changes",
        sa.Column("commit_id", sa.String(64), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("change", sa.String(16), nullable=False),
        sa.Column("digest", sa.String(64), nullable=True),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("commit_id", "path"),
        sa.ForeignKeyConstraint(["commit_id"], ["commits.id"]),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_file_changes_path", "file_changes", ["path", "change", "sequence"])
    op.create_table(
        "logs",
        sa.Column("commit_id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("commit_id", "name"),
        sa.ForeignKeyConstraint(["commit_id"], ["commits.id"]),
    )
    _runs()


def _runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("commit_id", sa.String(64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("authority", sa.String(16), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("workload_type", sa.String(16), nullable=False),
        sa.Column("workload_file", sa.Text(), nullable=True),
        sa.Column("started", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seconds", sa.Float(), nullable=True),
        sa.Column("environment_id", sa.String(64), nullable=True),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["commit_id"], ["commits.id"]),
        sa.UniqueConstraint("sequence"),
        sa.ForeignKeyConstraint(["environment_id"], ["environments.id"]),
    )
    for column in ("commit_id", "started", "status", "workload_file"):
        op.create_index(f"ix_runs_{column}", "runs", [column])
    op.create_table(
        "run_files",
        sa.Column("run_id", sa.String(64), nullable=False),
        sa.Column("direction", sa.String(8), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("version", sa.String(64), nullable=True),
        sa.Column("digest", sa.String(64), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "direction", "path"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"]),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_run_files_path", "run_files", ["path", "direction", "sequence"])
    op.create_table(
        "run_values",
        sa.Column("run_sequence", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("name", sa.String(512), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("type", sa.String(16), nullable=False),
        sa.Column("number", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("run_sequence", "kind", "name"),
        sa.ForeignKeyConstraint(["run_sequence"], ["runs.sequence"]),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_run_values_number", "run_values", ["kind", "name", "number", "run_sequence"]
    )
    op.create_table(
        "series",
        sa.Column("run_id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(512), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "name"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"]),
    )


def downgrade() -> None:
    """Undo."""
    for table in (
        "series",
        "run_values",
        "run_files",
        "runs",
        "logs",
        "file_changes",
        "refs",
        "commit_parents",
        "environments",
        "commits",
    ):
        op.drop_table(table)
