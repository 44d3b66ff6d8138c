# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Refs, and commits beside the line of HEAD: what they may tell, and what they must not."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from records_world import add, commit, head_of, run

from dotscience_jupyter.records.errors import ConflictError, NotFoundError, RecordsError
from dotscience_jupyter.records.neighbours import Version
from dotscience_jupyter.records.store import NewCommit, Records

NOWHERE = "f" * 64


def on(records: Records, ref: str, *commits: NewCommit) -> list[str]:
    """Record commits on a ref, wherever it is."""
    made = records.commit(commits, expected_head=records.refs().get(ref), ref=ref)
    return [each.id for each in made]


def ids(records: Records, ref: str) -> list[str]:
    page, total = records.log(ref, limit=1000)
    assert len(page) == total
    return [each.id for each in page]


@pytest.fixture
def forked(records: Records) -> tuple[Records, dict[str, str]]:
    """``first - second - ours`` on HEAD, and ``second - theirs`` on a branch."""
    found = {}
    found["first"], found["second"] = add(
        records, commit(), commit(run(writes=("model.pkl",)), changes={"data.csv": "added"})
    )
    records.set_ref("branch/x", found["second"], expected=None)
    [found["theirs"]] = on(
        records,
        "branch/x",
        commit(
            run(reads=("model.pkl",), writes=("model.pkl", "their.csv")),
            changes={"data.csv": "removed", "model.pkl": "modified", "their.csv": "added"},
        ),
    )
    [found["ours"]] = add(records, commit(changes={"data.csv": "modified"}))
    return records, found


def test_refs_are_compared_and_set(records: Records) -> None:
    assert records.refs() == {}
    first, second = add(records, commit(), commit())
    assert records.refs() == {"HEAD": second}
    records.set_ref("branch/x", first, expected=None)
    records.set_ref("side/0a.b-c_d/e", first, expected=None)
    records.set_ref("branch/x", second, expected=first)
    for expected in (None, first, NOWHERE):
        with pytest.raises(ConflictError, match="branch/x is at"):
            records.set_ref("branch/x", first, expected=expected)
        with pytest.raises(ConflictError):
            records.set_ref("branch/x", None, expected=expected)
    with pytest.raises(NotFoundError, match="no commit"):
        records.set_ref("branch/x", NOWHERE, expected=second)
    assert records.refs() == {"HEAD": second, "branch/x": second, "side/0a.b-c_d/e": first}
    records.set_ref("branch/x", None, expected=second)
    records.set_ref("side/0a.b-c_d/e", None, expected=first)
    with pytest.raises(RecordsError, match="cannot be deleted"):
        records.set_ref("HEAD", None, expected=second)
    assert records.refs() == {"HEAD": second}
    assert records.verify() == []


@pytest.mark.parametrize(
    "name",
    ["", "x", "head", "abcd1234", "/x", "x/", "a//b", "a b/c", "a/b~1", "a/\n", "ä/b", "a/" * 200],
)
def test_names_that_no_ref_has(records: Records, name: str) -> None:
    [first] = add(records, commit())
    with pytest.raises(RecordsError, match="cannot be the name of a ref"):
        records.set_ref(name, first, expected=None)
    with pytest.raises(RecordsError, match="cannot be the name of a ref"):
        records.commit([commit()], expected_head=None, ref=name)
    with pytest.raises(RecordsError, match="cannot be the name of a ref"):
        records.take([], ref=name)
    assert records.refs() == {"HEAD": first}


def test_commits_are_found_by_ref(forked: tuple[Records, dict[str, str]]) -> None:
    records, found = forked
    assert records.get_commit("branch/x").id == found["theirs"]
    assert records.get_commit("branch/x~1").id == found["second"]
    assert records.get_commit("branch/x~2").id == records.get_commit("HEAD~2").id == found["first"]
    assert records.get_commit("HEAD~").id == found["second"]
    assert records.get_commit(found["theirs"][:12]).id == found["theirs"]
    for text in ("branch/y", "branch/x~3", "HEAD~3"):
        with pytest.raises(NotFoundError):
            records.get_commit(text)


def test_a_commit_on_another_ref_leaves_head_alone(
    forked: tuple[Records, dict[str, str]],
) -> None:
    records, found = forked
    assert records.refs() == {"HEAD": found["ours"], "branch/x": found["theirs"]}
    line = [found["ours"], found["second"], found["first"]]
    assert [each.id for each in records.list_commits()[0]] == ids(records, "HEAD") == line
    assert ids(records, "branch/x") == [found["theirs"], *line[1:]]
    assert ids(records, found["second"]) == line[1:]
    assert records.list_commits()[1] == 3
    assert records.counts() == (3, 2)  # runs are all of them
    assert records.list_runs()[1] == 2
    assert len(records.snapshots()) == 4
    with pytest.raises(ConflictError):
        records.commit([commit()], expected_head=found["ours"], ref="branch/x")
    assert records.verify() == []


