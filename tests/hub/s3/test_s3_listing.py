# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Listings against what S3 says of sorted keys, worked out from all keys at once."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from dotscience_jupyter.hub.s3.listing import FolderCache, Folders, Page, Walk, page
from dotscience_jupyter.snapshots.engine import Entry, Kind, PathNotFoundError


class Tree:
    """Files and empty folders as an engine gives them; counts the folders that were read."""

    def __init__(self, keys: set[str]) -> None:
        self.folders: dict[str, dict[str, Entry]] = {"": {}}
        self.read = 0
        for key in keys:
            folder, _, name = key.rstrip("/").rpartition("/")
            if key.endswith("/"):
                self._folder(key[:-1])
            else:
                self._folder(folder)
                self.folders[folder][name] = Entry(key, Kind.FILE, 0o644, 1, 0, "00" * 32)

    def _folder(self, path: str) -> None:
        if path in self.folders:
            return
        above, _, name = path.rpartition("/")
        self._folder(above)
        self.folders[above][name] = Entry(path, Kind.FOLDER, 0o755, 0, 0, "")
        self.folders[path] = {}

    def children(self, path: str) -> list[Entry]:
        self.read += 1
        if path not in self.folders:
            raise PathNotFoundError(path)
        return sorted(self.folders[path].values(), key=lambda entry: entry.path)

    def listed(self) -> Folders:
        return Folders(self.children, FolderCache(), "snapshot")


def plain(keys: set[str], prefix: str, delimiter: str, after: str, most: int) -> Page:
    """The same as :func:`page`, by looking at every key."""
    found = Page()
    items: list[str] = []
    for key in sorted(keys):
        if not key.startswith(prefix) or key <= after:
            continue
        end = key.find(delimiter, len(prefix)) if delimiter else -1
        item = key if end < 0 else key[: end + len(delimiter)]
        if item == after or item in items:
            continue
        items.append(item)
    for item in items[:most]:
        end = item.find(delimiter, len(prefix)) if delimiter else -1
        if end >= 0:
            found.prefixes.append(item)
        else:
            found.objects.append((item, None))  # type: ignore[arg-type]
        found.last = item
    found.truncated = most > 0 and len(items) > most
    return found


def same(one: Page, other: Page) -> None:
    assert [key for key, _ in one.objects] == [key for key, _ in other.objects]
    assert one.prefixes == other.prefixes
    assert (one.truncated, one.last) == (other.truncated, other.last)


NAMES = st.text("ab-.0/", min_size=1, max_size=7).filter(
    lambda text: (
        all(part not in ("", ".", "..") for part in text.rstrip("/").split("/"))
        and not text.endswith("//")
        and text != "/"
    )
)


@st.composite
def trees(draw: st.DrawFn) -> set[str]:
    keys: set[str] = set()
    for key in draw(st.lists(NAMES, max_size=14)):
        path = key.rstrip("/")
        above = {path[: at + 1] for at, letter in enumerate(path) if letter == "/"}
        if any(other.rstrip("/") == path or other.startswith(f"{path}/") for other in keys):
            continue
        if any(folder[:-1] in keys for folder in above):
            continue
        keys -= above  # a folder with something in it is no key
        keys.add(key)
    return keys


@settings(max_examples=80, deadline=None)
@given(
    trees(),
    st.text("ab-./", max_size=4),
    st.sampled_from(["", "/", "-", "a/", "b"]),
    st.text("ab-./", max_size=5),
    st.integers(1, 5),
)
@example({"a-b", "a/b", "a.b", "a0"}, "", "/", "", 10)
@example({"a/b/c", "a/d"}, "a/", "/", "a/b/", 10)
@example({"x/"}, "x/", "/", "", 10)
@example({"x/"}, "x/", "", "", 10)
def test_a_page_is_what_all_keys_say(
    keys: set[str], prefix: str, delimiter: str, after: str, most: int
) -> None:
    same(
        page(Tree(keys).listed(), prefix, delimiter, after, most),
        plain(keys, prefix, delimiter, after, most),
    )


@settings(max_examples=30, deadline=None)
@given(trees(), st.text("ab/", max_size=2), st.sampled_from(["", "/", "-"]), st.integers(1, 3))
def test_pages_together_are_everything_once(
    keys: set[str], prefix: str, delimiter: str, most: int
) -> None:
    folders = Tree(keys).listed()
    whole = plain(keys, prefix, delimiter, "", 1000)
    after, objects, prefixes = "", [], []
    while True:
        found = page(folders, prefix, delimiter, after, most)
        objects += [key for key, _ in found.objects]
        prefixes += found.prefixes
        if not found.truncated:
            break
        assert found.last > after
        after = found.last
    assert objects == [key for key, _ in whole.objects]
    assert prefixes == whole.prefixes


def test_a_page_reads_no_more_folders_than_it_needs() -> None:
    keys = {f"{number:03d}/{other:03d}/file" for number in range(100) for other in range(10)}
    tree = Tree(keys)
    found = page(tree.listed(), "", "/", "", 1000)
    assert len(found.prefixes) == 100 and tree.read == 1
    tree = Tree(keys)
    found = page(tree.listed(), "050/", "/", "050/003/", 3)
    assert found.prefixes == ["050/004/", "050/005/", "050/006/"] and found.truncated
    assert tree.read <= 3
    tree = Tree(keys)
    found = page(tree.listed(), "", "", "050/003/file", 5)
    assert [key for key, _ in found.objects][0] == "050/004/file" and tree.read <= 10


def test_what_no_key_can_be_is_left_out() -> None:
    tree = Tree({"a/b", "plain"})
    tree.folders[""]["l"] = Entry("l", Kind.SYMLINK, 0o777, 1, 0, "", "plain")
    tree.folders[""]["\udcff"] = Entry("\udcff", Kind.FILE, 0o644, 1, 0, "")
    assert [key for key, _ in Walk(tree.listed(), "")] == ["a/b", "plain"]
    for prefix in ("/", "//", "a//", "plain/", "../", "a/b/c/"):
        assert page(tree.listed(), prefix, "/", "", 10).objects == []
    assert page(tree.listed(), "", "", "", 0) == Page()


def test_the_cache_forgets_what_was_not_asked_for_lately() -> None:
    cache = FolderCache(most=40)
    tree = Tree({f"{folder}/{number}" for folder in "abcde" for number in range(10)})
    folders = Folders(tree.children, cache, "snapshot")
    for folder in "abcde":
        folders.folder(folder)
    before = tree.read
    folders.folder("e")
    assert tree.read == before
    folders.folder("a")
    assert tree.read == before + 1
    assert cache.get("another", "e") is None
