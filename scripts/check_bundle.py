# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Fail when the built front end is larger than docs/benchmarks.md says.

Usage: check_bundle.py [--sizes]     (with --sizes: print what is to be written there)
"""

from __future__ import annotations

import gzip
import re
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MARGIN = 1.1  # of what is stated
STATED = re.compile(
    r"\d+ files, (?P<all>\d+) kB, \d+ kB gzip\."
    r"\s+At the start of JupyterLab three of them, (?P<start>\d+) kB"
)

GROWN = """{what} has grown to {size} kB; docs/benchmarks.md states {stated} kB, and {most} kB pass.
Is a package in it that need not be, or is something loaded at the start that could wait for its
first use (`await import(...)` in a plugin)? If the size is meant, write the new sizes into "What
the browser loads" there: `python scripts/check_bundle.py --sizes` prints them."""


def kilobytes(files: Iterable[Path]) -> int:
    """Return how large files are together."""
    return round(sum(file.stat().st_size for file in files) / 1000)


def at_start(static: Path) -> list[Path]:
    """Return the files that JupyterLab loads at its start: the entry, the plugins, the styles."""
    [entry] = static.glob("remoteEntry.*.js")
    text = entry.read_text("utf-8")
    files = [entry]
    for exposed in ("./extension", "./style"):
        # "./extension":()=>Promise.all([n.e(397),n.e(176)]).then(...
        found = re.search(rf'"{re.escape(exposed)}":(.*?)\.then\(', text)
        chunks = re.findall(r"\be\((\d+)\)", found[1]) if found else []
        ours = [file for chunk in chunks for file in static.glob(f"{chunk}.*.js")]
        if not ours:
            raise ValueError(
                f"{entry.name} does not tell which files {exposed!r} is made of: the way it is "
                "built has changed, and scripts/check_bundle.py has to follow it."
            )
        files += ours
    return files


def problems(static: Path, document: str) -> list[str]:
    """Return what is wrong with the sizes of a release build."""
    stated = STATED.search(document)
    if stated is None:
        return ["docs/benchmarks.md does not state the sizes any more as this check reads them."]
    found = []
    for what, files, limit in (
        ("The front end", static.iterdir(), stated["all"]),
        ("What JupyterLab loads of it at its start", at_start(static), stated["start"]),
    ):
        size, most = kilobytes(files), round(int(limit) * MARGIN)
        if size > most:
            found.append(GROWN.format(what=what, size=size, stated=limit, most=most))
    return found


def told(files: list[Path]) -> str:
    """Return how many files there are and their sizes."""
    packed = round(sum(len(gzip.compress(file.read_bytes())) for file in files) / 1000)
    return f"{len(files)} files, {kilobytes(files)} kB, {packed} kB gzip"


def main() -> int:
    """Look at what is built."""
    static = ROOT / "dotscience_jupyter" / "labextension" / "static"
    if len(list(static.glob("remoteEntry.*.js"))) != 1:
        print(f"{static} does not hold one build; `jlpm build:prod` makes it.", file=sys.stderr)
        return 1
    if list(static.glob("*.map")):
        print("A development build, of which no size is stated; `jlpm build:prod` makes a release.")
        return 0
    if "--sizes" in sys.argv[1:]:
        print(f"in all: {told(list(static.iterdir()))}\nat the start: {told(at_start(static))}")
        return 0
    document = (ROOT / "docs" / "benchmarks.md").read_text("utf-8")
    try:
        found = problems(static, document)
    except ValueError as error:
        found = [str(error)]
    print("\n".join(found), file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
