# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Configuration of the JupyterLab that the browser tests drive.

Never use it for anything else: it asks for no token.
"""

import os

from jupyterlab.galata import configure_jupyter_server

c = get_config()  # noqa: F821 - given by Jupyter's configuration loader
configure_jupyter_server(c)
c.ServerApp.ip = "127.0.0.1"
c.ServerApp.base_url = "/user/me/"
c.ServerApp.disable_check_xsrf = False
c.ServerApp.port = int(os.environ["DOTSCIENCE_UI_PORT"])
c.ServerApp.port_retries = 0
c.ServerApp.root_dir = os.environ["DOTSCIENCE_UI_ROOT"]
c.ServerApp.allow_root = True
c.ServerApp.open_browser = False
c.ContentsManager.checkpoints_class = "dotscience_jupyter.server.checkpoints.DotscienceCheckpoints"
c.JupyterNotebookApp.expose_app_in_browser = True
