# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What is recorded of the machine and the variables of a command task."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping
from typing import Any

_SECRET = re.compile("KEY|PASS|SECRET|TOKEN|CREDENTIAL|AUTH", re.IGNORECASE)


def shown_variables(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that are recorded: ``DOTSCIENCE_*`` unless they may be secret."""
    return {
        name: value
        for name, value in sorted(variables.items())
        if name.startswith("DOTSCIENCE_") and not _SECRET.search(name)
    }


def describe() -> dict[str, Any]:
    """Return the machine in the form of a run record's ``environment`` (docs/run-format.md)."""
    return {
        "platform": {
            "system": platform.system(),
            "release": platform.release(),
            "machine": platform.machine(),
            "text": platform.platform(),
        },
        "cpu": {"model": platform.processor() or None, "count": os.cpu_count() or 1},
    }
