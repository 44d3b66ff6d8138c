# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Print what extras of this package need beside it: ``requirements.py lab,test``.

It is installed while the front end is built.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path


def main() -> None:
    """Print a requirement a line."""
    text = (Path(__file__).resolve().parent.parent / "pyproject.toml").read_text("utf-8")
    project = tomllib.loads(text)["project"]
    waiting, seen = sys.argv[1].split(","), set()
    found = list(project["dependencies"])
    while waiting:
        extra = waiting.pop()
        if extra in seen:
            continue
        seen.add(extra)
        for requirement in project["optional-dependencies"][extra]:
            # extras may refer to others of ours
            own = re.fullmatch(rf"{project['name']}\[(.+)\]", requirement)
            if own:
                waiting += own[1].split(",")
            else:
                found.append(requirement)
    print("\n".join(found))


if __name__ == "__main__":
    main()
