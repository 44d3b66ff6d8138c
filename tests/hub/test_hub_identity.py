# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Users, passwords, keys: who gets in, and who does not any more."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from hub_world import CHEAP
from sqlalchemy import select, text, update

from dotscience_jupyter.api.errors import ApiError
from dotscience_jupyter.hub.config import Config, Services
from dotscience_jupyter.hub.identity import Identity, KeyInfo
from dotscience_jupyter.hub.secret import Secret
from dotscience_jupyter.hub.tables import ApiKeyRow, S3KeyRow, UserRow


def dump(services: Services) -> str:
    """Everything that is in the hub's tables."""
    with services.database.reading() as session:
        return "\n".join(
            repr(tuple(row))
            for table in ("users", "api_keys", "s3_keys", "audit")
            for row in session.execute(text(f"SELECT * FROM {table}"))
        )


def code_of(error: pytest.ExceptionInfo[ApiError]) -> tuple[int, str]:
    return error.value.status, error.value.code


def test_a_password_opens_the_door_and_is_nowhere_to_be_read(services: Services) -> None:
    identity = services.identity
    alice = identity.create_user("Alice", "s3cret-word")
    assert identity.authenticate_basic("Alice", "s3cret-word") == alice
    # names have no case, so that nobody can be mistaken for somebody else
    assert identity.authenticate_basic("aLICE", "s3cret-word") == alice
    assert identity.authenticate_basic("Alice", "s3cret-wore") is None
    assert identity.authenticate_basic("Alice", "") is None
    assert identity.authenticate_basic("bob", "s3cret-word") is None
    assert "s3cret-word" not in dump(services)
    with services.database.reading() as session:
        hashed = session.scalars(select(UserRow.password)).one()
    assert hashed is not None and hashed.startswith("$argon2id$")


def test_an_argon2_of_the_recommended_price_is_the_default(tmp_path: Path) -> None:
    services = Services.open(Config(data=tmp_path))
    try:
        services.identity.create_user("alice", "s3cret-word")
        with services.database.reading() as session:
            hashed = session.scalars(select(UserRow.password)).one()
        assert hashed is not None
        assert f"m={PasswordHasher().memory_cost}," in hashed
        assert PasswordHasher().memory_cost >= 19 * 1024  # OWASP's least
    finally:
        services.close()


@pytest.mark.parametrize("name", ["", "a b", "ä", "a" * 65, "a/b", "a:b", "a\n", "a."])
def test_names_that_nobody_may_have(services: Services, name: str) -> None:
    with pytest.raises(ApiError) as error:
        services.identity.create_user(name, "long enough")
    assert code_of(error) == (400, "invalid_request")
    assert services.identity.find_user(name) is None


@pytest.mark.parametrize("password", ["", "6chars", "x" * 1001])
def test_passwords_that_nobody_may_have(services: Services, password: str) -> None:
    with pytest.raises(ApiError) as error:
        services.identity.create_user("alice", password)
    assert code_of(error) == (400, "invalid_request")
    assert services.identity.count_users() == 0


def test_two_users_cannot_have_one_name(services: Services) -> None:
    services.identity.create_user("alice", "first one's")
    with pytest.raises(ApiError) as error:
        services.identity.create_user("ALICE", "second one's")
    assert code_of(error) == (409, "exists")
    assert services.identity.authenticate_basic("alice", "second one's") is None


def test_a_new_password_replaces_the_one_before_at_once(services: Services) -> None:
    identity = services.identity
    alice = identity.create_user("alice", "the old one")
    assert identity.authenticate_basic("alice", "the old one") == alice
    identity.set_password("alice", "the new one")
    # also the one that was remembered for being right a moment ago
    assert identity.authenticate_basic("alice", "the old one") is None
    assert identity.authenticate_basic("alice", "the new one") == alice
    assert identity.check_password(alice, "the new one")
    assert not identity.check_password(alice, "the old one")
    with pytest.raises(ApiError) as error:
        identity.set_password("nobody", "some password")
    assert code_of(error) == (404, "not_found")


