# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Run the checks and tests (`make test`) and say at the end what ran.

Usage: run_tests.py [check] [python] [typescript] [browser]     (default: all of them)

Tests of Python wait for servers, kernels and killed processes half of the time, so the other parts
run beside them, one after the other. A few tests of Python and of the browser that fail are tried
again at the end, when the machine is quiet; those that make faults at chance moments are not: there
one failure in hundreds is what they look for.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / ".stamps" / "results"
FEW = 6  # so many failures may be chance
REQUIRED = bool(os.environ.get("DOTSCIENCE_REQUIRE_REAL"))


@dataclass
class Outcome:
    """What one part of the tests did."""

    name: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    note: str = ""


CHECKS = {
    "ruff": ["ruff", "check", "."],
    "ruff format": ["ruff", "format", "--check", "."],
    "mypy": ["mypy"],
    "import-linter": ["lint-imports"],
    "generated files": [sys.executable, "scripts/check_generated.py"],
    "authentication of every route": [sys.executable, "scripts/check_auth.py"],
    "size of the front end": [sys.executable, "scripts/check_bundle.py"],
    "eslint": ["jlpm", "eslint:check"],
    "prettier": ["jlpm", "prettier:check"],
    "stylelint": ["jlpm", "stylelint:check"],
}


class Lane(threading.local):
    """Where a thread's output goes: to the terminal, or to a file that is shown when it is done."""

    log: TextIO | None = None


LANE = Lane()


def run(command: list[str], cwd: Path = ROOT, env: dict[str, str] | None = None) -> int:
    """Run a command with its output shown."""
    return subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdout=LANE.log,
        stderr=subprocess.STDOUT if LANE.log else None,
    ).returncode


def say(text: str) -> None:
    """Print a line."""
    print(text, file=LANE.log, flush=True)


def check() -> Outcome:
    """Lint, format, types, arrows, generated files: quiet where all is well.

    TypeScript was checked when the front end was built.
    """
    outcome = Outcome("checks")
    for name, command in CHECKS.items():
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if result.returncode:
            outcome.failed += 1
            say(f"-- {name} failed: {' '.join(command)}\n{result.stdout}{result.stderr}")
        else:
            outcome.passed += 1
            say(f"-- {name}: ok")
    return outcome


def pytest(*arguments: str, name: str = "python") -> Outcome:
    """Run pytest and count; its report is kept under a name."""
    outcome = Outcome("python")
    report = OUT / f"{name}.xml"
    report.unlink(missing_ok=True)
    code = run(["pytest", "-q", f"--junit-xml={report}", *arguments])
    if report.exists():
        suites = ElementTree.parse(report).getroot().findall("testsuite")
        total, failed, skipped = (
            sum(int(s.get(key, "0")) for s in suites) for key in ("tests", "failures", "skipped")
        )
        failed += sum(int(s.get("errors", "0")) for s in suites)
        outcome.passed, outcome.failed, outcome.skipped = total - failed - skipped, failed, skipped
    if code and not outcome.failed:
        outcome.failed, outcome.note = 1, f"pytest ended with {code}"
    return outcome


def compile_tests() -> None:
    """Compile the tests and what they import, once.

    Each process of pytest would compile all of it at its start, and each command that a test starts
    what it imports; in the virtual machine that takes long. Errors show when the tests are run.
    """
    command = ["pytest", "--collect-only", "-qq"]
    subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def python() -> Outcome:
    """Run pytest, on one process more than there are cores: one waits for the virtual machine."""
    compile_tests()
    return pytest("-n", str((os.cpu_count() or 1) + 1), "--dist", "loadgroup")


def python_again(outcome: Outcome) -> None:
    """Try a few tests that failed once more, alone.

    With real kernels, servers and killed processes side by side on a loaded machine, one may run
    out of time. The closing lines say so.
    """
    if 0 < outcome.failed <= FEW and outcome.passed:
        again = pytest(
            *("--last-failed", "--last-failed-no-failures", "none", "-m", "not fault"), name="again"
        )
        take(outcome, again)


def take(outcome: Outcome, again: Outcome) -> None:
    """Count what failed as passed if all of it did on its second try."""
    if again.passed == outcome.failed and not again.failed:
        outcome.note = f"{again.passed} of them on a second try, alone"
        outcome.passed, outcome.failed = outcome.passed + again.passed, 0


