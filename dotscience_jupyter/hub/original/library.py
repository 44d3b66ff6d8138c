# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The model library as the original lists it: a query over runs, never a second truth.

A model's id says where it is: ``PROJECT.RUN.NUMBER``, the number being that of its label among the
run's labels of models, by name. None of the three has a dot in it, and none ever changes.
"""

from __future__ import annotations

import json
import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from dotscience_jupyter.hub.config import Services
from dotscience_jupyter.hub.identity import User
from dotscience_jupyter.hub.project import Project, ProjectInfo
from dotscience_jupyter.records import NotFoundError, models
from dotscience_jupyter.records.reading import RunHead
from dotscience_jupyter.records.where import MAX_LENGTH, Field, write_field

MOST = 1000
"""Models of one project in a list at most, the newest ones."""

_MOST_COMPARISONS = 100

Model = dict[str, Any]


class Library:
    """The models of a hub's projects as they were last listed; a project is asked when it changed.

    Clients that wait for a model ask again and again. Thread-safe.
    """

    def __init__(self, services: Services, most_bytes: int = 32 << 20) -> None:
        self._services = services
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._bytes = 0
        self._listed: OrderedDict[str, tuple[str, str]] = OrderedDict()  # by id: stamp and JSON

    def all_models(self, user: User) -> str:
        """Return the models of all projects that a user may see, newest first in each, as JSON."""
        projects = self._services.projects
        infos = projects.visible_to(user)
        stamps = projects.stamps(infos)
        texts = [self._models(info, stamps.get(info.id)) for info in infos]
        return f"[{', '.join(text for text in texts if text)}]"

    def _models(self, info: ProjectInfo, stamp: str | None) -> str:
        """Return the JSON of a project's models without the brackets."""
        mark = f"{stamp} {info.name}"
        with self._lock:
            known = self._listed.get(info.id)
            if known is not None and known[0] == mark:
                self._listed.move_to_end(info.id)
                return known[1]
        # the stamp is older than what is read now, so nothing new is ever taken for known
        texts = self._services.projects.visit(
            [info], lambda project: ", ".join(json.dumps(model) for model in _models(project))
        )
        if not texts:
            return ""
        if stamp is not None:
            self._keep(info.id, mark, texts[0])
        return texts[0]

    def _keep(self, id_: str, mark: str, text: str) -> None:
        with self._lock:
            before = self._listed.pop(id_, None)
            self._listed[id_] = (mark, text)
            self._bytes += len(text) - len(before[1] if before else "")
            while self._bytes > self._most_bytes:
                _, (_, gone) = self._listed.popitem(last=False)
                self._bytes -= len(gone)


_LIBRARIES: weakref.WeakKeyDictionary[Services, Library] = weakref.WeakKeyDictionary()
_MAKING = threading.Lock()


def library_of(services: Services) -> Library:
    """Return the library of a hub."""
    with _MAKING:
        return _LIBRARIES.setdefault(services, Library(services))


def find_model(services: Services, user: User, id_: str) -> Model | None:
    """Return one model, None if there is none such that the user may see."""
    parts = id_.split(".")
    if len(parts) != 3:
        return None
    info = services.projects.get(parts[0])
    if info is None or services.members.role(user, info) is None:
        return None
    with services.projects.open(info) as project:
        try:
            run = project.records.get_runs([parts[1]])[parts[1]]
        except (KeyError, NotFoundError):
            return None
        return next((each for each in _of_run(info, run) if each["id"] == id_), None)


def _models(project: Project) -> list[Model]:
    labels = project.records.value_names()["label"]
    runs: dict[int, RunHead] = {}
    for where in _conditions([name for name in labels if name.startswith(models.MODEL_LABEL)]):
        for run in project.records.list_runs(where=where, limit=MOST)[0]:
            runs[run.sequence] = run
    newest = [runs[sequence] for sequence in sorted(runs, reverse=True)]
    return [each for run in newest for each in _of_run(project.info, run)][:MOST]


def _conditions(names: list[str]) -> Iterator[str]:
    """Yield filters for runs that have any of these labels, none longer than filters may be."""
    terms: list[str] = []
    length = 0
    for name in names:
        term = f"{write_field(Field('label', name))} is not null"
        if terms and (
            length + len(term) > MAX_LENGTH - 10 * len(terms) or len(terms) >= _MOST_COMPARISONS
        ):
            yield " or ".join(terms)
            terms, length = [], 0
        terms.append(term)
        length += len(term)
    if terms:
        yield " or ".join(terms)


def _of_run(info: ProjectInfo, run: models.Run | RunHead) -> Iterator[Model]:
    labels = [value for value in run.values if value.kind == "label"]
    named = sorted(
        (value for value in labels if value.name.startswith(models.MODEL_LABEL)),
        key=lambda value: value.name,
    )
    for number, label in enumerate(named):
        said = _said(label.text)
        yield {
            "id": f"{info.id}.{run.id}.{number}",
            "run_id": run.id,
            "name": label.name[len(models.MODEL_LABEL) :],
            "type": said.get("type", ""),
            "version": said.get("version", ""),
            "files": said.get("files", {}),
            "project_id": info.id,
            "project_name": info.name,
            "commit_id": run.commit_id,
            "author": run.author,
            "description": run.description,
            "created": run.commit.created.isoformat(),
            "builds": [],
        }


def _said(text: str) -> dict[str, Any]:
    """Return what a label says of its model; nothing if somebody wrote it by hand."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
