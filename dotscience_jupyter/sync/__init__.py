# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Moves commits and their content between a workspace and a hub: incremental, resumable, verified.

docs/sync.md describes what travels, and what happens when it is cut.
"""

from __future__ import annotations

from .cloning import Cloned, clone, require_free
from .connection import Connection, Patience
from .credentials import Credentials, Login, clean_url, is_exposed
from .errors import OfflineError, RefusedError, SyncError
from .fetching import REMOTE_HEAD, Fetched
from .hubproject import HubProject
from .projects import (
    Listed,
    Newest,
    find_project,
    is_address,
    list_all,
    list_projects,
    log_in,
    log_in_with_key,
    login_page,
    newest_commits,
)
from .pusher import Pusher
from .pushing import Pushed
from .remote import Last, Remote, RemoteStore
from .synced import Pulled, Sync, SyncStatus, not_logged_in

__all__ = [
    "REMOTE_HEAD",
    "Cloned",
    "Connection",
    "Credentials",
    "Fetched",
    "HubProject",
    "Last",
    "Listed",
    "Login",
    "Newest",
    "OfflineError",
    "Patience",
    "Pulled",
    "Pushed",
    "Pusher",
    "RefusedError",
    "Remote",
    "RemoteStore",
    "Sync",
    "SyncError",
    "SyncStatus",
    "clean_url",
    "clone",
    "find_project",
    "is_address",
    "is_exposed",
    "list_all",
    "list_projects",
    "log_in",
    "log_in_with_key",
    "login_page",
    "newest_commits",
    "not_logged_in",
    "require_free",
]
