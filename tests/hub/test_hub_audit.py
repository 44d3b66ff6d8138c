# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The audit log: nothing is done without an entry, and no entry can be changed unseen."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, select, update

from dotscience_jupyter.api.errors import ApiError
from dotscience_jupyter.hub.audit import Audit
from dotscience_jupyter.hub.config import Services
from dotscience_jupyter.hub.tables import AuditRow, UserRow


def filled(services: Services, count: int = 5) -> Audit:
    for number in range(count):
        services.audit.append("alice", "thing.do", f"thing:{number}", {"n": number, "ü": "\n"})
    return services.audit


def test_entries_are_kept_as_they_were_written(services: Services) -> None:
    audit = filled(services, 3)
    entries, total = audit.entries()
    assert total == 3
    assert [(e.sequence, e.actor, e.action, e.object, e.details) for e in entries] == [
        (n + 1, "alice", "thing.do", f"thing:{n}", {"n": n, "ü": "\n"}) for n in (2, 1, 0)
    ]
    assert [e.sequence for e in audit.entries(offset=1, limit=1)[0]] == [2]
    problems, head = audit.verify()
    assert (problems, head) == ([], entries[0].digest)


def test_an_empty_log_is_whole(services: Services) -> None:
    assert services.audit.verify()[0] == []


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("actor", "bob"),
        ("action", "other"),
        ("object", "thing:9"),
        ("details", '{"n":9}'),
        ("time_ns", "1"),
        ("digest", "0" * 64),
    ],
)
def test_a_changed_entry_is_found(services: Services, column: str, value: str) -> None:
    audit = filled(services)
    with services.database.writing() as session:
        session.execute(update(AuditRow).where(AuditRow.sequence == 3).values({column: value}))
    problems, _ = audit.verify()
    assert problems and "Entry 3" in problems[0]


def test_a_removed_entry_is_found(services: Services) -> None:
    audit = filled(services)
    with services.database.writing() as session:
        session.execute(delete(AuditRow).where(AuditRow.sequence == 3))
    problems, _ = audit.verify()
    assert any("3 to 3 are missing" in problem for problem in problems)


def test_removed_and_counted_anew_is_found(services: Services) -> None:
    audit = filled(services)
    with services.database.writing() as session:
        session.execute(delete(AuditRow).where(AuditRow.sequence == 3))
        for sequence in (4, 5):
            session.execute(
                update(AuditRow).where(AuditRow.sequence == sequence).values(sequence=sequence - 1)
            )
    assert audit.verify()[0]


def test_an_entry_cannot_be_forged_without_the_key(services: Services) -> None:
    audit = filled(services)
    forger = Audit(services.database, b"x" * 32)
    forger.append("alice", "thing.forged", "thing:9")
    problems, _ = audit.verify()
    assert len(problems) == 1 and "thing.forged" in problems[0]


def test_that_the_end_was_cut_off_shows_against_a_head_that_was_kept(services: Services) -> None:
    audit = filled(services)
    _, head = audit.verify()
    audit.append("alice", "more", "thing")
    assert audit.verify(head)[0] == []
    with services.database.writing() as session:
        session.execute(delete(AuditRow).where(AuditRow.sequence >= 5))
    assert audit.verify()[0] == []
    assert "was cut" in audit.verify(head)[0][0]
    assert audit.verify("ü")[0]


def test_what_failed_leaves_no_entry_and_what_has_no_entry_failed(services: Services) -> None:
    services.identity.create_user("alice")
    before = services.audit.entries()[1]
    with pytest.raises(ApiError):
        services.identity.create_user("alice")
    assert services.audit.entries()[1] == before

    def broken(*args: object, **kwargs: object) -> None:
        raise RuntimeError("the log cannot be written")

    services.audit._append = broken  # type: ignore[method-assign]
    with pytest.raises(RuntimeError):
        services.identity.create_user("bob")
    with services.database.reading() as session:
        assert list(session.scalars(select(UserRow.name))) == ["alice"]


def test_everything_about_users_keys_and_projects_is_written_down(services: Services) -> None:
    identity, projects = services.identity, services.projects
    root = identity.create_user("root", admin=True, actor="boss")
    alice = identity.create_user("alice", actor="root")
    identity.set_password("alice", "another one", actor="root")
    identity.set_disabled("alice", True, actor="root")
    identity.set_disabled("alice", False, actor="root")
    identity.set_admin("alice", True, actor="root")
    key, text = identity.create_key(alice, "laptop")
    identity.revoke_key(alice, key.id, actor="root")
    s3, secret = identity.create_s3_key(alice, "s3")
    identity.revoke_s3_key(alice, s3.id)
    info = projects.create(alice, "p")
    services.members.add(info, root, actor="alice")
    services.members.add(info, root, actor="alice")  # again: nothing is done
    services.members.add(info, root, "read", actor="alice")
    services.members.remove(info, root, actor="alice")
    info = projects.rename(info, "q", actor="alice")
    projects.delete(info, confirm="q", actor="alice")
    projects.restore(info.id)
    projects.delete(info, confirm="q", actor="root")
    projects.purge(info.id, actor="root")
    entries, _ = services.audit.entries()
    assert [(e.actor, e.action) for e in reversed(entries)] == [
        ("boss", "user.create"),
        ("root", "user.create"),
        ("root", "user.password"),
        ("root", "user.disable"),
        ("root", "user.enable"),
        ("root", "user.admin"),
        ("alice", "key.create"),
        ("root", "key.revoke"),
        ("alice", "s3key.create"),
        ("alice", "s3key.revoke"),
        ("alice", "project.create"),
        ("alice", "collaborator.add"),
        ("alice", "collaborator.change"),
        ("alice", "collaborator.remove"),
        ("alice", "project.rename"),
        ("alice", "project.delete"),
        ("(local)", "project.restore"),
        ("root", "project.delete"),
        ("root", "project.purge"),
    ]
    told = str(entries)
    assert text not in told and secret not in told and "another one" not in told
    assert services.audit.verify()[0] == []
