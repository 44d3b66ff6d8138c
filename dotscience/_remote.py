# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A hub, as ``ds.connect`` and ``ds.publish`` use it from any machine.

What goes over the wire is what the original library sent (REST under ``/v2``, Dotmesh's JSON-RPC
and its file endpoint), so it works against any server that speaks it. One field is new: the run's
full record, see the run format.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import time
import urllib.parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, BinaryIO

DEFAULT_HOSTNAME = "https://cloud.dotscience.com"

_TIMEOUT = 60.0
_BLOCK = 1 << 20
_MOST_ANSWER = 1 << 26
_GONE = (
    "cloud.dotscience.com was the original's own service, which has ended. Give your hub's address "
    "as the fourth argument of ds.connect()."
)


class HubError(RuntimeError):
    """The hub could not be reached, or refused; the message says what and what to do."""


class DotName:
    """The name of a dot on a hub: a namespace and a name in it."""

    def __init__(self, name: str, namespace: str = "admin") -> None:
        self.name = name
        self.namespace = namespace

    def __repr__(self) -> str:
        return f"DotName({self.name!r}, namespace={self.namespace!r})"


class Server:
    """Requests to a hub.

    Parameters
    ----------
    url
        Its address, such as ``https://hub.example.org`` or with a path.
    username, secret
        Who asks: an API key, or a password.
    """

    def __init__(self, url: str, username: str, secret: str) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise HubError(
                f"{url!r} is not the address of a hub. It begins with http:// or https://."
            )
        self.url = url.rstrip("/")
        self._parts = parts
        token = base64.b64encode(f"{username}:{secret}".encode()).decode()
        self._headers = {"Authorization": f"Basic {token}"}

    def request(
        self,
        method: str,
        path: str,
        body: bytes | BinaryIO | None = None,
        headers: dict[str, str] | None = None,
        length: int | None = None,
    ) -> bytes:
        """Send a request and return the answer's body.

        Raises
        ------
        HubError
            If the hub cannot be reached, or answers with an error.
        """
        secure = self._parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(self._parts.hostname or "", self._parts.port, timeout=_TIMEOUT)
        sent = self._headers | (headers or {})
        if length is not None:
            sent["Content-Length"] = str(length)
        try:
            # it may have answered before it had read all
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.request(
                    method, self._parts.path.rstrip("/") + path, body=body, headers=sent
                )
            answer = connection.getresponse()
            data = answer.read(_MOST_ANSWER)
        except (OSError, http.client.HTTPException) as error:
            hint = _GONE if self.url == DEFAULT_HOSTNAME else "Is the address right, and is it up?"
            raise HubError(
                f"The hub {self.url} could not be reached ({str(error) or type(error).__name__}). "
                f"{hint}"
            ) from None
        finally:
            connection.close()
        if not 200 <= answer.status < 300:
            raise HubError(self._refusal(answer.status, answer.reason, data))
        return data

    def _refusal(self, status: int, reason: str, data: bytes) -> str:
        if status == 401:
            return f"The hub {self.url} does not know this user and key (or password)."
        text = data[:2000].decode("utf-8", "replace").strip()
        try:
            document = json.loads(text)
            text = str(document.get("message", text))
        except (ValueError, AttributeError):
            pass
        return f"The hub {self.url} answered {status} {reason}: {text or 'nothing more'}"

    def json(self, method: str, path: str, body: object = None) -> Any:
        """Send and return JSON."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Accept": "application/json"}
        if data is not None:
            headers["Content-Type"] = "application/json"
        answer = self.request(method, path, data, headers)
        try:
            return json.loads(answer)
        except ValueError:
            raise HubError(
                f"{self.url} does not answer as a hub does. Is the address right?"
            ) from None


class DotmeshClient:
    """A connection to the Dotmesh API of a hub.

    Parameters
    ----------
    cluster_url
        Address of its JSON-RPC endpoint.
    username, api_key
        Whose connection it is.
    """

    def __init__(self, cluster_url: str, username: str, api_key: str) -> None:
        self.cluster_url = cluster_url
        self.username = username
        self.api_key = api_key
        self._calls = 0

    def call(self, method: str, **params: object) -> Any:
        """Call a method such as ``Lookup`` and return its result.

        Raises
        ------
        HubError
            If the hub cannot be reached or answers with an error.
        """
        self._calls += 1
        request: dict[str, object] = {
            "jsonrpc": "2.0",
            "method": f"DotmeshRPC.{method}",
            "id": self._calls,
        }
        if params:
            request["params"] = params
        base, found, rest = self.cluster_url.partition("/v2/dotmesh/rpc")
        server = Server(base if found else self.cluster_url, self.username, self.api_key)
        answer = server.json("POST", found + rest, request)
        if not isinstance(answer, dict) or ("error" not in answer and "result" not in answer):
            raise HubError(f"{server.url} does not answer as a hub does. Is the address right?")
        error = answer.get("error")
        if error:
            said = error.get("message", error) if isinstance(error, dict) else error
            raise HubError(f"The hub {server.url} refused {method}: {said}")
        return answer["result"]

    def ping(self) -> object:
        """Ask the hub for a sign of life. Raise HubError if there is none."""
        return self.call("Ping")


class Connection:
    """A user's project on a hub.

    Parameters
    ----------
    server
        The hub.
    client
        Its Dotmesh API.
    user
        Who publishes; the namespace of the project's files.
    project
        The project as the hub tells of it.
    """

    def __init__(self, server: Server, client: Any, user: str, project: dict[str, Any]) -> None:
        self.server = server
        self.client = client
        self.user = user
        self.project = project
        self.dot = f"project-{str(project['id'])[:8]}-default-workspace"

    def upload(self, root: str, files: list[str], model: str | None) -> None:
        """Send files, given relative to a root; those of a model's folder together.

        Raises
        ------
        HubError
            If they cannot be sent.
        OSError
            If one cannot be read.
        """
        folder = None if model is None else os.path.relpath(model, root)
        inside = [f for f in files if folder and f.startswith(folder + os.sep)]
        if len(inside) > 1 and folder:
            self._put_folder(root, folder, inside)
            files = [f for f in files if f not in set(inside)]
        for name in files:
            self._put_file(os.path.join(root, name), name)

    def _address(self, name: str) -> str:
        path = name.replace(os.sep, "/")
        if path.startswith(("../", "/")) or path == "..":
            raise HubError(
                f"The output {name} lies outside of the project's folder, so it was not sent. Set "
                "DOTSCIENCE_PROJECT_DOT_ROOT to a folder that holds all outputs."
            )
        bucket = urllib.parse.quote(f"{self.user}:{self.dot}", safe=":")
        return f"/v2/dotmesh/s3/{bucket}/{urllib.parse.quote(path)}"

    def _put_file(self, path: str, name: str) -> None:
        with open(path, "rb") as source:
            size = os.fstat(source.fileno()).st_size
            self.server.request("PUT", self._address(name), source, length=size)

    def _put_folder(self, root: str, folder: str, files: list[str]) -> None:
        import tarfile
        import tempfile

        with tempfile.TemporaryFile() as spooled:
            with tarfile.open(fileobj=spooled, mode="w", format=tarfile.PAX_FORMAT) as tar:
                for name in files:
                    inner = os.path.relpath(name, folder).replace(os.sep, "/")
                    tar.add(os.path.join(root, name), inner, recursive=False)
            size = spooled.tell()
            spooled.seek(0)
            self.server.request(
                "PUT", self._address(folder), spooled, {"Extract": "true"}, length=size
            )

    def commit(self, metadata: dict[str, str]) -> object:
        """Record a run; what was uploaded before belongs to it. Return the commit's id."""
        return self.client.call(
            "Commit",
            Namespace=self.user,
            Name=self.dot,
            Branch="",
            Message="Remote dotscience run",
            Metadata=metadata,
        )

    def build(self, run: str, wait: float = 1.0) -> dict[str, Any]:
        """Have the run's model made into an image, and wait for it.

        Raises
        ------
        HubError
            If the hub has no such model, cannot build, or fails to.
        """
        for _ in range(10):
            models = self.server.json("GET", "/v2/models")
            found = [model for model in models if model.get("run_id") == run]
            if found:
                break
            time.sleep(wait)
        else:
            raise HubError(
                f"The run {run} is published, but the hub lists no model of it. Register one with "
                "ds.model(...) before publishing."
            )
        path = f"/v2/models/{found[0]['id']}/builds"
        build = self.server.json(
            "POST", path, {"builder": os.environ.get("DOTSCIENCE_BUILDER", "")}
        )
        image = build["image_name"]
        for _ in range(600):
            if build.get("status") == "completed":
                return {**build, "image_name": build.get("image_name") or image}
            if build.get("status") == "failed":
                raise HubError(f"The hub could not build the image of the run {run}.")
            time.sleep(wait)
            build = self.server.json("GET", f"{path}/{build['id']}")
        raise HubError(f"The image of the run {run} was not built within ten minutes.")

    def deploy(self, name: str, image: str, classes: str | None) -> dict[str, Any]:
        """Have an image served by the first deployer that is online.

        Raises
        ------
        HubError
            If there is none.
        """
        deployers = self.server.json("GET", "/v2/deployers")
        online = [each for each in deployers if each.get("status") == "online"]
        if not online:
            raise HubError("The image is built, but no deployer of the hub is online.")
        body: dict[str, Any] = {
            "name": name,
            "namespace": "default",
            "image_name": image,
            "container_port": 8501,
            "model_name": name,
            "replicas": 1,
        }
        if classes is not None:
            with open(classes, "rb") as source:
                body["model_classes"] = base64.b64encode(source.read()).decode()
        path = f"/v2/deployers/{online[0]['id']}/deployments"
        deployment: dict[str, Any] = self.server.json("POST", path, body)
        board = self.server.json("POST", f"{path}/{deployment['id']}/dashboard", {})
        scheme = os.environ.get("DOTSCIENCE_MODEL_URL_SCHEME", "https")
        deployment["endpoint"] = f"{scheme}://{deployment['host']}/v1/models/model:predict"
        deployment["dashboard"] = board.get("dashboardURL")
        return deployment


def find_project(server: Server, name: str) -> dict[str, Any]:
    """Return a project by its name, made now if there is none."""
    for project in server.json("GET", "/v2/projects"):
        if project.get("name") == name:
            return dict(project)
    return dict(server.json("POST", "/v2/projects", {"name": name}))


def file_digest(path: str) -> dict[str, object] | None:
    """Return BLAKE3 and size of a file; None if it cannot be read, or BLAKE3 is not installed."""
    try:
        from blake3 import blake3
    except ImportError:
        return None
    digest = blake3()
    size = 0
    try:
        with open(path, "rb") as source:
            while data := source.read(_BLOCK):
                digest.update(data)
                size += len(data)
    except OSError:
        return None
    return {"digest": digest.hexdigest(), "size": size}
