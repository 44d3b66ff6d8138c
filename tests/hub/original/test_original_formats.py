# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""JSON-RPC on the wire, names and keys, listings."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dotscience_jupyter.hub.original import jsonrpc, listings, names, store
from dotscience_jupyter.hub.original.jsonrpc import BadCallError, RpcError
from dotscience_jupyter.hub.original.listings import Query, listing
from dotscience_jupyter.hub.original.names import BadNameError, Bucket, clean_key
from dotscience_jupyter.snapshots import Edit, EmbeddedEngine, Kind


def call(**fields: object) -> bytes:
    document = {"jsonrpc": "2.0", "method": "DotmeshRPC.Ping", "id": 1} | fields
    return json.dumps(document).encode()


def test_calls_are_read() -> None:
    plain = jsonrpc.parse(call())
    assert (plain.method, plain.params, plain.id, plain.notification) == ("Ping", {}, 1, False)
    assert jsonrpc.parse(call(params={"Name": "x"})).text("Name") == "x"
    assert jsonrpc.parse(call(params=None)).params == {}
    assert jsonrpc.parse(call(params=[])).params == {}
    assert jsonrpc.parse(call(params=[{"A": "b"}])).text("A") == "b"
    assert jsonrpc.parse(call(params="some-id")).only("Id") == "some-id"
    assert jsonrpc.parse(call(params=["some-id"])).only("Id") == "some-id"
    assert jsonrpc.parse(call(params={"Id": "some-id"})).only("FilesystemId", "Id") == "some-id"
    assert jsonrpc.parse(b'{"jsonrpc":"2.0","method":"DotmeshRPC.Ping"}').notification


@pytest.mark.parametrize(
    ("body", "code", "id_"),
    [
        (b"", -32700, None),
        (b"{", -32700, None),
        (b"\xff\xfe", -32700, None),
        (b"[" * 100_000, -32700, None),
        (call(id=float("nan")), -32700, None),
        (b"1", -32600, None),
        (b"[]", -32600, None),
        (call(id={}), -32600, None),
        (call(id=True), -32600, None),
        (call(jsonrpc="1.0"), -32600, 1),
        (call(method=7), -32600, 1),
        (call(method="Ping"), -32601, 1),
        (call(params=3), -32602, 1),
        (call(params=[1, 2]), -32602, 1),
    ],
)
def test_what_is_no_call_is_refused(body: bytes, code: int, id_: object) -> None:
    with pytest.raises(BadCallError) as caught:
        jsonrpc.parse(body)
    assert (caught.value.code, caught.value.id) == (code, id_)


def test_parameters_that_are_wrong_are_told_of() -> None:
    wrong = jsonrpc.parse(call(params={"Name": 3}))
    for ask in (lambda: wrong.text("Name"), lambda: wrong.text("Other"), lambda: wrong.only("Id")):
        with pytest.raises(RpcError) as caught:
            ask()
        assert caught.value.code == -32602
    assert wrong.text("Other", "instead") == "instead"


def test_answers_hold_a_result_or_an_error() -> None:
    assert json.loads(jsonrpc.result("a", None)) == {"jsonrpc": "2.0", "result": None, "id": "a"}
    assert json.loads(jsonrpc.error(2, -1, "no")) == {
        "jsonrpc": "2.0",
        "error": {"code": -1, "message": "no"},
        "id": 2,
    }


def test_buckets() -> None:
    assert Bucket.parse("alice:dot") == Bucket("alice", "dot")
    assert Bucket.parse("alice:dot@master") == Bucket("alice", "dot")
    assert Bucket.parse("alice:dot@side").title == "alice-dot-side"
    # whose namespace that is, is known only together with who asks
    assert Bucket.parse("ada@example.org:dot@side") == Bucket("ada@example.org", "dot", "side")
    for wrong in ("", "alice", ":", "alice:", "a:b:c", "a:b@", "a:b@c@d", "a:ä", "a:" * 99):
        if wrong == "a:b@":
            assert Bucket.parse(wrong) == Bucket("a", "b")
            continue
        with pytest.raises(BadNameError):
            Bucket.parse(wrong)


def test_refs_and_ids_of_branches() -> None:
    assert names.branch_ref("") == names.branch_ref("master") == "HEAD"
    assert names.branch_ref("x") == "branch/x"
    assert names.branches({"HEAD": "1", "branch/b": "2", "branch/a": "3", "side/x": "4"}) == [
        "a",
        "b",
    ]
    for branch in ("", "x"):
        assert names.split_filesystem_id(names.filesystem_id("p", branch)) == ("p", branch)
    assert names.project_prefix("project-0123abcd-default-workspace") == "0123abcd"
    assert names.project_prefix("project-0123abcd") is None


