# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Paths change their form in one place, and none leads out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager

from dotscience_jupyter.api.errors import ApiError
from dotscience_jupyter.api.paths import PathMapper, folder_path
from dotscience_jupyter.records.paths import to_text

# any name that Linux can hold
raw_names = st.binary(min_size=1, max_size=12).filter(
    lambda name: b"/" not in name and b"\0" not in name and name not in (b".", b"..")
)
names = raw_names.map(os.fsdecode)
folder_paths = st.lists(names, min_size=1, max_size=4).map("/".join)
wild = st.text(alphabet=st.characters(), max_size=20) | st.lists(
    st.sampled_from(["..", ".", "", "a", "%2e%2e", "..\\", "\0", "C:", "~", "\udcff"]), max_size=6
).map("/".join)


@given(folder_paths)
def test_text_forms_round_trip(path):
    assert folder_path(to_text(path)) == path


@given(wild)
def test_folder_paths_never_lead_out(text):
    try:
        path = folder_path(text)
    except ApiError as error:
        assert error.status in (400, 403)
        return
    joined = os.path.normpath(os.path.join("/root/of/all", path))
    assert joined == "/root/of/all" or joined.startswith("/root/of/all/")
    os.fsencode(path)


@pytest.mark.parametrize("text", ["/etc/passwd", "../x", "a/../../x", "a/..", ".."])
def test_escapes_are_forbidden(text):
    with pytest.raises(ApiError) as caught:
        folder_path(text)
    assert (caught.value.status, caught.value.code) == (403, "forbidden_path")


@given(wild)
def test_contents_paths_never_lead_out(text):
    mapper = PathMapper(Path("/root/of/all"))
    try:
        path = mapper.to_os(text)
    except ApiError as error:
        assert error.status in (400, 403)
        return
    assert path == Path("/root/of/all") or Path("/root/of/all") in path.parents


@given(names)
def test_contents_paths_round_trip(tmp_path_factory, name):
    root = tmp_path_factory.mktemp("root")
    mapper = PathMapper(root)
    (root / name).touch()
    contents = mapper.to_contents(root / name)
    contents.encode("utf-8")
    assert mapper.to_os(contents) == root / name


def test_a_name_that_looks_like_an_escape_is_itself(tmp_path):
    mapper = PathMapper(tmp_path)
    (tmp_path / r"a\xff").touch()
    assert mapper.to_os(r"a\xff") == tmp_path / r"a\xff"
    assert mapper.to_os(r"b\xff") == tmp_path / r"b\xff"  # is not there in either form


def test_the_contents_managers_own_rules_count(tmp_path):
    manager = AsyncLargeFileManager(root_dir=str(tmp_path))
    mapper = PathMapper(tmp_path, resolve=manager._get_os_path)
    assert mapper.to_os("a/b") == tmp_path / "a" / "b"
    assert mapper.to_os("") == tmp_path
    assert mapper.to_os("/a/") == tmp_path / "a"
    for path in ("../x", "a/../../x"):
        with pytest.raises(ApiError, match="outside"):
            mapper.to_os(path)


def test_links_are_read_through_and_not_written_through(tmp_path):
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (root / "link").symlink_to(outside)
    (root / "inner").mkdir()
    (root / "inside").symlink_to(root / "inner")
    mapper = PathMapper(root)
    assert mapper.to_os("link/a") == root / "link" / "a"
    with pytest.raises(ApiError) as caught:
        mapper.to_write("link/new")
    assert caught.value.code == "forbidden_path"
    assert str(tmp_path) not in caught.value.message
    assert mapper.to_write("inside/new") == root / "inside" / "new"


def test_hidden_folders_are_written_only_when_the_server_shows_them(tmp_path):
    with pytest.raises(ApiError, match="hides"):
        PathMapper(tmp_path).to_write("a/.b")
    assert PathMapper(tmp_path, allow_hidden=True).to_write(".b") == tmp_path / ".b"


def test_what_lies_outside_has_no_contents_path(tmp_path):
    mapper = PathMapper(tmp_path / "root")
    assert mapper.to_contents(tmp_path) is None
    assert mapper.to_contents(tmp_path / "rooted") is None
    assert mapper.to_contents(tmp_path / "root") == ""


def test_a_linked_root_is_one_root(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "root").symlink_to(tmp_path / "real")
    mapper = PathMapper(tmp_path / "root")
    assert mapper.to_contents(tmp_path / "real" / "a") == "a"


def test_a_workspace_around_the_root(tmp_path):
    mapper = PathMapper(tmp_path / "a" / "b")
    assert mapper.prefix(tmp_path) == "a/b"
    assert mapper.prefix(tmp_path / "a" / "b") == ""
    assert mapper.prefix(tmp_path / "a" / "b" / "c") == ""


def test_without_a_server_nothing_is_out_of_bounds(tmp_path):
    mapper = PathMapper(None)
    assert mapper.to_os(str(tmp_path)) == tmp_path
    assert mapper.to_contents(tmp_path) == str(tmp_path)
    assert mapper.to_write(str(tmp_path)) == tmp_path
    assert mapper.scrub(f"{tmp_path} is full") == f"{tmp_path} is full"


def test_messages_hold_no_os_paths(tmp_path):
    mapper = PathMapper(tmp_path / "root")
    message = f"{tmp_path}/root/a/b.csv is full; {tmp_path}/root too; {tmp_path}/ws/.dotscience"
    assert mapper.scrub(message, tmp_path / "ws") == "a/b.csv is full; this folder too; .dotscience"
