# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""``jupyter dotscience hub``: users, keys, projects and the audit log from the command line."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic.command import downgrade
from click.testing import CliRunner, Result
from hub_world import CHEAP
from sqlalchemy import text

from dotscience_jupyter.api.errors import ApiError
from dotscience_jupyter.cli.app import cli
from dotscience_jupyter.hub.config import Config, Services
from dotscience_jupyter.hub.database import HubDatabase
from dotscience_jupyter.hub.original import methods
from dotscience_jupyter.hub.original.dots import Asker
from dotscience_jupyter.hub.original.jsonrpc import Call
from dotscience_jupyter.hub.original.library import library_of
from dotscience_jupyter.records.database import REVISION, Database, alembic_config
from dotscience_jupyter.snapshots.embedded.editing import Edit


class Terminal:
    """Runs commands of ``hub`` on one data folder."""

    def __init__(self, data: Path) -> None:
        self.data = data

    def run(self, *arguments: str, stdin: str = "", code: int = 0) -> Result:
        given = ["hub", *arguments, "--data", str(self.data)]
        result = CliRunner().invoke(cli, given, input=stdin)
        assert result.exit_code == code, (result.output, result.stderr)
        return result

    def json(self, *arguments: str, stdin: str = "") -> Any:
        return json.loads(self.run(*arguments, "--json", stdin=stdin).stdout)

    def error(self, *arguments: str, code: int = 1, stdin: str = "") -> dict[str, str]:
        result = self.run(*arguments, "--json", code=code, stdin=stdin)
        told: dict[str, str] = json.loads(result.stderr)["error"]
        return told

    def services(self) -> Services:
        return Services.open(Config(data=self.data, hasher=CHEAP))


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.delenv("DOTSCIENCE_HUB_DB", raising=False)
    return Terminal(tmp_path / "hub")


def test_a_user_is_added_before_the_hub_ever_ran(terminal: Terminal) -> None:
    made = terminal.json("user", "add", "alice", "--admin")
    assert made["user"] == {"name": "alice", "admin": True}
    shown = terminal.run("user", "add", "bob", "--password-stdin", stdin="bobs word\n").stdout
    assert "bob" in shown and "dsk_" in shown
    services = terminal.services()
    alice = services.identity.authenticate_bearer(made["key"])
    assert alice is not None and alice.admin
    assert services.identity.authenticate_basic("bob", "bobs word")
    services.close()
    listed = terminal.json("user", "list")["items"]
    assert [(u["name"], u["admin"], u["disabled"]) for u in listed] == [
        ("alice", True, False),
        ("bob", False, False),
    ]
    assert "alice" in terminal.run("user", "list").stdout


def test_users_are_locked_out_and_get_other_passwords(terminal: Terminal) -> None:
    terminal.json("user", "add", "root", "--admin")
    terminal.json("user", "add", "alice")
    assert "locked out" in terminal.run("user", "disable", "alice").stdout
    assert terminal.json("user", "list")["items"][0]["disabled"]
    assert terminal.json("user", "enable", "alice") == {"user": "alice"}
    terminal.run("user", "password", "alice", stdin="another word\r\n")
    services = terminal.services()
    assert services.identity.authenticate_basic("alice", "another word")
    services.close()
    assert terminal.error("user", "disable", "root")["code"] == "refused"
    assert terminal.error("user", "disable", "nobody")["code"] == "not_found"
    assert terminal.error("user", "add", "alice")["code"] == "exists"
    assert terminal.error("user", "add", "a b")["code"] == "invalid_request"
    short = terminal.error("user", "add", "carol", "--password-stdin", stdin="short\n")
    assert short["code"] == "invalid_request"
    none = terminal.error("user", "add", "carol", "--password-stdin", code=2)
    assert none["code"] == "usage"


def test_collaborators_are_let_in_to_read_or_to_write(terminal: Terminal) -> None:
    for name in ("alice", "bob"):
        terminal.json("user", "add", name)
    services = terminal.services()
    alice = services.identity.get_user("alice")
    info = services.projects.create(alice, "my project")
    services.projects.create(alice, "iris", "dataset")
    services.close()
    made = terminal.json("collaborator", "add", "alice/my project", "bob", "--read-only")
    assert made == {
        "project": info.id, "user": "bob", "role": "collaborator", "access": "read",
    }  # fmt: skip
    assert terminal.json("collaborator", "list", info.id)["items"] == [
        {"name": "alice", "role": "owner", "access": "write"},
        {"name": "bob", "role": "collaborator", "access": "read"},
    ]
    shown = terminal.run("collaborator", "add", info.id, "bob").stdout
    assert shown == "bob may read and write alice/my project.\n"
    shown = terminal.run("collaborator", "add", info.id, "alice", "--read-only").stdout
    assert shown == "alice may read and write alice/my project, being the owner.\n"
    assert "bob\tcollaborator\tread, write" in terminal.run("collaborator", "list", info.id).stdout
    assert "no collaborator" in terminal.run("collaborator", "remove", info.id, "bob").stdout
    assert len(terminal.json("collaborator", "list", info.id)["items"]) == 1
    assert terminal.json("collaborator", "add", "alice/iris", "bob")["access"] == "write"
    assert terminal.error("collaborator", "remove", info.id, "alice")["code"] == "refused"
    assert terminal.error("collaborator", "add", info.id, "nobody")["code"] == "not_found"
    for name in ("alice/other", "my project", "/", ""):
        assert terminal.error("collaborator", "list", name)["code"] == "not_found"


