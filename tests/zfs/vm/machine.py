#!/usr/bin/env python3
# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Runs a command on real ZFS, in a small QEMU machine, on a host whose kernel has none.

    python tests/zfs/vm/machine.py [--out FOLDER] [--timeout SECONDS] [--disk GIGABYTES] COMMAND...

The command runs as root in this file's checkout, whose files are the host's, writable. The rest of
the guest's root is the host's, read-only below a layer in memory, so the same Python and the same
virtual environment are there. What the command leaves in ``$VM_OUT`` is found in ``--out``
afterwards; it ends with the command's status. With ``--disk`` there is an empty partition of
that size, named in ``$VM_DISK``: a sparse file among the host's temporary ones, gone afterwards. No
KVM is used, so Python is about six times slower than outside.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dotscience-zfs-vm"
VIRTIOFSD = "/usr/lib/qemu/virtiofsd"
NOT_RUN = 125
MEMORY = 3072  # MiB


class NoMachineError(Exception):
    """The machine cannot be started here; the message says what is missing."""


def kernel() -> Path:
    """Return the folder with vmlinuz, initrd.gz and version, which must be there."""
    given = os.environ.get("DOTSCIENCE_ZFS_VM")
    folder = Path(given) if given else CACHE
    missing = [name for name in ("vmlinuz", "initrd.gz", "version") if not (folder / name).exists()]
    if missing:
        raise NoMachineError(
            f"{folder} has no {' and no '.join(missing)}: run {HERE}/build.sh once (about 15 "
            "minutes), or name a folder that has them in DOTSCIENCE_ZFS_VM"
        )
    return folder


def require() -> None:
    """Raise NoMachineError where something is missing that the machine needs of the host."""
    if os.geteuid():
        raise NoMachineError("the virtual machine shares the host's files, which takes root")
    if shutil.which("qemu-system-x86_64") is None:
        raise NoMachineError("QEMU is missing: apt-get install qemu-system-x86")
    if not os.access(VIRTIOFSD, os.X_OK):
        raise NoMachineError(f"{VIRTIOFSD} is missing: apt-get install qemu-system-common")
    kernel()


def build() -> None:
    """Build the kernel where it is neither given nor in the cache; takes a quarter of an hour."""
    if not os.environ.get("DOTSCIENCE_ZFS_VM") and not (CACHE / "version").exists():
        subprocess.run([HERE / "build.sh", CACHE], check=True)


def tools() -> Path:
    """Return the folder with ZFS's commands, libraries and bindings; fetched if need be."""
    version = (kernel() / "version").read_text().split()[1]
    folder = CACHE / f"tools-{version}"
    if not (folder / "version").exists():
        done = subprocess.run([HERE / "tools.sh", folder, version], capture_output=True, text=True)
        if done.returncode:
            raise NoMachineError(f"ZFS's commands could not be fetched: {done.stderr}")
    return folder


def run(
    command: list[str],
    *,
    out: Path | None = None,
    environment: dict[str, str] | None = None,
    timeout: float = 900,
    disk: int = 0,
    processors: int = 2,
) -> int:
    """Run a command in the machine, its output on our stdout, and return its status.

    Parameters
    ----------
    command
        The command and its arguments.
    out
        Where to put what it leaves in ``$VM_OUT``, also where it is stopped.
    environment
        Variables for it, beside those that it has anyway.
    timeout
        Seconds after which the machine is stopped.
    disk
        Gigabytes of an empty disk that it is given; 0 for none.
    processors
        How many it has. With one the guest's kernel takes a third less of the host's time.

    Raises
    ------
    NoMachineError
        If the machine cannot be started here.
    """
    require()
    for attempt in (1, 2):
        with tempfile.TemporaryDirectory(prefix="dotscience-zfs-vm-") as place:
            status, crashed = _once(
                Path(place), command, out, environment or {}, timeout, disk, processors
            )
        # QEMU 7.2 now and then (one boot in 40) dies at PCI set-up with an assertion
        if not crashed or attempt == 2:
            return status
        print("QEMU died while it booted; once more", file=sys.stderr)
    raise AssertionError


