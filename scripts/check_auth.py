# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Fail when one of our routes could be reached without signing in.

A server that does not allow unauthenticated access warns of every handler without an
authentication decorator; here such a warning is an error.
"""

from __future__ import annotations

import sys
import tempfile
import warnings

from jupyter_server.serverapp import ServerApp
from jupyter_server.utils import JupyterServerAuthWarning


def main() -> int:
    """Start a server in memory and look at its warnings."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        app = ServerApp(
            allow_unauthenticated_access=False,
            jpserver_extensions={"dotscience_jupyter": True},
            reraise_server_extension_failures=True,
            root_dir=folder,
            allow_root=True,
        )
        app.initialize(argv=[], find_extensions=False, new_httpserver=False)
    problems = [str(w.message) for w in seen if issubclass(w.category, JupyterServerAuthWarning)]
    print("\n".join(problems) or "Every route requires authentication.")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