def test_keys(terminal: Terminal) -> None:
    terminal.json("user", "add", "alice")
    made = terminal.json("key", "add", "alice", "--name", "ci", "--days", "7")
    assert made["expires"] > made["created"]
    assert "dsk_" in terminal.run("key", "add", "alice").stdout
    listed = terminal.json("key", "list", "alice")["items"]
    assert [key["name"] for key in listed] == ["first", "ci", "key"]
    assert "ci" in terminal.run("key", "list", "alice").stdout
    terminal.run("key", "revoke", "alice", made["id"])
    services = terminal.services()
    assert services.identity.authenticate_bearer(made["key"]) is None
    services.close()
    assert terminal.error("key", "revoke", "alice", made["id"])["code"] == "not_found"
    assert terminal.json("key", "revoke", "alice", listed[0]["id"]) == {"id": listed[0]["id"]}


def test_projects_are_listed_brought_back_and_purged(terminal: Terminal) -> None:
    services = terminal.services()
    alice = services.identity.create_user("alice")
    kept = services.projects.create(alice, "kept")
    gone = services.projects.create(alice, "gone")
    services.projects.delete(gone, confirm="gone")
    services.close()
    assert [p["name"] for p in terminal.json("project", "list")["items"]] == ["kept"]
    assert [p["id"] for p in terminal.json("project", "list", "--deleted")["items"]] == [gone.id]
    assert "kept" in terminal.run("project", "list").stdout
    assert terminal.error("project", "purge", kept.id)["code"] == "not_found"
    assert terminal.json("project", "restore", gone.id)["name"] == "gone"
    services = terminal.services()
    services.projects.delete(gone, confirm="gone")
    services.close()
    assert "gone" in terminal.run("project", "purge", gone.id).stdout
    assert terminal.json("project", "list", "--deleted")["items"] == []


def test_the_audit_log_is_shown_and_verified(terminal: Terminal) -> None:
    terminal.json("user", "add", "alice")
    told = terminal.json("audit")
    assert [entry["action"] for entry in told["items"]] == ["key.create", "user.create"]
    assert told["items"][0]["actor"] == "(local)"
    assert "user.create" in terminal.run("audit", "--limit", "5").stdout
    good = terminal.json("audit", "verify")
    assert (good["entries"], good["problems"]) == (2, [])
    terminal.run("audit", "verify", "--head", good["head"])
    database = HubDatabase.open(f"sqlite:///{terminal.data / 'hub.db'}")
    with database.writing() as session:
        session.execute(text("UPDATE audit SET actor = 'mallory' WHERE sequence = 1"))
    database.close()
    bad = terminal.run("audit", "verify", code=3)
    assert "Entry 1" in bad.stdout


