# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Runs the tests in ``inside`` on real ZFS in a virtual machine, where this kernel has none."""

from __future__ import annotations

import os
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).with_name("vm")))

import machine

REQUIRED = bool(os.environ.get("DOTSCIENCE_REQUIRE_REAL"))
WHICH = os.environ.get("DOTSCIENCE_ZFS_TESTS", "some")
SECONDS = 5400 if WHICH == "all" else 1500


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + (3600 if REQUIRED else 60))  # the kernel may have to be built first
@pytest.mark.xdist_group("zfs")
def test_everything_inside_passes_in_the_machine(
    request: pytest.FixtureRequest, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    if any(item.path.parent.name == "inside" for item in request.session.items):
        pytest.skip("this system has ZFS: the tests run without a virtual machine")
    try:
        if REQUIRED:
            machine.build()
        machine.require()
        machine.tools()
    except machine.NoMachineError as error:
        if REQUIRED:
            raise
        pytest.skip(f"no ZFS here, and no virtual machine: {error}")
    named = ("DOTSCIENCE_SEED", "DOTSCIENCE_THOROUGH")
    chance = {name: os.environ[name] for name in named if name in os.environ}
    status = machine.run(
        [str(machine.HERE / "tests.sh"), sys.executable],
        out=tmp_path,
        environment={"DOTSCIENCE_ZFS_TESTS": WHICH, **chance},
        timeout=SECONDS,
        processors=2 if WHICH == "all" else 1,
    )
    console = capfd.readouterr()
    said, passed, bad = [], 0, 0
    for name in ("engine", "suite", "again", "clock"):
        report = tmp_path / f"{name}.xml"
        optional = ("again", "clock") if WHICH == "all" else ("suite", "again", "clock")
        if name in optional and not report.exists():
            continue
        if report.exists():
            suite = ElementTree.parse(report).getroot().find("testsuite")
            assert suite is not None
            tests, failures, errors, skipped = (
                int(suite.get(key, "0")) for key in ("tests", "failures", "errors", "skipped")
            )
            passed += tests - failures - errors - skipped
            # what failed was tried again, so only what failed then counts
            bad = failures + errors if name == "again" else bad + failures + errors
            said.append(f"{name}: {tests} tests, {failures + errors} failed, {skipped} skipped")
        text = tmp_path / f"{name}.txt"
        said.append(text.read_text("utf-8", "replace") if text.exists() else f"{name}: no output")
    summary = "\n".join(said)
    print(summary)
    if status or bad:
        pytest.fail(f"{summary}\n{console.out}{console.err}", pytrace=False)
    assert passed >= 45, f"too few tests ran\n{summary}"