def test_versions_come_from_the_ref_that_is_committed_to(
    forked: tuple[Records, dict[str, str]],
) -> None:
    records, found = forked
    assert records.last_written("model.pkl") == found["second"]
    assert records.last_written("data.csv") == found["ours"]
    assert records.last_written("their.csv") == found["first"]
    reads = ("data.csv", "model.pkl", "nothing", "their.csv")

    def versions(ref: str) -> list[str | None]:
        new = run(reads=reads)
        on(records, ref, commit(new))
        return [file.version for file in records.get_run(new.id).files]

    first, second, theirs = found["first"], found["second"], found["theirs"]
    assert versions("branch/x") == [None, theirs, first, theirs]
    assert versions("HEAD") == [found["ours"], second, first, first]
    # a ref of its own has a history of its own
    assert versions("branch/new") == [None] * 4
    [alone] = on(records, "branch/new", commit(changes={"data.csv": "added"}))
    root = records.get_commit("branch/new~1").id
    assert versions("branch/new") == [alone, root, root, root]
    assert records.verify() == []


def test_the_history_of_a_file_is_that_of_head(forked: tuple[Records, dict[str, str]]) -> None:
    records, found = forked
    files = records.files
    changes = files.changes("data.csv")
    assert [each.commit for each in changes] == [found["ours"], found["second"]]
    assert files.count("data.csv") == 2
    assert files.count("their.csv") == 0
    assert files.oldest("their.csv") is None
    assert len(files.writers("model.pkl", 0, 100)) == 1
    first = files.first()
    assert first is not None
    assert first.id == found["first"]
    with records.neighbours() as near:
        assert near.newest_version("model.pkl") == Version("model.pkl", found["second"])
        assert near.newest_version("their.csv") is None
        assert near.first_version("their.csv") == Version("their.csv", found["first"])
        theirs = records.get_commit("branch/x").sequence
        assert near.newest_version("model.pkl", theirs) == Version("model.pkl", found["theirs"])
        upto = records.get_commit("HEAD").sequence
        assert near.newest_version("model.pkl", upto) == Version("model.pkl", found["second"])


def test_readers_are_found_on_every_line(forked: tuple[Records, dict[str, str]]) -> None:
    records, found = forked
    late = run(reads=("model.pkl",))
    # between them the branch wrote the file, and HEAD did not
    add(records, commit(late))
    version = Version("model.pkl", found["second"])
    [theirs] = [each.id for each in records.get_commit("branch/x").runs]
    with records.neighbours() as near:
        life = near.life(version)
        readers = {row.run for row in near.readers({version: life})}
        assert readers == {theirs, late.id}
        assert near.count_readers(version, life, 10) == 2
        [made] = near.outputs([records.writer_of("model.pkl", found["second"]) or ""])
        assert {row.run for row in near.readers({version: made.life})} == readers


def test_a_merge_brings_a_branch_into_the_log(forked: tuple[Records, dict[str, str]]) -> None:
    records, found = forked
    [more] = on(records, "branch/x", commit(changes={"more.csv": "added"}))
    [merge] = add(records, commit(changes={"their.csv": "added"}, parents=[more]))
    expected = [merge, more, found["ours"], found["theirs"], found["second"], found["first"]]
    assert [each.id for each in records.list_commits()[0]] == ids(records, "HEAD") == expected
    assert ids(records, "HEAD~1") == [found["ours"], found["second"], found["first"]]
    assert records.get_commit("HEAD~1").id == found["ours"]
    # the merge lists what it took in, so it is what wrote that
    assert records.last_written("their.csv") == merge
    assert records.last_written("model.pkl") == found["second"]
    page, total = records.log("HEAD", offset=2, limit=2)
    assert ([each.id for each in page], total) == (expected[2:4], 6)
    assert records.missing_from(merge, [found["ours"]]) == [found["theirs"], more, merge]
    assert records.verify() == []


def test_head_moves_forward_back_and_aside(forked: tuple[Records, dict[str, str]]) -> None:
    records, found = forked
    more = on(records, "branch/x", commit(changes={"a": "added"}), commit(changes={"b": "added"}))
    for target in (found["second"], found["theirs"], more[1], found["ours"], found["first"]):
        records.set_ref("HEAD", target, expected=head_of(records))
        assert records.verify() == []
        assert ids(records, "HEAD") == [each.id for each in records.list_commits()[0]]
        assert records.last_written("b") == (more[1] if target == more[1] else found["first"])
    assert records.counts()[0] == 1
    # forward again, to what was there before
    records.set_ref("HEAD", found["ours"], expected=found["first"])
    assert records.counts()[0] == 3


