# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Fail when docs/*openapi.json or src/api/schema.ts are not what the code generates.

``python scripts/check_generated.py`` checks them; ``--write`` generates them anew.
The TypeScript types need the packages of ``node_modules``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "docs" / "openapi.json"
HUB_DOCUMENT = ROOT / "docs" / "hub-openapi.json"
TYPES = ROOT / "src" / "api" / "schema.ts"
TOOLS = ROOT / "node_modules" / ".bin"


def types() -> str:
    """Return the TypeScript types of the stored document, as ``jlpm generate:api`` writes them."""
    command = [TOOLS / "openapi-typescript", DOCUMENT, "--root-types"]
    command += ["--root-types-no-schema-prefix", "-o"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "schema.ts"
        done = subprocess.run(
            [*command, path], cwd=ROOT, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"openapi-typescript failed:\n{done.stdout}{done.stderr}")
        return path.read_text("utf-8")


def main() -> int:
    """Compare, or write with ``--write``; return the exit status."""
    sys.path.insert(0, os.fspath(ROOT))
    from dotscience_jupyter.api import openapi
    from dotscience_jupyter.hub import openapi as hub_openapi

    write = "--write" in sys.argv[1:]
    stale = False
    generated = (
        (DOCUMENT, openapi.render),
        (HUB_DOCUMENT, hub_openapi.render),
        (TYPES, types),
    )
    for path, render in generated:
        fresh = render()
        if path.exists() and path.read_text("utf-8") == fresh:
            continue
        if write:
            path.write_text(fresh, "utf-8")
            print(f"{path.relative_to(ROOT)} was written.")
        else:
            stale = True
            print(f"{path.relative_to(ROOT)} is stale: run 'make generate'.")
    return int(stale)


if __name__ == "__main__":
    raise SystemExit(main())