def test_a_user_without_a_password_has_none_that_is_right(services: Services) -> None:
    identity = services.identity
    robot = identity.create_user("robot")
    assert identity.authenticate_basic("robot", "") is None
    assert identity.authenticate_basic("robot", "None") is None
    _, key = identity.create_key(robot, "ci")
    assert identity.authenticate_basic("robot", key) == robot


def test_too_many_wrong_passwords_are_not_looked_at_any_more(services: Services) -> None:
    identity = services.identity
    identity.create_user("alice", "the right one")
    for _ in range(5):
        assert identity.authenticate_basic("alice", "a wrong one", "1.2.3.4") is None
    with pytest.raises(ApiError) as error:
        identity.authenticate_basic("Alice", "the right one", "1.2.3.4")
    assert code_of(error) == (429, "too_many_attempts")
    # neither others nor the same user elsewhere are locked out with it
    assert identity.authenticate_basic("alice", "the right one", "5.6.7.8")
    assert identity.authenticate_basic("bob", "a wrong one", "1.2.3.4") is None


def test_a_key_opens_the_door_until_it_is_revoked(services: Services) -> None:
    identity = services.identity
    alice = identity.create_user("alice", "some password")
    bob = identity.create_user("bob")
    made, key = identity.create_key(alice, "laptop")
    assert key.startswith("dsk_") and len(key) > 40
    assert identity.authenticate_bearer(key) == alice
    assert identity.authenticate_basic("ALICE", key) == alice
    assert identity.authenticate_basic("bob", key) is None
    assert identity.authenticate_bearer(key[:-1]) is None
    assert identity.authenticate_bearer("") is None
    assert key not in dump(services) and key[4:] not in dump(services)
    assert [item.id for item in identity.list_keys(alice)] == [made.id]
    with pytest.raises(ApiError) as error:
        identity.revoke_key(bob, made.id)
    assert code_of(error) == (404, "not_found")
    identity.revoke_key(alice, made.id)
    assert identity.authenticate_bearer(key) is None
    assert identity.list_keys(alice) == []
    with pytest.raises(ApiError):
        identity.revoke_key(alice, made.id)


def test_a_key_expires(services: Services) -> None:
    now = datetime(2026, 5, 1, tzinfo=UTC)
    identity = Identity(
        services.database, Secret(bytes(32)), services.audit, hasher=CHEAP, clock=lambda: now
    )
    alice = identity.create_user("alice")
    made, key = identity.create_key(alice, "a day", expires=now + timedelta(days=1))
    assert identity.authenticate_bearer(key) == alice
    assert identity.list_keys(alice) == [
        KeyInfo(made.id, "a day", now, now + timedelta(days=1), now)
    ]
    now += timedelta(days=1)
    assert identity.authenticate_bearer(key) is None
    assert identity.list_keys(alice) == []


def test_the_last_use_of_a_key_is_known_about(services: Services) -> None:
    now = datetime(2026, 5, 1, tzinfo=UTC)
    identity = Identity(
        services.database, Secret(bytes(32)), services.audit, hasher=CHEAP, clock=lambda: now
    )
    alice = identity.create_user("alice")
    _, key = identity.create_key(alice, "laptop")
    assert identity.list_keys(alice)[0].used is None
    seen = []
    for _ in range(3):
        identity.authenticate_bearer(key)
        seen.append(identity.list_keys(alice)[0].used)
        now += timedelta(minutes=6)
    # written at most every ten minutes: a read need not wait for a disk
    start = datetime(2026, 5, 1, tzinfo=UTC)
    assert seen == [start, start, start + timedelta(minutes=12)]


@pytest.mark.parametrize("name", ["", "x" * 101, "a\x1b[2J", "a\n"])
def test_keys_have_names_that_can_be_shown(services: Services, name: str) -> None:
    alice = services.identity.create_user("alice")
    for make in (services.identity.create_key, services.identity.create_s3_key):
        with pytest.raises(ApiError) as error:
            make(alice, name)
        assert code_of(error) == (400, "invalid_request")


