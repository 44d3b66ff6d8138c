# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Reading a spool, one file a run (docs/run-format.md, section 2). Nothing in it is ever lost."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

from . import runtext
from .reading import ChangedError, NotReadableError, Stamp, read_document, stamp_of
from .record import FoundRun, from_record
from .types import FoundError

BAD = "bad"
MAX_RECORD = 1024**3


@dataclass(slots=True)
class _Held:
    stamp: Stamp
    run: FoundRun
    first_seen: float  # monotonic


class Spool:
    """One spool folder. Not thread-safe: its caller locks."""

    def __init__(self, folder: Path, name: str, task: str | None = None) -> None:
        self.folder = folder
        self._name = name  # how messages call it
        self._task = task
        self._held: dict[str, _Held] = {}
        self._unreadable: dict[str, FoundError] = {}
        self._reasons: dict[str, str] = {}

    def look(self) -> list[FoundRun]:
        """Return the runs whose records wait here, oldest first."""
        try:
            names = sorted(os.listdir(self.folder))
        except OSError:
            return []  # made by whoever publishes first
        names = [name for name in names if name.endswith(".json") and not name.startswith(".")]
        for gone in (self._held.keys() | self._unreadable.keys()) - set(names):
            self._held.pop(gone, None)
            self._unreadable.pop(gone, None)
        found: list[tuple[int, FoundRun]] = []
        for name in names:
            path = str(self.folder / name)
            stamp = stamp_of(path)
            if stamp is None:
                continue
            held = self._held.get(name)
            if held is None or held.stamp != stamp:
                run = self._read(name, path, stamp)
                if run is None:
                    continue
                held = self._held[name] = _Held(stamp, run, time.monotonic())
            found.append((stamp[0], held.run))
        return [run for _, run in sorted(found, key=lambda item: item[0])]

    def age(self, run: FoundRun) -> float:
        """Return for how many seconds a record has waited, whatever was done to the clock."""
        ages = [0.0]
        for path in run.spool:
            if (held := self._held.get(os.path.basename(path))) is not None:
                ages += time.time() - held.stamp[0] / 1e9, time.monotonic() - held.first_seen
        return max(ages)

    def errors(self) -> list[FoundError]:
        """Return what could not be read, for as long as the files are there."""
        try:
            kept = sorted(os.listdir(self.folder / BAD))
        except OSError:
            kept = []
        errors = list(self._unreadable.values())
        for name in kept[:20]:
            reason = self._reasons.get(name)
            because = f" because {reason.rstrip('.')}" if reason else ""
            errors.append(
                FoundError(
                    "spool",
                    f"A run's record could not be read{because}, so that run is not recorded. It "
                    f"is kept as {self._name}/{BAD}/{runtext.clean(name)}; delete it to dismiss "
                    "this.",
                )
            )
        if len(kept) > 20:
            errors.append(
                FoundError("spool", f"{len(kept) - 20} more records in {self._name}/{BAD}.")
            )
        return errors

    def _read(self, name: str, path: str, stamp: Stamp) -> FoundRun | None:
        self._unreadable.pop(name, None)
        try:
            if stamp[1] > MAX_RECORD:
                raise NotReadableError("it is larger than 1 GiB")
            document, arrays = read_document(path, "record", stamp)
            run = from_record(document, arrays)
        except ChangedError:
            return None  # replaced or removed by another committer: the next look tells
        except OSError as error:
            if not isinstance(error, FileNotFoundError):
                self._unreadable[name] = FoundError(
                    "spool",
                    f"The run's record {self._name}/{runtext.clean(name)} cannot be opened "
                    f"({error.strerror or error}). It stays there and is tried again.",
                )
            return None
        except (NotReadableError, ValueError) as error:
            self._set_aside(name, path, str(error))
            return None
        run.spool = (path,)
        run.task = self._task
        return run

    def _set_aside(self, name: str, path: str, reason: str) -> None:
        """Move a record that will never be readable to ``bad/``, never over another one."""
        folder = self.folder / BAD
        try:
            folder.mkdir(exist_ok=True)
            target, number = name, 1
            while (folder / target).exists():
                target = re.sub(r"(-\d+)?\.json$", f"-{number}.json", name)
                number += 1
            os.rename(path, folder / target)
        except OSError as error:
            self._unreadable[name] = FoundError(
                "spool",
                f"The run's record {self._name}/{runtext.clean(name)} could not be read because "
                f"{reason.rstrip('.')}, and not be set aside ({error.strerror or error}).",
            )
        else:
            self._reasons[target] = reason
