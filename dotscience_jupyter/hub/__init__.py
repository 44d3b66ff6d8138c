# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The API served for a team: users, tokens and projects, the original's protocols, S3 and sync.

A hub keeps records and content of many projects; it never executes user code. Nothing of the
Jupyter server is needed to run one.
"""
