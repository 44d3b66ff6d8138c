# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A workspace whose history parts in two: what was done, gone back from, and done instead."""

from __future__ import annotations

import json
import os
import shutil
import stat
from pathlib import Path
from typing import Any

import nbformat

from dotscience_jupyter.api import WorkspaceService, models
from dotscience_jupyter.records import Workspace

Content = str | bytes | None


def cell(source: str, output: str = "", id_: str = "", **fields: Any) -> dict[str, Any]:
    outputs = [nbformat.v4.new_output("stream", text=output)] if output else []
    made = nbformat.v4.new_code_cell(source, outputs=outputs, **fields)
    made["id"] = id_ or "c" + "".join(filter(str.isalnum, source))[:8]
    return dict(made)


def book(*cells: dict[str, Any]) -> str:
    return json.dumps(nbformat.v4.new_notebook(cells=list(cells)))


class World:
    """A workspace in a temporary folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self.workspace = Workspace.create(root)
        self.service = WorkspaceService.open(root, author="Ada")

    def close(self) -> None:
        self.service.close()

    def reopen(self) -> None:
        """As after a restart."""
        self.service.close()
        self.service = WorkspaceService.open(self.root, author="Ada")

    def write(self, **files: Content) -> None:
        self.put({name.replace("__", "/").replace("_", "."): data for name, data in files.items()})

    def put(self, files: dict[str, Content]) -> None:
        for name, data in files.items():
            path = self.root / name
            if data is None:
                path.unlink()
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data if isinstance(data, bytes) else data.encode())

    def commit(self, message: str = "more") -> str:
        made = self.service.commit(message).commit
        assert made is not None, "nothing had changed"
        return made.id

    def parted(
        self, base: dict[str, Content], yours: dict[str, Content], theirs: dict[str, Content]
    ) -> str:
        """Make a base, theirs upon it, and yours upon it as well; return theirs."""
        self.put(base)
        first = self.commit("base")
        self.put(theirs)
        other = self.commit("theirs")
        self.service.rollback(first)
        self.put(yours)
        if yours:
            self.commit("yours")
        return other

    def tree(self) -> dict[str, Any]:
        """Everything that the folder holds: content, modes, times, links, folders."""
        found: dict[str, Any] = {}
        for folder, folders, files in os.walk(self.root):
            if ".dotscience" in folders:
                folders.remove(".dotscience")
            for name in (*folders, *files):
                path = Path(folder, name)
                status = path.lstat()
                told: list[Any] = [oct(status.st_mode)]
                if not stat.S_ISDIR(status.st_mode):
                    told.append(status.st_mtime_ns)
                    told.append(os.readlink(path) if path.is_symlink() else path.read_bytes())
                found[str(path.relative_to(self.root))] = told
        return found

    def content_id(self) -> str:
        engine = self.service.engine
        return engine.content_id(engine.snapshot().id)

    def text(self, name: str) -> str:
        return (self.root / name).read_text("utf-8")

    def files(self, merge: models.Merge) -> dict[str, tuple[str, str | None, int]]:
        return {each.path: (each.state, each.change, each.conflicts) for each in merge.files}

    def choose(self, path: str, choice: Any, conflict: str = "", text: str | None = None) -> Any:
        wanted = models.Resolve(path=path, conflict=conflict, choice=choice, text=text)
        return self.service.merge.resolve(wanted)

    def check(self) -> None:
        """Everything that is recorded is whole, and every notebook valid."""
        assert self.service.verify().problems == []
        for path in self.root.rglob("*.ipynb"):
            nbformat.validate(json.loads(path.read_bytes()))

    def copy(self, root: Path) -> World:
        shutil.copytree(self.root, root, symlinks=True)
        return World(root)
