# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""One's own login: user, password, API keys, access keys of S3."""

from __future__ import annotations

from datetime import UTC
from typing import ClassVar

from dotscience_jupyter.api.errors import ApiError
from dotscience_jupyter.hub import models
from dotscience_jupyter.hub.access import Need
from dotscience_jupyter.hub.identity import KeyInfo
from dotscience_jupyter.hub.operations import Operation

from .base import HubHandler


class LoginHandler(HubHandler):
    """A password is exchanged for a key."""

    needs: ClassVar[dict[str, Need]] = {"GET": Need.PUBLIC, "POST": Need.PUBLIC}
    operations: ClassVar[dict[str, Operation]] = {
        "GET": Operation(models.LoginWays),
        "POST": Operation(models.LoggedIn, 201, body=models.Login, errors=(401,)),
    }

    async def get(self) -> None:
        """Answer with where a browser gets a key, if anywhere."""
        self.answer(models.LoginWays(page="/login" if self.hub.jupyterhub else None))

    async def post(self) -> None:
        """Answer with a new API key."""
        given = self.body(models.Login)
        identity = self.hub.identity
        user = await self.hub.run_slow(
            identity.authenticate_password, given.user, given.password, self.request.remote_ip or ""
        )
        if user is None:
            await self.note_failed(given.user, "password")
            raise ApiError(401, "unauthenticated", "The user name or the password is wrong.")
        key = await self.run(identity.log_in, user, given.name)
        self.answer(
            models.LoggedIn(user=models.User(name=user.name, admin=user.admin), key=key), 201
        )


class UserHandler(HubHandler):
    """Who asks."""

    needs: ClassVar[dict[str, Need]] = {"GET": Need.USER}
    operations: ClassVar[dict[str, Operation]] = {"GET": Operation(models.User)}

    async def get(self) -> None:
        """Answer with the user."""
        self.answer(models.User(name=self.asker.name, admin=self.asker.admin))


class PasswordHandler(HubHandler):
    """The own password."""

    takes_one_time = True
    needs: ClassVar[dict[str, Need]] = {"PUT": Need.USER}
    operations: ClassVar[dict[str, Operation]] = {
        "PUT": Operation(status=204, body=models.NewPassword, errors=(401, 403))
    }

    async def put(self) -> None:
        """Replace it; the one before has to be given, also by who has a key."""
        given = self.body(models.NewPassword)
        name = self.asker.name
        identity, address = self.hub.identity, self.request.remote_ip or ""
        if not await self.hub.run_slow(
            identity.authenticate_password, name, given.password, address
        ):
            await self.note_failed(name, "password")
            raise ApiError(403, "forbidden", "The present password is wrong; nothing was changed.")
        await self.hub.run_slow(identity.set_password, name, given.new, actor=name)
        self.set_status(204)


class KeysHandler(HubHandler):
    """The own API keys."""

    needs: ClassVar[dict[str, Need]] = {"GET": Need.USER, "POST": Need.USER}
    operations: ClassVar[dict[str, Operation]] = {
        "GET": Operation(models.KeyList),
        "POST": Operation(models.MadeKey, 201, body=models.NewKey),
    }

    async def get(self) -> None:
        """Answer with all that are good."""
        found = await self.run(self.hub.identity.list_keys, self.asker)
        self.answer(models.KeyList(items=[_key(key) for key in found]))

    async def post(self) -> None:
        """Make one."""
        given = self.body(models.NewKey)
        expires = given.expires
        if expires is not None:
            if expires.tzinfo is None:
                raise ApiError(400, "invalid_request", "'expires' needs a time zone, such as Z.")
            expires = expires.astimezone(UTC)
        made, key = await self.run(
            self.hub.identity.create_key, self.asker, given.name, expires=expires
        )
        self.answer(models.MadeKey(**_key(made).model_dump(), key=key), 201)


class KeyHandler(HubHandler):
    """One of the own API keys."""

    needs: ClassVar[dict[str, Need]] = {"DELETE": Need.USER}
    operations: ClassVar[dict[str, Operation]] = {"DELETE": Operation(status=204, errors=(404,))}

    async def delete(self, key: str) -> None:
        """Make it worth nothing."""
        await self.run(self.hub.identity.revoke_key, self.asker, key)
        self.set_status(204)


class S3KeysHandler(HubHandler):
    """The own access keys of S3."""

    needs: ClassVar[dict[str, Need]] = {"GET": Need.USER, "POST": Need.USER}
    operations: ClassVar[dict[str, Operation]] = {
        "GET": Operation(models.KeyList),
        "POST": Operation(models.MadeS3Key, 201, body=models.NewKey),
    }

    async def get(self) -> None:
        """Answer with all that are good."""
        found = await self.run(self.hub.identity.list_s3_keys, self.asker)
        self.answer(models.KeyList(items=[_key(key) for key in found]))

    async def post(self) -> None:
        """Make one."""
        given = self.body(models.NewKey)
        if given.expires is not None:
            raise ApiError(400, "invalid_request", "Access keys of S3 do not expire; revoke them.")
        made, secret = await self.run(self.hub.identity.create_s3_key, self.asker, given.name)
        self.answer(models.MadeS3Key(**_key(made).model_dump(), secret=secret), 201)


class S3KeyHandler(HubHandler):
    """One of the own access keys of S3."""

    needs: ClassVar[dict[str, Need]] = {"DELETE": Need.USER}
    operations: ClassVar[dict[str, Operation]] = {"DELETE": Operation(status=204, errors=(404,))}

    async def delete(self, key: str) -> None:
        """Make it worth nothing."""
        await self.run(self.hub.identity.revoke_s3_key, self.asker, key)
        self.set_status(204)


def _key(info: KeyInfo) -> models.Key:
    return models.Key(
        id=info.id, name=info.name, created=info.created, expires=info.expires, used=info.used
    )


ROUTES: list[tuple[str, type[HubHandler]]] = [
    (r"/api/v1/login", LoginHandler),
    (r"/api/v1/user", UserHandler),
    (r"/api/v1/user/password", PasswordHandler),
    (r"/api/v1/keys", KeysHandler),
    (r"/api/v1/keys/(?P<key>[^/]+)", KeyHandler),
    (r"/api/v1/s3keys", S3KeysHandler),
    (r"/api/v1/s3keys/(?P<key>[^/]+)", S3KeyHandler),
]