def test_what_somebody_lacks(forked: tuple[Records, dict[str, str]]) -> None:
    records, found = forked
    first, second, theirs, ours = found.values()
    assert records.known_commits([first, NOWHERE, "", "\ud800", first]) == {first}
    assert records.missing_from(ours, []) == [first, second, ours]
    assert records.missing_from(ours, [theirs]) == [ours]
    assert records.missing_from(theirs, [ours, NOWHERE]) == [theirs]
    assert records.missing_from(second, [ours]) == []
    with pytest.raises(NotFoundError):
        records.missing_from(NOWHERE, [first])


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["commit", "commit", "merge", "branch", "head"]),
        st.integers(0, 5),
        st.integers(0, 50),
        st.sampled_from(["added", "removed"]),
    ),
    min_size=1,
    max_size=14,
)


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=_STEPS)
def test_any_history_is_what_its_parents_say(
    records: Records, steps: list[tuple[str, int, int, str]]
) -> None:
    """Against a model that walks from parent to parent."""
    parents: dict[str, list[str]] = {}
    wrote: dict[str, dict[str, str]] = {}
    start = records.refs()
    prefix = f"r{len(records.snapshots())}"  # the database is the same for all examples
    for kind, which, number, change in steps:
        refs = {name: id_ for name, id_ in records.refs().items() if name.startswith(prefix)}
        name = f"{prefix}/{which}"
        some = list(parents)[number % len(parents)] if parents else None
        if kind == "branch" and some is not None:
            records.set_ref(name, some, expected=refs.get(name))
        elif kind == "head" and some is not None:
            records.set_ref("HEAD", some, expected=records.refs().get("HEAD"))
        else:
            new = commit(changes={"a": change})
            if kind == "merge" and some is not None and name in refs:
                new.parents = [some]
            [id_] = on(records, name, new)
            own = [refs[name]] if name in refs else []
            parents[id_] = own + [each for each in new.parents if each not in own]
            wrote[id_] = {"a": change}
    assert records.verify() == []

    def ancestors(id_: str) -> set[str]:
        found, waiting = set(), [id_]
        while waiting:
            each = waiting.pop()
            if each not in found:
                found.add(each)
                waiting += parents[each]
        return found

    def writer(id_: str) -> str | None:
        while parents[id_]:
            if (change := wrote[id_].get("a")) is not None:
                return None if change == "removed" else id_
            id_ = parents[id_][0]
        return None if wrote[id_].get("a") == "removed" else id_

    made = list(parents)
    for id_ in made:
        assert set(ids(records, id_)) == ancestors(id_)
        for other in made[::3]:
            lacking = records.missing_from(id_, [other])
            assert set(lacking) == ancestors(id_) - ancestors(other)
            assert [each for each in made if each in set(lacking)] == lacking
    head = records.refs().get("HEAD")
    if head in parents:
        assert records.last_written("a") == writer(head)
        assert [each.id for each in records.list_commits(limit=99)[0]] == ids(records, head)
    else:
        assert head == start.get("HEAD")
    for name, id_ in records.refs().items():
        if id_ in parents and name.startswith(prefix):
            new_run = run(reads=("a",))
            on(records, name, commit(new_run))
            [file] = records.get_run(new_run.id).files
            assert file.version == writer(id_), name
    assert records.verify() == []


def test_versions_of_many_files(forked: tuple[Records, dict[str, str]]) -> None:
    records, found = forked
    odd = [
        "Z",
        "a",
        "a/b",
        "a b",
        "é",
        "\U0001f600",
        "\uffff",
        "z",
        "data.csv",
        "ab%_",
        "\U0010ffff!",
    ]
    [last] = add(records, commit(changes=dict.fromkeys(odd, "added")))
    files = records.files
    listed = files.versions()
    # by code points, of one path newest first, and nothing of the branch
    assert [each.path for each in listed] == sorted([*odd, "data.csv", "data.csv"])
    csv = [(each.commit, each.change) for each in listed if each.path == "data.csv"]
    second = (found["second"], "added")
    assert csv == [(last, "added"), (found["ours"], "modified"), second]
    newest = records.get_commit("HEAD")
    assert listed[0].created == newest.created
    assert (listed[0].sequence, listed[0].digest) == (newest.sequence, "e" * 64)
    pages = []
    after = None
    while page := files.versions(after=after, limit=2):
        pages += page
        after = (page[-1].path, page[-1].sequence)
    assert pages == listed
    for prefix in ("a", "a/", "ab%", "data.csv", "\uffff", "\ud7ff", "\U0010ffff", "é", "x", "A"):
        wanted = [each for each in listed if each.path.startswith(prefix)]
        assert files.versions(prefix) == wanted
    assert (
        files.versions("data", after=("data.csv", listed[3].sequence), limit=1)[0].path
        == "data.csv"
    )
