# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Chance in tests of faults, which can be had again, and how much of it."""

from __future__ import annotations

import os
import random
import secrets

THOROUGH = bool(os.environ.get("DOTSCIENCE_THOROUGH"))
"""Whether there are minutes for each test."""


def seeded() -> random.Random:
    """Return a generator whose seed is printed, so that it is shown where the test fails.

    ``DOTSCIENCE_SEED`` in the environment sets it.
    """
    seed = os.environ.get("DOTSCIENCE_SEED") or str(secrets.randbits(32))
    print(f"To have the same choices again: DOTSCIENCE_SEED={seed}")
    return random.Random(seed)


def often(times: int, thorough: int) -> int:
    """Return how often to do something."""
    return thorough if THOROUGH else times
