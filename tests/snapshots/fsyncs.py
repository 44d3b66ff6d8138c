# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What each fsync is good for: it is left out, and the power fails at the worst moments.

    python tests/snapshots/fsyncs.py [--every-state] [NAME...]

tells for each place in the engine's code that syncs something which of the recorded runs
(:data:`cuts.RECORDS`) loses something without it, and what is found then.
"""

from __future__ import annotations

import argparse
import ast
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from cuts import RECORDS, Cut
from powercut import OURS, SYNCING, Disk, do_not_sync

PACKAGES = ("embedded", "native", "rollback")
"""Packages of the engine's code, below :data:`powercut.OURS`."""


def places() -> dict[str, str]:
    """Return all places that sync something, "module:line", and a name for each."""
    found: dict[str, str] = {}
    for package in PACKAGES:
        for path in sorted(Path(OURS, package).glob("*.py")):
            lines: dict[str, list[int]] = {}
            for function, line in _calls(ast.parse(path.read_bytes()), ""):
                lines.setdefault(function, []).append(line)
            for function, known in lines.items():
                for number, line in enumerate(sorted(known), 1):
                    name = f"{package}.{path.stem}.{function}"
                    found[f"{package}.{path.stem}:{line}"] = (
                        f"{name} {number}" if len(known) > 1 else name
                    )
    return found


def _calls(node: ast.AST, inside: str) -> Iterator[tuple[str, int]]:
    """Yield (function, line) of what syncs, but not of what does it for others."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef):
            name = f"{inside}.{child.name}" if inside else child.name
            if name not in SYNCING:
                yield from _calls(child, name)
            continue
        if isinstance(child, ast.Call) and _syncs(child.func, inside):
            yield inside, child.lineno
        yield from _calls(child, inside)


def _syncs(function: ast.expr, inside: str) -> bool:
    if isinstance(function, ast.Name):
        return function.id in SYNCING
    if not isinstance(function, ast.Attribute):
        return False
    owner = ast.unparse(function.value)
    if function.attr in ("replace", "make_part"):
        return owner in ("store", "self._store") or (
            owner == "self" and inside.startswith("Store.")
        )
    return owner == "os" and function.attr in ("fsync", "fdatasync", "sync")


def looked_at(cut: Cut, disk: Disk, count: int, place: Path) -> Exception | None:
    """Return what a look at a state of the disk finds to be wrong."""
    try:
        disk.write_to(place)
        cut.check(place, count)
    except Exception as error:
        return error
    finally:
        shutil.rmtree(place)
    return None


def missed(
    cut: Cut, site: str, place: Path, most: int, *, both: bool = True
) -> tuple[int, Exception] | None:
    """Leave out one place that syncs; return when that is noticed, and what is found.

    Parameters
    ----------
    cut
        What was recorded.
    site
        Where it syncs, "module:line".
    place
        A folder to work in, which is not there yet.
    most
        How many states to look at, the most telling ones first.
    both
        Whether to see to it that nothing is found where it was not left out.
    """
    without = cut.recorder.without(site)
    for count, extra in cut.recorder.harmed(without):
        for disk in without.leavings(count, extra):
            if not most:
                return None
            most -= 1
            found = looked_at(cut, disk, count, place)
            if found is not None:
                for whole in cut.recorder.leavings(count, extra) if both else ():
                    harmless = looked_at(cut, whole, count, place)
                    assert harmless is None, f"also with all that was synced: {harmless!r}"
                return count, found
    return None


def main() -> int:
    """Tell of each place which runs miss it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every-state", action="store_true", help="do not give up after some")
    parser.add_argument("names", nargs="*", help=f"which of {', '.join(RECORDS)}")
    asked = parser.parse_args()
    most = 1 << 30 if asked.every_state else 60
    known = places()
    noticed: dict[str, list[str]] = {site: [] for site in known}
    top = Path(tempfile.mkdtemp(prefix="dotscience-fsyncs-"))
    with pytest.MonkeyPatch.context() as patch:
        do_not_sync(patch)
        for name in asked.names or RECORDS:
            (top / name).mkdir()
            with patch.context() as inner:
                cut = RECORDS[name](top / name, inner)
                for site in cut.recorder.sites():
                    found = missed(cut, site, top / name / "cut", most)
                    what = "not missed"
                    if found is not None:
                        text = " ".join(f"{type(found[1]).__name__}: {found[1]}".split())
                        what = f"after {found[0]} of {len(cut.recorder)}: {text[:100]}"
                    noticed.setdefault(site, []).append(f"{name}: {what}")
                    print(f"{known.get(site, site)}\t{name}\t{what}", flush=True)
    shutil.rmtree(top)
    for site, runs in noticed.items():
        if all(run.endswith("not missed") for run in runs):
            print(f"NOT MISSED BY ANY: {known.get(site, site)} ({site}); {runs or 'never reached'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
