# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Runs and commits such as no sane program makes, for hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st
from records_world import series

from dotscience_jupyter.records.store import NewChange, NewDatasetFile, NewFile, NewRun, NewValue

_TEXT = st.text(max_size=30) | st.sampled_from(["\x00", "\ud800", "nan", "inf", "-0.0", "1e999"])
_NUMBERS = st.floats().map(repr) | st.integers().map(str)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=8,
)
_RUNS = st.builds(
    NewRun,
    id=st.uuids().map(str),
    authority=st.sampled_from(["workload", "derived", "correction", "remote"]),
    description=_TEXT,
    error=st.none() | _TEXT,
    author=_TEXT,
    workload_type=_TEXT,
    workload_file=st.none() | _TEXT,
    started=st.none() | st.datetimes(timezones=st.timezones()),
    ended=st.none() | st.datetimes(timezones=st.timezones()),
    values=st.lists(
        st.builds(
            NewValue,
            st.sampled_from(["parameter", "metric", "label"]),
            _TEXT,
            _TEXT | _NUMBERS,
            st.sampled_from(["str", "int", "float", "bool", "none", "?"]),
        ),
        max_size=6,
    ),
    files=st.lists(
        st.builds(
            NewFile,
            st.sampled_from(["input", "output"]),
            _TEXT,
            digest=st.none() | st.just("a" * 64),
            size=st.none() | st.integers(0, 2**63 - 1),
        ),
        max_size=4,
    ),
    datasets=st.lists(
        st.builds(
            NewDatasetFile,
            st.sampled_from(["input", "output"]),
            _TEXT,
            _TEXT,
            st.none() | _TEXT,
            digest=st.none() | st.just("a" * 64),
            size=st.none() | st.integers(0, 2**63 - 1),
        ),
        max_size=3,
    ),
    series=st.lists(
        st.builds(lambda n, p: series(n, *p), _TEXT, st.lists(st.floats(), max_size=4)), max_size=2
    ),
    environment=st.none() | st.dictionaries(_TEXT, _JSON, max_size=3),
    details=st.dictionaries(
        st.sampled_from(["resources", "process", "seeds"]) | _TEXT, _JSON, max_size=3
    ),
)

# runs, changes and logs
WILD_COMMITS = st.tuples(
    st.lists(_RUNS, max_size=2, unique_by=lambda run: run.id),
    st.lists(
        st.builds(NewChange, _TEXT, st.sampled_from(["added", "modified", "removed"])),
        max_size=3,
    ),
    st.dictionaries(_TEXT, st.binary(max_size=50), max_size=2),
)
