# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Tell of changed files, as a child process of :mod:`.watcher`.

Arming a recursive watch walks the folders with Python's global lock held (60 ms for two thousand
folders), which a server's event loop would feel; here nobody does.

Reads one JSON line ``{"flat": [folders], "deep": [folders]}`` each time the watches are to be
armed anew and ends when its input ends. Prints JSON lines: ``{"armed": true}``, ``{"error":
"why"}``, ``{"changes": [["added" | "modified" | "deleted", absolute path], ...]}``.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Sequence

DEBOUNCE_MS = 100
STEP_MS = 20
TIMEOUT_MS = 250
"""After how long a quiet watch says that it is armed."""

_printing = threading.Lock()


def say(message: dict[str, object]) -> None:
    """Print one line, whole."""
    with _printing:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()


def listen(
    folders: Sequence[str], recursive: bool, stop: threading.Event, armed: threading.Event
) -> None:
    """Print what changes in some folders until told to stop."""
    from watchfiles import watch

    try:
        for changes in watch(
            *(folder for folder in folders if os.path.isdir(folder)),
            watch_filter=None,
            debounce=DEBOUNCE_MS,
            step=STEP_MS,
            stop_event=stop,
            rust_timeout=TIMEOUT_MS,
            yield_on_timeout=True,
            recursive=recursive,
            ignore_permission_denied=True,
        ):
            armed.set()
            if changes:
                say({"changes": sorted((change.name, path) for change, path in changes)})
    except (OSError, RuntimeError) as error:
        say({"error": str(error)})
    finally:
        armed.set()


def main() -> int:
    """Arm what is asked for until the input ends."""
    stop = threading.Event()
    threads: list[threading.Thread] = []
    for line in sys.stdin:
        request = json.loads(line)
        stop.set()
        for thread in threads:
            thread.join()
        stop, threads = threading.Event(), []
        armed = []
        for key, recursive in (("flat", False), ("deep", True)):
            if request.get(key):
                armed.append(threading.Event())
                threads.append(
                    threading.Thread(
                        target=listen, args=(request[key], recursive, stop, armed[-1]), daemon=True
                    )
                )
                threads[-1].start()
        for event in armed:
            event.wait()
        say({"armed": True})
    return 0


if __name__ == "__main__":
    sys.exit(main())
