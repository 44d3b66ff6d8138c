# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Paths as text: one to one, and text that everything can hold."""

from __future__ import annotations

import doctest
import os

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dotscience_jupyter.records import from_text, paths, to_text


def test_the_examples() -> None:
    assert doctest.testmod(paths).failed == 0


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("data/a.csv", "data/a.csv"),
        ("ünï\U0001f600", "ünï\U0001f600"),
        ("b\udcff", r"b\xff"),
        (r"c\d", r"c\\d"),
        (r"\xff", r"\\xff"),
        ("\x00", r"\x00"),
        ("\ud800", r"\ud800"),
        ("new\nline", "new\nline"),
    ],
)
def test_forms(path: str, text: str) -> None:
    assert to_text(path) == text
    assert from_text(text) == path


@given(st.text(st.characters() | st.sampled_from("\\\\xu08d\x00\udc80\udcff\ud800\udfff")))
@example("\\\\xff\udcff\\\\")
def test_there_and_back(path: str) -> None:
    text = to_text(path)
    assert from_text(text) == path
    assert "\x00" not in text
    text.encode("utf-8")


@given(st.binary(max_size=40))
def test_names_of_any_bytes(name: bytes) -> None:
    path = os.fsdecode(name)
    assert os.fsencode(from_text(to_text(path))) == name


@given(st.text(max_size=30), st.text(max_size=30))
def test_different_paths_differ(one: str, other: str) -> None:
    assert (to_text(one) == to_text(other)) == (one == other)