def test_who_is_disabled_has_no_door_at_all(services: Services) -> None:
    identity = services.identity
    identity.create_user("root", "admins word", admin=True)
    alice = identity.create_user("alice", "some password")
    _, key = identity.create_key(alice, "laptop")
    access, _ = identity.create_s3_key(alice, "s3")
    identity.set_disabled("alice", True)
    assert identity.authenticate_basic("alice", "some password") is None
    assert identity.authenticate_bearer(key) is None
    assert identity.authenticate_basic("alice", key) is None
    assert identity.s3_secret(access.id) is None
    identity.set_disabled("alice", False)
    assert identity.authenticate_bearer(key) == alice
    assert identity.s3_secret(access.id) is not None


def test_one_admin_is_always_left(services: Services) -> None:
    identity = services.identity
    identity.create_user("root", admin=True)
    identity.create_user("alice")
    for change in (
        lambda: identity.set_disabled("root", True),
        lambda: identity.set_admin("root", False),
    ):
        with pytest.raises(ApiError) as error:
            change()
        assert code_of(error) == (409, "refused")
    assert identity.get_user("root").admin
    identity.set_admin("alice", True)
    identity.set_admin("root", False)
    assert [(each.user.name, each.user.admin) for each in identity.list_users()] == [
        ("alice", True),
        ("root", False),
    ]


def test_the_secret_of_an_s3_key_is_kept_encrypted(services: Services) -> None:
    identity = services.identity
    alice = identity.create_user("alice")
    made, secret = identity.create_s3_key(alice, "laptop")
    assert identity.s3_secret(made.id) == (alice, secret)
    assert identity.s3_secret("DSFFFFFFFFFFFFFFFFFF") is None
    with services.database.reading() as session:
        row = session.get_one(S3KeyRow, made.id)
    assert secret.encode() not in row.secret
    # with another secret.key it says nothing
    other = Identity(services.database, Secret(bytes(32)), services.audit, hasher=CHEAP)
    assert other.s3_secret(made.id) is None
    identity.revoke_s3_key(alice, made.id)
    assert identity.s3_secret(made.id) is None
    assert identity.list_s3_keys(alice) == []
    with services.database.reading() as session:
        assert session.get_one(S3KeyRow, made.id).secret == b""


def test_the_secret_of_one_s3_key_cannot_be_put_into_another(services: Services) -> None:
    identity = services.identity
    mallory, alice = identity.create_user("mallory"), identity.create_user("alice")
    mine, _ = identity.create_s3_key(mallory, "x")
    others, _ = identity.create_s3_key(alice, "x")
    with services.database.writing() as session:
        stolen = session.get_one(S3KeyRow, mine.id).secret
        session.execute(update(S3KeyRow).where(S3KeyRow.id == others.id).values(secret=stolen))
    assert identity.s3_secret(others.id) is None


def test_the_secret_is_for_the_hub_only_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    first = Secret.open(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["secret.key"]
    assert Secret.open(path).key("a") == first.key("a") != first.key("b")
    path.write_bytes(b"short")
    with pytest.raises(ApiError, match="32 bytes"):
        Secret.open(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(ApiError, match="cannot be read"):
        Secret.open(path)


def test_nothing_that_is_decrypted_was_changed() -> None:
    secret = Secret(bytes(32))
    data = secret.encrypt(b"hello", "x")
    assert secret.decrypt(data, "x") == b"hello"
    assert secret.decrypt(data, "y") is None
    assert secret.decrypt(b"", "x") is None
    for position in range(len(data)):
        changed = bytearray(data)
        changed[position] ^= 1
        assert secret.decrypt(bytes(changed), "x") is None


def test_keys_do_not_repeat(services: Services) -> None:
    alice = services.identity.create_user("alice")
    keys = {services.identity.create_key(alice, "x")[1] for _ in range(20)}
    assert len(keys) == 20
    with services.database.reading() as session:
        assert len(set(session.scalars(select(ApiKeyRow.digest)))) == 20
