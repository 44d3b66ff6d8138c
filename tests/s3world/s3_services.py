# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""S3 services for tests: moto, a quick imitation, and Ceph's gateway, which is real."""

from __future__ import annotations

import atexit
import functools
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.config import Config

sys.path.append(str(Path(__file__).parents[1] / "records"))

# what botocore knows of services is read once, and not for each of the many clients of tests
botocore.session.create_loader = functools.cache(botocore.session.create_loader)


class S3Service:
    """A service that listens on loopback.

    ``start`` and ``stop`` are for outages; what was stored stays.
    """

    def __init__(
        self,
        url: str,
        access: str,
        secret: str,
        *,
        start: Callable[[], None] = lambda: None,
        stop: Callable[[], None] = lambda: None,
    ) -> None:
        self.url = url
        self.access = access
        self.secret = secret
        self.start = start
        self.stop = stop

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    def environment(self) -> dict[str, str]:
        """Credentials as the usual environment variables."""
        return {
            "AWS_ACCESS_KEY_ID": self.access,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    @functools.cache  # noqa: B019 - there are few services
    def client(self) -> Any:
        """A client of boto3."""
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=self.access,
            aws_secret_access_key=self.secret,
            region_name="us-east-1",
            config=Config(
                s3={"addressing_style": "path"},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                retries={"total_max_attempts": 2},
            ),
        )

    def bucket(self, *, versioned: bool = False) -> str:
        """The name of a new bucket."""
        name = f"test-{uuid.uuid4().hex[:12]}"
        client = self.client()
        client.create_bucket(Bucket=name)
        if versioned:
            client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        return name


@contextmanager
def moto() -> Iterator[S3Service]:
    """An imitation in a thread of this process: every call, no check of signatures."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", port=free_port(), verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield S3Service(f"http://{host}:{port}", "moto", "moto-secret")
    finally:
        server.stop()


@functools.cache
def shared_ceph() -> S3Service:
    """Ceph's gateway, one for all tests of a process; ended with it. Skips where it is missing."""
    manager = ceph()
    service = manager.__enter__()
    atexit.register(manager.__exit__, None, None, None)
    return service


@contextmanager
def ceph() -> Iterator[S3Service]:
    """A small Ceph cluster (a monitor, a disk in a file) and its gateway. It takes 10 to 20 s."""
    from records_world import missing

    for program in ("ceph-mon", "ceph-osd", "radosgw", "ceph", "radosgw-admin"):
        if shutil.which(program) is None:
            missing(f"{program} of Ceph is not installed")
    if os.geteuid() != 0:
        pytest.skip("Ceph's own checks of owners want root")
    # paths of sockets are short
    folder = Path(tempfile.mkdtemp(prefix="ds-ceph-"))
    cluster = _Ceph(folder)
    try:
        yield cluster.up()
    finally:
        cluster.down()
        shutil.rmtree(folder, ignore_errors=True)


