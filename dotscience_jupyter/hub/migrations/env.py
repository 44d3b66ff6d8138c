# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What Alembic executes to run migrations, within the transaction it is given."""

from __future__ import annotations

from alembic import context

from dotscience_jupyter.hub.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    compare_type=True,
    # SQLite changes most things of a table by copying it
    render_as_batch=True,
    # true of SQLite too, since the transaction is begun explicitly
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
