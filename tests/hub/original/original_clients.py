# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The original's published clients, in an interpreter of their own.

The original library is called ``dotscience`` as ours is, so the two cannot be in one process. What
PyPI has of it is installed once, into a folder of the user's cache.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

# joblib of that time needs pkg_resources, which newer setuptools lack
CLIENTS = ["dotscience==0.8.7", "datadots-api==0.2.4", "setuptools<80"]
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}-1"


def missing(reason: str) -> None:
    """Skip, unless every real part is required."""
    if os.environ.get("DOTSCIENCE_REQUIRE_REAL") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def installed() -> Path:
    """The folder that has the clients; it is made at the first call."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / f"dotscience-original-clients-{VERSION}"
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        made = tempfile.mkdtemp(prefix="dotscience-original-", dir=cache)
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", made, *CLIENTS]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240)
        if done.returncode != 0:
            shutil.rmtree(made)
            missing(f"the original's clients cannot be installed: {done.stderr[-2000:]}")
        try:
            os.rename(made, folder)
        except OSError:  # another process was faster
            shutil.rmtree(made)
    return folder


def run_client(program: str, folder: Path, *, ok: bool = True, **env: str) -> str:
    """Run a program with the original's clients in a folder; return what it printed."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("DOTSCIENCE_")}
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        clean.pop(name, None)
    # without site-packages, where our own library is
    command = [sys.executable, "-S", "-W", "ignore", "-c", program]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**clean, "PYTHONPATH": str(installed()), **env},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert not ok or done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
