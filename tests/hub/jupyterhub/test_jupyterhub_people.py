# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""JupyterHub's users in the hub's tables, on each kind of database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from dotscience_jupyter.api.errors import ApiError
from dotscience_jupyter.hub.config import Services
from dotscience_jupyter.hub.jupyterhub.people import People


def refused(people: People, name: str) -> tuple[int, str]:
    with pytest.raises(ApiError) as error:
        people.user(name)
    return error.value.status, error.value.code


def test_users_appear_once_and_only_as_themselves(services: Services) -> None:
    people = People(services.database, services.audit)
    identity = services.identity
    with ThreadPoolExecutor(6) as threads:
        found = set(threads.map(people.user, ["ann", "x" * 255] * 6))
    assert len(found) == 2 and not any(user.admin for user in found)
    ann = people.user("ann")
    assert people.by_id(ann.id) == ann and people.by_id("nobody") is None
    assert identity.authenticate_password("ann", "") is None  # there is no password to guess
    # the other case is another user at JupyterHub, and so it is here
    assert people.user("Ann").name == "--41nn"
    # somebody who was added here is not them
    bob = identity.create_user("Bob", admin=True)
    assert refused(people, "bob") == (403, "name_taken")
    assert people.adopt("bob") == "Bob"
    assert people.user("bob") == bob
    # the hub's only admin stays, anybody else may be locked out, and is then, whatever they bring
    with pytest.raises(ApiError, match="only admin"):
        identity.set_disabled("Bob", True)
    identity.set_disabled("ann", True)
    assert refused(people, "ann") == (403, "disabled")
    assert people.by_id(ann.id) is None
    actions = [entry.action for entry in services.audit.entries(limit=20)[0]]
    assert actions.count("user.create") == 4 and actions.count("user.adopt") == 1
    assert services.audit.verify() == ([], services.audit.entries(limit=1)[0][0].digest)
