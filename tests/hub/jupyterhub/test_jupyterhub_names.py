# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What users of JupyterHub are called on the hub: each differently, and as its users are."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dotscience_jupyter.hub.identity import NAME
from dotscience_jupyter.sync.jupyterhub import LONGEST, hub_name

NASTY = st.one_of(st.text(min_size=1, max_size=70), st.text("-_aA40h@", min_size=1, max_size=70))


ESCAPED = re.compile(r"--([0-9a-f]{2})|(.)", re.DOTALL)


def read_back(own: str) -> str:
    """What a name on a hub was made from, read as docs/jupyterhub.md says."""
    parts = [
        bytes.fromhex(found[1]) if found[1] else found[2].encode()
        for found in ESCAPED.finditer(own)
    ]
    return b"".join(parts).decode("utf-8", "surrogatepass")


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("alice", "alice"),
        ("first_last", "first_last"),
        ("first-last", "first-last"),
        ("ada@example.org", "ada--40example--2eorg"),
        ("Ada", "--41da"),
        ("zoë", "zo--c3--ab"),
        ("a--b", "a--2d-b"),
        ("a-.b", "a--2d--2eb"),
        ("a-", "a-"),
        ("a b", "a--20b"),
        ("x" * 64, "x" * 64),
    ],
)
def test_names_as_they_are_documented(name: str, own: str) -> None:
    assert hub_name(name) == own
    assert read_back(own) == name


@given(NASTY)
@example("-" * 70)
@example("\ud800")
def test_every_name_becomes_one_that_a_hub_takes(name: str) -> None:
    own = hub_name(name)
    assert NAME.fullmatch(own)
    assert own == own.lower()  # names of a hub have no case
    # where it says all, it leads back; then no two names can become one
    if "--h" not in own:
        assert read_back(own) == name


@given(st.text("ab@", min_size=LONGEST, max_size=90), st.text("ab@", min_size=LONGEST, max_size=90))
def test_long_names_stay_different(one: str, other: str) -> None:
    assert (hub_name(one) == hub_name(other)) == (one == other)
