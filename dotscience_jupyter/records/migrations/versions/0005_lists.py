# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Indexes for lists of runs: of what parameters and labels say, and of how long runs took."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    # texts compare by code points everywhere
    collation = ' COLLATE "C"' if op.get_bind().dialect.name == "postgresql" else ""
    _create("ix_run_values_text", f"text{collation}", "run_sequence", "number", "type", size="<=")
    _create("ix_run_values_long", "run_sequence", size=">")
    op.create_index("ix_runs_seconds", "runs", ["seconds", "sequence"])


def _create(name: str, *columns: str, size: str) -> None:
    which = sa.text(f"kind != 'metric' AND length(text) {size} 100")
    listed = [sa.text(column) for column in ("kind", "name", *columns)]
    op.create_index(name, "run_values", listed, sqlite_where=which, postgresql_where=which)


def downgrade() -> None:
    """Undo."""
    op.drop_index("ix_runs_seconds", "runs")
    op.drop_index("ix_run_values_long", "run_values")
    op.drop_index("ix_run_values_text", "run_values")
