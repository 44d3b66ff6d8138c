# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Workspaces that belong to a hub, for tests."""

from __future__ import annotations

import os
import random
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dotscience_jupyter.api.service import WorkspaceService
from dotscience_jupyter.records import NewCommit, NewRun, NewSeries, NewValue, Records, Workspace
from dotscience_jupyter.snapshots import EmbeddedEngine, PortableEngine
from dotscience_jupyter.sync import Credentials, Login, Patience, Remote, Sync, clone

if TYPE_CHECKING:
    from hub_world import RunningHub


def quick(attempts: int = 3) -> Patience:
    """As little patience as tests have."""
    return Patience(attempts=attempts, first=0.01, longest=0.05)


class Site:
    """A workspace of a user."""

    def __init__(self, root: Path, credentials: Credentials, *, attempts: int = 3) -> None:
        self.root = root
        self.service = WorkspaceService.open(root, author="tester")
        self.records = self.service.records
        found = self.service.engine
        assert isinstance(found, PortableEngine)
        self.engine = found
        self.sync = Sync(
            self.service.workspace,
            self.records,
            found,
            credentials=credentials,
            patience=quick(attempts),
            alone=self.service.committer.alone,
        )

    @property
    def head(self) -> str:
        head = self.records.head()
        return "" if head is None else head.id

    def write(self, files: dict[str, str | bytes]) -> None:
        for path, content in files.items():
            target = self.root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(self, files: dict[str, str | bytes] | None = None, message: str = "a commit") -> str:
        """Write files and commit; return the commit's id."""
        self.write(files or {})
        made = self.service.commit(message).commit
        assert made is not None
        return made.id

    def many(self, count: int, *, prefix: str = "run", points: int = 0) -> list[str]:
        """Make commits of one run each on the content of the head."""
        head = self.records.head()
        assert head is not None
        made = []
        for number in range(count):
            data = random.Random(number).randbytes(8 * points)
            run = NewRun(
                id=f"{random.getrandbits(128):032x}",
                authority="workload",
                description=f"{prefix} {number}",
                values=[NewValue("metric", "accuracy", str(number / 7), "float")],
                series=[NewSeries("loss", points, data, data, data)] if points else [],
                environment={"packages": {"numpy": "1.0", "number": str(number % 3)}},
            )
            new = NewCommit(
                head.snapshot, "dotscience.run.v1", f"{prefix} {number}", "tester", [run]
            )
            head = self.records.commit([new], expected_head=head.id)[0]
            made.append(head.id)
        return made

    def files(self) -> dict[str, bytes]:
        found = {}
        for folder, folders, names in os.walk(self.root):
            if ".dotscience" in folders:
                folders.remove(".dotscience")
            for name in names:
                path = Path(folder) / name
                found[str(path.relative_to(self.root))] = path.read_bytes()
        return found

    def close(self) -> None:
        self.service.close()


class World:
    """A hub with a project, and workspaces that belong to it."""

    def __init__(self, hub: RunningHub, base: Path, url: str = "") -> None:
        self.hub = hub
        self.base = base
        self.credentials = Credentials(base / "hubs.json")
        self.name = f"demo-{uuid.uuid4().hex[:8]}"  # a hub may be shared by many tests
        self.project = hub.project("alice", self.name)
        self.remote = self.through(url or hub.url)
        self.sites: list[Site] = []

    def through(self, url: str) -> Remote:
        """The project as reached at an address."""
        name, key = self.hub.user("alice")
        self.credentials.put(Login(url, name, key))
        return Remote(url, self.project, f"alice/{self.name}")

    def site(self, name: str = "site", *, attempts: int = 3, root: Path | None = None) -> Site:
        """A new workspace that belongs to the project, perhaps in a folder that is there."""
        made = root or self.base / name
        made.mkdir(exist_ok=True)
        Workspace.create(made)
        site = self.open(made, attempts=attempts)
        site.sync.add(self.remote)
        return site

    def open(self, root: Path, *, attempts: int = 3) -> Site:
        site = Site(root, self.credentials, attempts=attempts)
        self.sites.append(site)
        return site

    def clone(self, name: str, root: Path | None = None) -> Site:
        made = root or self.base / name
        clone(self.remote, made, credentials=self.credentials, patience=quick())
        return self.open(made)

    def call(self, method: str, path: str, body: object = None) -> dict[str, object]:
        answer = self.hub.call(
            method, f"/api/v1/projects/{self.project}{path}", self.hub.user("alice"), body
        )
        assert answer.status == 200, answer.body
        found = answer.json()
        assert isinstance(found, dict)
        return found

    def refs(self) -> dict[str, str]:
        """The refs of the project, as the hub tells them."""
        refs = self.call("GET", "/refs")["refs"]
        assert isinstance(refs, dict)
        return refs

    def verify(self) -> None:
        """Everything recorded on the hub, and all content, is as it should be."""
        folder = self.hub.data / "projects" / self.project
        records = Records.open(f"sqlite:///{folder / 'records.db'}")
        engine = EmbeddedEngine.open_store(folder / "store")
        try:
            assert records.verify() == []
            assert engine.verify(records.snapshots()) == []
        finally:
            engine.close()
            records.close()

    def close(self) -> None:
        for site in self.sites:
            site.close()


@contextmanager
def world(hub: RunningHub, base: Path) -> Iterator[World]:
    made = World(hub, base)
    try:
        yield made
    finally:
        made.close()