def _once(
    place: Path,
    command: list[str],
    out: Path | None,
    environment: dict[str, str],
    timeout: float,
    disk: int,
    processors: int,
) -> tuple[int, bool]:
    share = place / "share"
    (share / "out").mkdir(parents=True)
    if disk:
        environment = {**environment, "VM_DISK": "/dev/vda1"}
    (share / "vm-main").write_text(_script(command, environment))
    _list_libraries(share / "ld.so.cache")
    with contextlib.ExitStack() as stack:
        sockets = []
        for tag, folder, cache in (
            ("host", Path("/"), "always"),
            ("share", share, "none"),
            ("project", CHECKOUT, "auto"),
        ):
            socket = place / f"{tag}.sock"
            stack.enter_context(_sharing(socket, folder, cache))
            sockets.append((tag, socket))
        files = kernel()
        arguments = ["-M", "q35", "-cpu", "Nehalem", "-accel", "tcg,thread=multi"]
        arguments += ["-smp", str(processors), "-m", str(MEMORY)]
        arguments += ["-nodefaults", "-display", "none", "-no-reboot"]
        arguments += ["-object", f"memory-backend-memfd,id=mem,size={MEMORY}M,share=on"]
        arguments += ["-numa", "node,memdev=mem", "-serial", "stdio", "-monitor", "none"]
        for tag, socket in sockets:
            arguments += ["-chardev", f"socket,id={tag},path={socket}"]
            arguments += ["-device", f"vhost-user-fs-pci,chardev={tag},tag={tag}"]
        if disk:
            drive = f"file={_disk(place, disk)},format=raw,if=virtio,cache=unsafe,discard=unmap"
            arguments += ["-drive", drive]
        arguments += ["-kernel", str(files / "vmlinuz"), "-initrd", str(files / "initrd.gz")]
        # the guest's measure of the time-stamp counter goes wrong on a busy host, the HPET's not
        options = "console=ttyS0 panic=-1 quiet mitigations=off no_timer_check"
        arguments += ["-append", options]
        qemu = ["timeout", str(timeout), "qemu-system-x86_64", *arguments]
        done = subprocess.run(qemu, stdin=subprocess.DEVNULL)
    if out is not None:
        shutil.copytree(share / "out", out, dirs_exist_ok=True)
    try:
        status = int((share / "status").read_text())
    except (OSError, ValueError):
        if done.returncode == 124:
            print(f"The machine was stopped after {timeout:.0f} s", file=sys.stderr)
        return NOT_RUN, done.returncode in (134, -6)
    return status, False


def _disk(place: Path, gigabytes: int) -> Path:
    """Make a sparse disk with one partition.

    ZFS makes partitions itself on a disk that has none, and then waits for udev to name them, which
    the machine does not have.
    """
    image = place / "disk"
    start, sectors = 2048, gigabytes * 10**9 // 512
    beyond = b"\xfe\xff\xff"  # cylinders and heads, which nobody counts any more
    entry = struct.pack("<B3sB3sII", 0, beyond, 0x83, beyond, start, sectors - start)
    with open(image, "wb") as file:
        file.write(bytes(446) + entry + bytes(48) + b"\x55\xaa")
        file.truncate(sectors * 512)
    return image


def _list_libraries(cache: Path) -> None:
    """Make the list of libraries that the guest finds, which would take it half a minute.

    Without it Python looks for ZFS's with a compiler, if the host has one, and each command in all
    places where libraries may be. ZFS's are named where the host has them, which the guest sees.
    """
    libraries = sorted((tools() / "root/usr/lib").glob("*-linux-gnu"))
    places = cache.with_suffix(".conf")
    lines = [*map(str, libraries), "include /etc/ld.so.conf", ""]
    places.write_text("\n".join(lines))
    subprocess.run(
        ["/sbin/ldconfig", "-X", "-f", places, "-C", cache], check=True, capture_output=True
    )


def _script(command: list[str], environment: dict[str, str]) -> str:
    """Return what the guest runs once its root is there."""
    variables = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "VM_OUT": "/vmshare/out",
        "DOTSCIENCE_ZFS_TOOLS": str(tools()),
        "PYTHONPATH": f"{tools() / 'openzfs'}:{CHECKOUT}",
        **environment,
    }
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    lines += [
        f"cp -r {shlex.quote(str(tools() / 'root'))}/. /",
        "cp /vmshare/ld.so.cache /run/ && mount --bind /run/ld.so.cache /etc/ld.so.cache",
        "ip link set lo up 2>/dev/null",
        f"mount -t virtiofs project {shlex.quote(str(CHECKOUT))}",
        f"cd {shlex.quote(str(CHECKOUT))}",
        shlex.join(command),
        "echo $? > /vmshare/status",
        "sync",
        "echo o > /proc/sysrq-trigger",
        "sleep 60",
    ]
    return "\n".join(lines) + "\n"


@contextlib.contextmanager
def _sharing(socket: Path, folder: Path, cache: str) -> Iterator[None]:
    options = ["-o", "sandbox=chroot,modcaps=+sys_admin", "-o", f"source={folder},cache={cache}"]
    with open(socket.with_suffix(".log"), "wb") as log:
        process = subprocess.Popen(
            [VIRTIOFSD, f"--socket-path={socket}", *options], stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + 20
        while not socket.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                said = socket.with_suffix(".log").read_text(errors="replace")
                raise NoMachineError(f"{folder} cannot be shared with a virtual machine: {said}")
            time.sleep(0.02)
        yield
    finally:
        process.kill()
        process.wait()


def main() -> int:
    """Run the command that was given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="where to put what is left in $VM_OUT")
    parser.add_argument("--timeout", type=float, default=900, help="seconds")
    parser.add_argument("--disk", type=int, default=0, help="gigabytes of an empty disk")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    try:
        return run(options.command, out=options.out, timeout=options.timeout, disk=options.disk)
    except NoMachineError as error:
        print(error, file=sys.stderr)
        return NOT_RUN


if __name__ == "__main__":
    sys.exit(main())