class _Ceph:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        self._gateway: subprocess.Popen[bytes] | None = None
        self._port = free_port()
        self._secret = secrets.token_hex(20)

    def up(self) -> S3Service:
        folder, fsid, port = self._folder, str(uuid.uuid4()), free_port()
        for name in ("mon", "osd", "rgw", "run", "log"):
            (folder / name).mkdir()
        keyring = folder / "keyring"
        (folder / "ceph.conf").write_text(CONFIGURATION.format(d=folder, fsid=fsid, port=port))
        tool = ["ceph-authtool", str(keyring), "--gen-key"]
        self._call(*tool, "--create-keyring", "-n", "mon.", "--cap", "mon", "allow *")
        every = ["--cap", "mon", "allow *", "--cap", "osd", "allow *", "--cap", "mgr", "allow *"]
        self._call(*tool, "-n", "client.admin", *every)
        profile = ["--cap", "mon", "allow profile osd", "--cap", "osd", "allow *"]
        self._call(*tool, "-n", "osd.0", *profile)
        monmap = str(folder / "monmap")
        addresses = f"[v2:127.0.0.1:{port}]"
        self._call(
            "monmaptool", "--create", "--addv", "a", addresses, "--fsid", fsid, monmap
        )  # fmt: skip
        self._call(
            "ceph-mon", "--mkfs", "-i", "a", "--keyring", str(keyring), "--monmap", monmap
        )  # fmt: skip
        self._begin("ceph-mon", "-f", "-i", "a")
        disk = str(uuid.uuid4())
        self._until(lambda: self._try("ceph", "-s"))
        self._call("ceph", "osd", "create", disk)
        self._call("ceph", "auth", "import", "-i", str(keyring))
        self._call("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", disk)
        self._begin("ceph-osd", "-f", "-i", "0")
        self._until(lambda: b"1 up" in self._try("ceph", "osd", "stat"))
        self._call(
            *("radosgw-admin", "user", "create", "--uid=tests", "--display-name=tests"),
            *("--access-key=tests", f"--secret-key={self._secret}"),
        )
        self.start()
        return S3Service(
            f"http://127.0.0.1:{self._port}",
            "tests",
            self._secret,
            start=self.start,
            stop=self.stop,
        )

    def start(self) -> None:
        """Start the gateway."""
        endpoint = f"--rgw_frontends=beast endpoint=127.0.0.1:{self._port}"
        self._gateway = self._begin("radosgw", "-f", "-n", "client.admin", endpoint)
        self._until(self._answers)

    def stop(self) -> None:
        """End the gateway, as a power cut would."""
        assert self._gateway is not None
        self._gateway.kill()
        self._gateway.wait(30)
        self._processes.remove(self._gateway)

    def down(self) -> None:
        for process in reversed(self._processes):
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
            process.wait(30)

    def _answers(self) -> bool:
        request = urllib.request.Request(f"http://127.0.0.1:{self._port}/")
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
                request, timeout=5
            ):
                return True
        except urllib.error.HTTPError as error:
            error.close()
            return True
        except OSError:
            return False

    def _until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 120
        while not condition():
            assert time.monotonic() < deadline, self._logs()
            assert all(process.poll() is None for process in self._processes), self._logs()
            time.sleep(0.1)

    def _logs(self) -> str:
        found = sorted((self._folder / "log").iterdir())
        return "\n".join(f"{path.name}: {path.read_text()[-2000:]}" for path in found)

    def _begin(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        log = (self._folder / "log" / f"{program}.out").open("ab")
        with log:
            process = subprocess.Popen(
                [program, *arguments, "-c", f"{self._folder}/ceph.conf"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._processes.append(process)
        return process

    def _run(self, *command: str) -> subprocess.CompletedProcess[bytes]:
        if command[0] not in ("ceph-authtool", "monmaptool"):
            command = (*command, "-c", f"{self._folder}/ceph.conf")
        return subprocess.run(command, capture_output=True, timeout=120, check=False)

    def _call(self, *command: str) -> None:
        done = self._run(*command)
        assert done.returncode == 0, done.stderr.decode()

    def _try(self, *command: str) -> bytes:
        """What a command says, nothing if it fails."""
        with suppress(subprocess.TimeoutExpired):
            done = self._run(*command, "--connect-timeout", "3")
            return done.stdout if done.returncode == 0 else b""
        return b""


CONFIGURATION = """
[global]
fsid = {fsid}
mon_host = [v2:127.0.0.1:{port}]
mon_initial_members = a
keyring = {d}/keyring
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
mon_data = {d}/mon
osd_data = {d}/osd
osd_objectstore = bluestore
bluestore_block_size = 4294967296
bluestore_block_create = true
osd_memory_target = 939524096
public_network = 127.0.0.0/8
log_file = {d}/log/$name.log
admin_socket = {d}/run/$name.asok
run_dir = {d}/run
mon_pg_warn_min_per_osd = 0
setuser = root
setgroup = root
rgw_data = {d}/rgw
rgw_enable_usage_log = false
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