def test_content_is_verified_and_what_nobody_needs_is_freed(terminal: Terminal) -> None:
    services = terminal.services()
    info = services.projects.create(services.identity.create_user("alice"), "p")
    with services.projects.open(info) as project:
        data = os.urandom(100_000)
        project.write([Edit("a.bin", data)], author="a", message="m", type="upload")
        lost = project.engine.edit(None, [Edit("lost.bin", os.urandom(300_000))]).id
    services.close()
    assert terminal.json("verify") == {"projects": 1, "problems": []}
    assert "as recorded" in terminal.run("verify", info.id).stdout
    assert terminal.error("verify", "nonsense")["code"] == "not_found"
    # what was made a moment ago may be about to be recorded
    assert terminal.json("gc")["freed_bytes"] < 300_000
    store = terminal.data / "projects" / info.id / "store"
    marker = next(path for path in store.rglob(f"*{lost}*"))
    marker.unlink()  # with what is noted at it beside its time
    marker.touch()
    os.utime(marker, (1, 1))
    assert terminal.json("gc")["freed_bytes"] > 250_000
    assert "Freed" in terminal.run("gc").stdout
    pack = max(store.rglob("*"), key=lambda path: path.stat().st_size * path.is_file())
    damaged = bytearray(pack.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    pack.chmod(0o600)
    pack.write_bytes(damaged)
    told = terminal.run("verify", "--json", code=3)
    assert "a.bin" in json.loads(told.stdout)["problems"][0]["problem"]
    assert info.id in terminal.run("verify", code=3).stdout


def test_upgrade_says_that_all_is_up_to_date(terminal: Terminal) -> None:
    services = terminal.services()
    services.projects.create(services.identity.create_user("alice"), "p")
    services.close()
    assert terminal.json("upgrade") == {"projects": 1, "problems": []}
    assert "up to date" in terminal.run("upgrade").stdout


def test_records_of_projects_are_upgraded_by_hub_upgrade_alone(terminal: Terminal) -> None:
    services = terminal.services()
    alice = services.identity.create_user("alice")
    made = {
        name: services.projects.create(alice, name) for name in ("good", "older", "newer", "old")
    }
    for info in made.values():
        with services.projects.open(info) as project:
            project.write([Edit("f", b"1")], author="alice", message="1", type="upload")
    services.projects.delete(made["old"], confirm="old")
    services.close()
    files = {n: terminal.data / "projects" / i.id / "records.db" for n, i in made.items()}
    for name in ("older", "old"):
        database = Database.open(f"sqlite:///{files[name]}")
        with database.engine.begin() as connection:
            downgrade(alembic_config(connection), "0004")
        database.close()
    set_revision(files["newer"], "9999")

    # serving migrates nothing, and says what is wrong; lists have the others
    services = terminal.services()
    for name in ("older", "newer"):
        with pytest.raises(ApiError, match=made[name].id) as error:
            services.projects.open(made[name]).__enter__()
        assert (error.value.status, error.value.code) == (503, f"{name}_records")
    listed = services.projects.visit(services.projects.all(), lambda project: project.info.name)
    assert listed == ["good"]
    asker = Asker(services, alice)
    call = Call("List", {}, None)
    assert list(methods.list_dots(asker, None, call)["alice"]) == [made["good"].dot]
    dots = methods.all_dots_and_branches(asker, None, call)["Dots"]
    assert [each["MasterBranch"]["Name"]["Name"] for each in dots] == [made["good"].dot]
    assert library_of(services).all_models(alice) == "[]"
    services.close()
    revisions = {name: revision(file) for name, file in files.items()}
    assert revisions == {"good": REVISION, "older": "0004", "newer": "9999", "old": "0004"}

    # looking after the hub goes on with the others
    terminal.run("gc", code=1)
    told = json.loads(terminal.run("verify", "--json", code=3).stdout)["problems"]
    assert [each["project"] for each in told] == [made["newer"].id, made["older"].id]
    upgraded = json.loads(terminal.run("upgrade", "--json", code=1).stdout)
    assert [each["project"] for each in upgraded["problems"]] == [made["newer"].id]
    assert "came along" in terminal.run("upgrade", code=1).stdout
    revisions = {name: revision(file) for name, file in files.items()}
    assert revisions == {"good": REVISION, "older": REVISION, "newer": "9999", "old": REVISION}
    terminal.run("project", "restore", made["old"].id)
    services = terminal.services()
    with services.projects.open(made["old"]) as project:
        assert project.records.verify() == []
    services.close()


def revision(file: Path) -> str:
    with contextlib.closing(sqlite3.connect(file)) as connection:
        return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def set_revision(file: Path, to: str) -> None:
    with contextlib.closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (to,))


def test_a_database_of_a_newer_version_is_refused(terminal: Terminal) -> None:
    terminal.json("user", "add", "alice")
    database = HubDatabase.open(f"sqlite:///{terminal.data / 'hub.db'}")
    with database.writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()
    for command in (["user", "list"], ["upgrade"], ["start", "--port", "0"]):
        assert terminal.error(*command)["code"] == "newer_database"


def test_settings_come_from_a_file_and_the_command_line_is_stronger(
    terminal: Terminal, tmp_path: Path
) -> None:
    file = tmp_path / "hub_config.py"
    file.write_text(f"c.Hub.data = {str(tmp_path / 'of-the-file')!r}\nc.Hub.rate = 7.0\n")
    result = CliRunner().invoke(cli, ["hub", "user", "add", "alice", "--config", str(file)])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "of-the-file" / "hub.db").exists()
    terminal.run("user", "add", "bob", "--config", str(file))
    assert [u["name"] for u in terminal.json("user", "list")["items"]] == ["bob"]
    file.write_text("c.Hub.rate = 'often'\n")
    assert terminal.error("user", "list", "--config", str(file), code=2)["code"] == "usage"


def test_what_a_storage_is_called_is_said(terminal: Terminal) -> None:
    for storage in ("zfs://tank/hub", "gs://tank/hub"):
        told = terminal.error("start", "--storage", storage)
        assert told["code"] == "invalid_request"
        assert "zfs:POOL/ROOT" in told["message"]
    assert not terminal.data.exists()


def test_every_command_has_help() -> None:
    groups = [["hub"], ["hub", "user"], ["hub", "key"], ["hub", "project"]]
    for group in groups:
        shown = CliRunner().invoke(cli, [*group, "--help"])
        assert shown.exit_code == 0 and "--json" in shown.output
        listed = shown.output.split("Commands:")[1].split()
        assert listed
    shown = CliRunner().invoke(cli, ["hub", "start", "--help"])
    for option in ("--ip", "--port", "--data", "--db", "--storage", "--certfile", "--json"):
        assert option in shown.output


def test_what_is_not_installed_is_said_with_the_way_to_get_it() -> None:
    code = (
        "import sys\nsys.modules['argon2'] = None\n"
        "from dotscience_jupyter.cli import main\nmain(['hub', 'user', 'list'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert "argon2" in done.stderr and "dotscience-jupyter[hub]" in done.stderr
    assert "Traceback" not in done.stderr