@pytest.mark.parametrize(
    "key",
    ["", ".", "..", "/", "/etc", "../x", "a/../../b", "a/../b", "a\0b", "x" * 256, "a/" * 3000,
     ".dotscience/records.db", "./.dotscience"],
)  # fmt: skip
def test_keys_that_are_refused(key: str) -> None:
    with pytest.raises(BadNameError):
        clean_key(key)


def test_keys_are_folder_paths() -> None:
    assert clean_key("a//b/./c/") == "a/b/c"
    assert clean_key("./model") == "model"
    assert clean_key("bad\udcff") == "bad\udcff"
    assert clean_key("a/.dotscience.txt") == "a/.dotscience.txt"


@settings(max_examples=200)
@given(st.text(st.sampled_from("./ab\0é~"), max_size=12))
def test_no_key_leaves_the_folder(key: str) -> None:
    try:
        path = clean_key(key)
    except BadNameError:
        return
    assert not path.startswith("/") and path == clean_key(path)
    assert not {"", ".", ".."} & set(path.split("/")) and "\0" not in path


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> store.Frozen:
    engine = EmbeddedEngine.open_store(tmp_path_factory.mktemp("store") / "store")
    time = 1_500_000_000
    files = ["a.txt", "b/c.txt", "b/d/e.txt", "b2.txt", ".hidden/x", "b/.cache/y", "z<&>.txt"]
    edits = [Edit(path, path.encode(), 0o644, time) for path in files]
    edits.append(Edit("bad\udcff", b"1", 0o644, time))
    made = engine.edit(None, edits)

    class Project:
        pass

    project = Project()
    project.engine = engine
    return store.Frozen(project, made.id)


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        (Query(), ["a.txt", "b/c.txt", "b/d/e.txt", "b2.txt", "bad\udcff", "z<&>.txt"]),
        (Query("b"), ["b/c.txt", "b/d/e.txt"]),
        (Query("b/"), ["b/c.txt", "b/d/e.txt"]),
        (Query("b/d/e.txt"), ["b/d/e.txt"]),
        (Query("b/c"), ["b/c.txt"]),
        (Query("b/x"), []),
        (Query("nowhere/at/all"), []),
        (Query(recursive=False), ["a.txt", "b2.txt", "bad\udcff", "z<&>.txt"]),
        (Query("b", folders=True), ["b/c.txt", "b/d", "b/d/e.txt"]),
        (Query(max_keys=2), ["a.txt", "b/c.txt"]),
        (Query(max_keys=2, page=2), ["bad\udcff", "z<&>.txt"]),
        (Query(max_keys=2, page=9), []),
        (Query(max_keys=0), []),
    ],
)
def test_listings(frozen: store.Frozen, query: Query, keys: list[str]) -> None:
    found = listing("alice-dot", frozen, query)
    assert [entry.path for entry in found.items] == keys
    if query.page or query.max_keys != listings.DEFAULT_KEYS:
        assert found.total == 6
    else:
        assert found.total == len(keys)


def test_both_forms_of_a_listing(frozen: store.Frozen) -> None:
    found = listing("alice-dot", frozen, Query(folders=True))
    document = json.loads(listings.as_json(found))
    assert document["name"] == "alice-dot" and document["total_results"] == 8
    assert document["contents"][1] == {
        "key": "b",
        "last_modified": document["contents"][1]["last_modified"],
        "size": 0,
        "directory": True,
    }
    assert document["contents"][0]["last_modified"] == "1970-01-01T00:00:01.5Z"
    root = ElementTree.fromstring(listings.as_xml(found))
    assert root.tag == "ListBucketResult" and root.findtext("TotalResults") == "8"
    keys = [each.findtext("Key") for each in root.iter("Contents")]
    assert keys[0] == "a.txt" and "z<&>.txt" in keys and "bad\\xff" in keys
    kinds = [each.findtext("Directory") for each in root.iter("Contents")]
    assert kinds.count("true") == len([e for e in found.items if e.kind is Kind.FOLDER]) == 2


def test_times_and_sizes_are_written_as_the_original_does() -> None:
    assert listings.timestamp(10**30) == "1970-01-01T00:00:00Z"
    assert listings.timestamp(1_538_658_370_073_482_093) == "2018-10-04T13:06:10.073482093Z"
    sizes = {0: "0 B", 999: "999 B", 1000: "1.0 kB", 9949: "9.9 kB", 10_000: "10 kB"}
    sizes |= {999_499: "999 kB", 999_999: "1.0 MB", 10**21: "1000 EB"}
    assert {size: store.human(size) for size in sizes} == sizes


def test_downloads_are_named_safely() -> None:
    assert store.disposition("a/b.txt") == 'attachment; filename="a/b.txt"'
    text = store.disposition('x"\r\ny\udcff.txt')
    assert "\r" not in text and text.isascii()
    assert text.endswith("filename*=UTF-8''x%22%0D%0Ay%FF.txt")
