# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The history of the tables, run by Alembic from :mod:`..database`; there is no alembic.ini."""
