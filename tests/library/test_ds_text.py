# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The text, for whatever a program says."""

from __future__ import annotations

import io
import json
import uuid

import pytest
from ds_helpers import RUN, parse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import dotscience
from dotscience._text import Raw, dumps, new_id

text = st.text(st.characters(exclude_categories=()), max_size=40)
markers = st.sampled_from(
    ["[[DOTSCIENCE-RUN:x]]", "[[/DOTSCIENCE-RUN:x]]", "]]", "]]{}[[/", "\r\n", "\u2028", "\x00"]
)
said = st.one_of(text, markers)
scalar = st.one_of(
    said, st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.none()
)
document = st.recursive(
    scalar, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(said, inner, max_size=4)
)


@given(document)
def test_json_is_what_json_would_write(value):
    assert dumps(value, indent=4) == json.dumps(value, sort_keys=True, indent=4)
    assert dumps(value) == json.dumps(value, sort_keys=True)
    compact = dumps(value, compact=True)
    assert compact == json.dumps(value, sort_keys=True, separators=(",", ":"))
    assert dumps({"a": Raw(compact)}, compact=True) == '{"a":' + compact + "}"


def test_json_of_anything_else_is_an_error():
    with pytest.raises(TypeError, match="object"):
        dumps({"a": [object()]})


class Named(str):
    """A text of another class."""


def test_texts_and_numbers_of_other_classes():
    class Level(int):
        def __repr__(self):
            return "no number"

    assert dumps([Named('"'), Level(3)]) == '["\\"", 3]'


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(said, scalar, max_size=5),
    st.dictionaries(said, scalar, max_size=5),
    st.dictionaries(said, scalar, max_size=5),
    said,
    said,
    st.lists(text.filter(lambda name: name and "\0" not in name), max_size=4),
)
def test_what_is_said_is_read_back(
    session, parameters, metrics, labels, description, error, inputs
):
    stream = io.StringIO()
    session.start(description)
    for name, value in parameters.items():
        session.add_parameter(name, value)
    for name, value in metrics.items():
        session.add_metric(name, value)
    for name, value in labels.items():
        session.add_label(name, value)
    session.set_error(error)
    session.publish(stream=stream)
    written = stream.getvalue()
    match = RUN.search("x = 1 " + written + "\nmore output")
    run = json.loads(match[2])
    assert match[1] == session._defaultDS.currentRun.id
    assert run["parameters"] == {name: str(value) for name, value in parameters.items()}
    assert run["summary"] == {name: str(value) for name, value in metrics.items()}
    assert run["labels"] == {name: str(value) for name, value in labels.items()}
    assert (run["description"], run["error"]) == (description, error)
    assert written.isascii()
    assert parse(written) == [(match[1], run)]


@given(st.lists(scalar, max_size=8))
def test_types_read_back_to_the_value(values):
    run = dotscience.Run("/")
    for number, value in enumerate(values):
        run.add_parameter(number, value)
    readers = {"int": int, "float": float, "bool": "True".__eq__, "none": lambda _: None}
    kinds = run.types().get("parameters", {})
    texts = run.metadata()["parameters"]
    for number, value in enumerate(values):
        read = readers.get(kinds.get(str(number), "str"), str)(texts[str(number)])
        assert read == value and type(read) is type(value)


def test_ids_are_uuids_and_new():
    ids = {new_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert {uuid.UUID(run_id).version for run_id in ids} == {4}
    assert {uuid.UUID(run_id).variant for run_id in ids} == {uuid.RFC_4122}
