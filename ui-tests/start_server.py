# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Start the JupyterLab that the browser tests drive, in a fresh temporary folder."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Make the folder that tests/helpers.ts expects and become the server."""
    root = Path(tempfile.gettempdir()) / f"dotscience-ui-tests-{os.environ['DOTSCIENCE_UI_PORT']}"
    shutil.rmtree(root, ignore_errors=True)
    (root / "files").mkdir(parents=True)
    (root / "home").mkdir()
    # nothing of the user's own configuration, kernels or settings may colour the outcome
    environment = {
        **os.environ,
        "HOME": str(root / "home"),
        "JUPYTER_CONFIG_DIR": str(root / "home" / "config"),
        "JUPYTER_DATA_DIR": str(root / "home" / "data"),
        "JUPYTER_RUNTIME_DIR": str(root / "home" / "runtime"),
        "DOTSCIENCE_UI_ROOT": str(root / "files"),
    }
    log = os.open(root / "server.log", os.O_WRONLY | os.O_CREAT)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.chdir(root / "files")
    config = HERE / "jupyter_server_test_config.py"
    os.execvpe("jupyter", ["jupyter", "lab", "--config", str(config)], environment)


if __name__ == "__main__":
    main()
