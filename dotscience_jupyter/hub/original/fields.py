# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The values of run metadata v1: texts that stand for times, numbers and lists.

What cannot be read is as if it were not there, and a sentence is added to ``problems``.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

_TIME = re.compile(r"(\d{8}T\d{6})(?:\.(\d{1,9}))?", re.ASCII)
_CPUS = re.compile(r"(\d{1,6})x (.+)", re.ASCII | re.DOTALL)


def environment(metadata: Mapping[str, str], problems: list[str]) -> dict[str, Any] | None:
    """Return the machine and image, in the form in which our own runs describe theirs."""
    found: dict[str, Any] = {
        "platform": _only(
            system=metadata.get("runner.platform"), text=metadata.get("runner.platform_version")
        ),
        "cpu": _cpu(strings(metadata, "runner.cpu", problems)),
        "gpu": strings(metadata, "runner.gpu", problems),
        "ram": whole(metadata, "runner.ram", problems),
        "image": _only(
            name=metadata.get("workload.image"),
            digest=(metadata.get("workload.image.hash") or "").rpartition("@")[2],
        ),
        "runner": _only(version=metadata.get("runner.version"), ecc=metadata.get("runner.ram.ecc")),
    }
    return {key: value for key, value in found.items() if value} or None


def _cpu(said: list[str]) -> dict[str, Any]:
    """Return a model and a count from one text a core, or from one like ``8x Intel ...``."""
    if not said:
        return {}
    if len(said) == 1 and (match := _CPUS.fullmatch(said[0])):
        return {"model": match[2], "count": int(match[1])}
    return {"model": ", ".join(dict.fromkeys(said)), "count": len(said)}


def resources(metadata: Mapping[str, str], problems: list[str]) -> dict[str, float]:
    """Return what the execution took, under the names of our own runs' details."""
    found: dict[str, float] = {}
    text = metadata.get("exec.cpu-seconds")
    if text:
        try:
            seconds = float(text)
        except ValueError:
            seconds = math.nan
        if math.isfinite(seconds) and seconds >= 0:
            found["cpu_seconds"] = seconds
        elif seconds != -1:  # what stands for "not known"
            problems.append(_unreadable("exec.cpu-seconds", text))
    ram = whole(metadata, "exec.ram", problems)
    if ram is not None:
        found["peak_ram"] = ram
    return found


def whole(metadata: Mapping[str, str], key: str, problems: list[str]) -> int | None:
    """Return a whole number; None where there is none, or -1, which means the same."""
    text = metadata.get(key)
    if not text or text == "-1":
        return None
    if not re.fullmatch(r"\d{1,18}", text, re.ASCII):
        problems.append(_unreadable(key, text))
        return None
    return int(text)


def time(said: Mapping[str, str], key: str, problems: list[str]) -> datetime | None:
    """Return a time in UTC; fractions beyond microseconds are cut."""
    text = said.get(key)
    if not text:
        return None
    match = _TIME.fullmatch(text)
    try:
        if match is None:
            raise ValueError
        whole = datetime.strptime(match[1], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        problems.append(_unreadable(key, text))
        return None
    return whole + timedelta(microseconds=int((match[2] or "").ljust(6, "0")[:6]))


def strings(said: Mapping[str, str], key: str, problems: list[str]) -> list[str]:
    """Return a JSON list of texts; empty where there is none or it cannot be read."""
    text = said.get(key)
    if not text:
        return []
    found = texts(text)
    if found is None:
        problems.append(_unreadable(key, text))
        return []
    return found


def texts(text: str) -> list[str] | None:
    """Return a JSON list of texts, None if it is none; ``null`` is an empty one, as in Go."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        return None
    return found


def _only(**texts: str | None) -> dict[str, str]:
    return {key: text for key, text in texts.items() if text}


def _unreadable(key: str, text: str) -> str:
    return f"The field {key[:80]!r} cannot be read: {text[:80]!r}."
