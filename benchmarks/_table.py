# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What the benchmarks share: medians, readable times, a Markdown table, the machine."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

__all__ = ["machine", "markdown", "median", "ratio", "seconds", "write_json"]


def seconds(value: float | None) -> str:
    """Return a duration with three digits and a unit."""
    if value is None:
        return "-"
    for size, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if abs(value) >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value * 1e9:.3g} ns"


def ratio(other: float | None, ours: float | None) -> str:
    """Return how many times longer the other takes."""
    return "-" if not other or not ours else f"{other / ours:,.1f} x"


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown, its columns aligned."""
    table = [list(head), *(list(row) for row in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(head))]

    def line(row: Sequence[str]) -> str:
        cells = (text.ljust(width) for text, width in zip(row, widths, strict=True))
        return f"| {' | '.join(cells)} |"

    return "\n".join([line(table[0]), line(["-" * width for width in widths])]
                     + [line(row) for row in table[1:]])  # fmt: skip


def machine(*distributions: str) -> dict[str, Any]:
    """Return what the figures depend on: processor, memory, system, versions."""
    model = platform.processor()
    try:
        for entry in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if entry.startswith("model name"):
                model = entry.partition(":")[2].strip()
                break
    except OSError:
        pass  # not Linux
    memory = None
    if "SC_PHYS_PAGES" in getattr(os, "sysconf_names", {}):
        memory = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
    versions = {"python": platform.python_version()}
    for name in distributions:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "memory_gib": memory,
        "system": f"{platform.system()} {platform.release()}",
        "load": load,
        "versions": versions,
    }


def describe(facts: dict[str, Any]) -> str:
    """Return the machine in one line."""
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
    load = "" if facts["load"] is None else f", load {facts['load']:.1f} at the start"
    return (
        f"{facts['cpu']}, {facts['cores']} cores, {facts['memory_gib']} GiB, "
        f"{facts['system']}{load}; {versions}"
    )


def write_json(path: str | None, document: object) -> None:
    """Write the figures to a file, if one is named."""
    if path:
        Path(path).write_text(json.dumps(document, indent=2) + "\n", "utf-8")
