# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Everything that the adapter offers, on a real pool, with whatever binding it has.

Run as a program for a binding that is found on PYTHONPATH: ``exercise.py KIND DATASET``.
"""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Callable

from dotscience_jupyter.snapshots.zfs.binding import load
from dotscience_jupyter.snapshots.zfs.errors import ZfsError
from dotscience_jupyter.snapshots.zfs.libzfs import Libzfs


def zfs(*arguments: str) -> str:
    return subprocess.run(
        ["zfs", *arguments], capture_output=True, text=True, check=True
    ).stdout.strip()


def refusal(call: Callable[[], object]) -> int:
    try:
        call()
    except ZfsError as error:
        assert "Nothing is lost" in str(error)
        return error.errno
    raise AssertionError("it was not refused")


def exercise(libzfs: Libzfs, root: str) -> None:
    """Do everything once below a dataset, and everything that can be refused."""
    one, two = f"{root}/one", f"{root}/two"
    libzfs.create(one, {"mountpoint": "none", "readonly": "on", "canmount": "noauto"})
    assert zfs("get", "-H", "-o", "value", "readonly,canmount,mountpoint", one).split() == [
        "on",
        "noauto",
        "none",
    ]
    assert libzfs.exists(one)
    assert not libzfs.exists(two)
    assert refusal(lambda: libzfs.create(one, {})) == errno.EEXIST
    assert refusal(lambda: libzfs.create(f"{two}/below", {})) in (errno.ENOENT, 0)

    first, second = f"{one}@first", f"{one}@second"
    libzfs.snapshot(first, {"dotscience:snapshot": "1"})
    assert zfs("get", "-H", "-o", "value", "dotscience:snapshot", first) == "1"
    libzfs.snapshot(second, {})
    assert libzfs.exists(second)
    assert refusal(lambda: libzfs.snapshot(first, {})) == errno.EEXIST
    assert refusal(lambda: libzfs.snapshot(f"{two}@first", {})) == errno.ENOENT

    assert libzfs.hold([first, second], "dotscience:tag") == []
    assert libzfs.holds([first, second]) == {first: {"dotscience:tag"}, second: {"dotscience:tag"}}
    assert libzfs.hold([f"{one}@none"], "dotscience:tag") == [f"{one}@none"]
    assert refusal(lambda: libzfs.destroy_snapshots([first, second])) == errno.EBUSY
    libzfs.release([second, f"{one}@none"], "dotscience:tag")
    assert libzfs.holds([first, second, f"{one}@none"]) == {
        first: {"dotscience:tag"},
        second: set(),
        f"{one}@none": set(),
    }
    assert refusal(lambda: libzfs.destroy_snapshots([first, second])) == errno.EBUSY
    assert libzfs.exists(second)

    assert libzfs.send_space(first, None, ["compress", "large_blocks", "embedded_data"]) > 0
    assert libzfs.send_space(second, first, ["compress"]) > 0
    assert refusal(lambda: libzfs.send_space(first, second, [])) != errno.EPERM
    moved(libzfs, first, None, f"{two}@first")
    assert zfs("get", "-H", "-o", "value", "guid", first, f"{two}@first").split()[0] in zfs(
        "get", "-H", "-o", "value", "guid", f"{two}@first"
    )
    libzfs.rollback(two)
    moved(libzfs, second, first, f"{two}@second")
    assert zfs("get", "-H", "-o", "value", "canmount", two) == "noauto"
    assert refusal(lambda: moved(libzfs, first, None, f"{two}@first")) == errno.EEXIST

    libzfs.clone(f"{root}/clone", second, {"mountpoint": "none"})
    assert zfs("get", "-H", "-o", "value", "origin", f"{root}/clone") == second
    assert refusal(lambda: libzfs.destroy_snapshots([second])) == errno.EEXIST
    assert refusal(lambda: libzfs.clone(f"{root}/other", f"{one}@none", {})) == errno.ENOENT
    refusal(lambda: libzfs.destroy(one))
    assert libzfs.exists(second), "a dataset goes only when it has no snapshots"
    libzfs.destroy(f"{root}/clone")
    assert not libzfs.exists(f"{root}/clone")
    assert refusal(lambda: libzfs.destroy(f"{root}/clone")) == errno.ENOENT
    libzfs.release([first], "dotscience:tag")
    libzfs.destroy_snapshots([first, second])
    libzfs.destroy_snapshots([first])
    assert not libzfs.exists(first)
    libzfs.destroy(one)
    assert not libzfs.exists(one)
    zfs("destroy", "-r", two)
    libzfs.sync(root.partition("/")[0])
    # OpenZFS's binding has a number of its own for that
    assert refusal(lambda: libzfs.sync("nosuchpool")) in (errno.ENOENT, errno.EXDEV)


def moved(libzfs: Libzfs, name: str, base: str | None, to: str) -> None:
    """Send a snapshot through a pipe into another dataset."""
    reading, writing = os.pipe()
    errors: list[BaseException] = []

    def deliver() -> None:
        try:
            libzfs.send(name, base, writing, ["compress"])
        except ZfsError as error:
            errors.append(error)  # the receiver that went away, in a test of that
        finally:
            os.close(writing)

    thread = threading.Thread(target=deliver)
    thread.start()
    try:
        fresh = {"canmount": "noauto", "readonly": "on", "mountpoint": "none"}
        libzfs.receive(to, reading, properties=fresh)
    finally:
        os.close(reading)
        thread.join()
    assert errors == []


def main() -> None:
    kind, dataset = sys.argv[1:]
    binding = load()
    assert binding.own is (kind == "openzfs"), binding
    exercise(Libzfs(binding), dataset)


if __name__ == "__main__":
    main()