def typescript() -> Outcome:
    """Run Jest."""
    outcome = Outcome("typescript")
    report = OUT / "typescript.json"
    code = run(["jlpm", "jest", "--silent", "--json", f"--outputFile={report}"])
    if report.exists():
        counts = json.loads(report.read_text("utf-8"))
        outcome.passed = counts["numPassedTests"]
        outcome.failed = counts["numFailedTests"] + counts["numRuntimeErrorTestSuites"]
        outcome.skipped = counts["numPendingTests"]
    if code and not outcome.failed:
        outcome.failed, outcome.note = 1, f"jest ended with {code}"
    return outcome


def chromium() -> str | None:
    """Return the browser to drive, or None."""
    names = (
        os.environ.get("CHROMIUM_PATH", ""),
        "chromium",
        "chromium-browser",
        "google-chrome",
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    )
    return next((found for name in names if name and (found := shutil.which(name))), None)


def playwright(*arguments: str, name: str = "browser") -> Outcome:
    """Run Playwright with Galata on a real JupyterLab and count; its report gets a name."""
    outcome = Outcome("browser")
    executable = chromium()
    if executable is None:
        outcome.note = "no Chromium on this machine"
        outcome.failed, outcome.skipped = (1, 0) if REQUIRED else (0, 1)
        return outcome
    report = OUT / f"{name}.json"
    report.unlink(missing_ok=True)
    code = run(
        ["jlpm", "playwright", "test", *arguments],
        cwd=ROOT / "ui-tests",
        env={"CHROMIUM_PATH": executable, "PLAYWRIGHT_JSON_OUTPUT_NAME": str(report)},
    )
    if report.exists():
        stats = json.loads(report.read_text("utf-8"))["stats"]
        outcome.passed, outcome.failed = stats["expected"] + stats["flaky"], stats["unexpected"]
        outcome.skipped = stats["skipped"]
    if code and not outcome.failed:
        outcome.failed, outcome.note = 1, f"playwright ended with {code}"
    return outcome


def browser() -> Outcome:
    """Run the tests in the browser."""
    return playwright()


def browser_again(outcome: Outcome) -> None:
    """Try a few tests in the browser that failed once more, alone, and record what they do.

    Recording takes a third of the processor, so only this try is recorded.
    """
    if 0 < outcome.failed <= FEW and outcome.passed:
        again = playwright("--last-failed", "--trace=retain-on-failure", name="browser-again")
        take(outcome, again)


PARTS = {"check": check, "python": python, "typescript": typescript, "browser": browser}


BESIDE = ("check", "typescript", "browser")


def part(name: str, done: dict[str, Outcome]) -> None:
    """Run one part. What goes wrong in running it is a failure of it."""
    say(f"\n=== {name} ===")
    begun = time.monotonic()
    try:
        outcome = PARTS[name]()
    except Exception as error:
        outcome = Outcome(name, failed=1, note=f"{type(error).__name__}: {error}")
    outcome.seconds = time.monotonic() - begun
    done[name] = outcome


def in_file(log: Path, names: list[str], done: dict[str, Outcome]) -> None:
    """Run parts one after the other with their output in a file."""
    with log.open("w", encoding="utf-8") as LANE.log:
        for name in names:
            part(name, done)


def main() -> int:
    """Run the parts that were asked for."""
    names = sys.argv[1:] or list(PARTS)
    if unknown := [name for name in names if name not in PARTS]:
        print(f"unknown: {', '.join(unknown)}; one of {', '.join(PARTS)}", file=sys.stderr)
        return 2
    # a shell has what it starts in the background ignore Ctrl-C, and so would what the tests start
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # hundreds of interpreters are started: they find compiled what the first of them imported
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    done: dict[str, Outcome] = {}
    beside = [name for name in names if name in BESIDE] if "python" in names else []
    log = OUT / "beside.log"
    other = threading.Thread(target=in_file, args=(log, beside, done))
    other.start()
    for name in names:
        if name not in beside:
            part(name, done)
    other.join()
    print(log.read_text("utf-8") if beside else "")
    if "python" in done:
        python_again(done["python"])
    if "browser" in done:
        browser_again(done["browser"])
    outcomes = [done[name] for name in names]
    for o in outcomes:
        note = f"  ({o.note})" if o.note else ""
        print(
            f"{o.name:<11} {o.passed:>5} passed {o.failed:>3} failed {o.skipped:>3} skipped"
            f" {o.seconds:6.0f} s{note}"
        )
    passed, failed, skipped = (
        sum(getattr(o, k) for o in outcomes) for k in ("passed", "failed", "skipped")
    )
    print(f"\n{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
