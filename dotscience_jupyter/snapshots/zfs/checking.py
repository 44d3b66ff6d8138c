# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What the engine needs on a folder, and what of that is missing."""

from __future__ import annotations

import grp
import os
import re

from dotscience_jupyter.snapshots.engine import Check, SnapshotError

from . import command, names
from .binding import SYSTEM, NoBindingError, NoZfsError, load
from .errors import PERMISSIONS, allow_command, user

_INSTALL = "Debian, Ubuntu: apt-get install zfsutils-linux"
_SECTION = re.compile(r"---- Permissions on (.+?) -*$")


def check(folder: str) -> list[Check]:
    """Return everything that is looked at; see :meth:`Engine.check`. Never raises."""
    found = [_kernel(), _command(), _binding()]
    if not all(item.ok for item in found):
        return found
    dataset = names.mounted_at(folder)
    found.append(_dataset(folder, dataset))
    if dataset:
        found += _permissions(dataset)
    return found


def suits(folder: str) -> bool:
    """Whether all that is needed is there. Never raises."""
    return bool(names.mounted_at(folder)) and all(item.ok for item in check(folder))


def _kernel() -> Check:
    what = "ZFS in the kernel"
    try:
        with open("/sys/module/zfs/version", encoding="utf-8") as file:
            version = file.read().strip()
    except OSError:
        advice = f"As root, run: modprobe zfs ({_INSTALL} zfs-dkms, where there is no such module)."
        return Check(what, False, "no module", advice)
    if not os.access("/dev/zfs", os.R_OK | os.W_OK):
        advice = "As root, run: chmod 666 /dev/zfs (every call is checked by the kernel itself)."
        return Check(what, False, f"{version}, but /dev/zfs cannot be opened", advice)
    return Check(what, True, version)


def _command() -> Check:
    place = command.find()
    if place is None:
        return Check("the zfs command", False, "not installed", f"{_INSTALL}.")
    return Check("the zfs command", True, place)


def _binding() -> Check:
    what = "libzfs_core for Python"
    try:
        binding = load()
    except NoBindingError as error:
        return Check(what, True, f"none, so the zfs command does all ({error})")
    except NoZfsError as error:
        return Check(what, False, str(error), "See above.")
    if not binding.own:
        found = (
            f"PyPI's pyzfs {binding.version}; the zfs command does what that is too old for. "
            f"OpenZFS's own (python3-pyzfs) is taken from {SYSTEM} where it is installed."
        )
        return Check(what, True, found)
    return Check(what, True, f"OpenZFS's own, {binding.version or 'version unknown'}")


def _dataset(folder: str, dataset: str) -> Check:
    what = "the folder is a dataset"
    if dataset:
        return Check(what, True, dataset)
    around = names.holding(folder)
    if around is None:
        return Check(what, False, "it is not on ZFS", "Choose another engine for this folder.")
    name = os.path.basename(os.path.realpath(folder))
    advice = (
        f"As root, make one and move the files: zfs create -o mountpoint={folder} "
        f"{around.dataset}/{name if names.is_component(name) else 'NAME'}"
    )
    return Check(what, False, f"it is a folder inside {around.dataset}", advice)


def _permissions(dataset: str) -> list[Check]:
    what = "permissions"
    if not os.geteuid():
        return [Check(what, True, "root may do everything")]
    try:
        given = allowed(command.run("look for permissions", dataset, "allow", dataset), dataset)
    except SnapshotError as error:
        return [Check(what, False, str(error), f"As root, run: {allow_command(dataset)}")]
    missing = [name for name in PERMISSIONS if name not in given]
    present = [name for name in PERMISSIONS if name in given]
    found = [Check(what, not missing, ", ".join(present) or "none", "")] if not missing else []
    for name in missing:
        advice = f"As root, run: {allow_command(dataset, (name,))}"
        found.append(Check(f"permission {name!r}", False, "missing", advice))
    if missing:
        advice = f"As root, run: {allow_command(dataset)}"
        found.insert(0, Check(what, False, f"{len(missing)} are missing", advice))
    said = "only root may, on Linux: clones are copies, received snapshots are read once mounted"
    found.append(Check("mounting", True, said))
    return found


def allowed(text: str, dataset: str) -> set[str]:
    """Return what ``zfs allow DATASET`` says that this process's user may do on a dataset."""
    sets: dict[str, set[str]] = {}
    given: set[str] = set()
    groups = {str(number) for number in (os.getegid(), *os.getgroups())}
    for number in list(groups):
        try:
            groups.add(grp.getgrgid(int(number)).gr_name)
        except KeyError:
            continue
    where, kind = "", ""
    for line in text.split("\n"):
        section = _SECTION.match(line)
        if section is not None:
            where, kind = section[1], ""
        elif line and not line.startswith("\t"):
            kind = line.rstrip(":")
        elif line:
            fields = line.split()
            if kind == "Permission sets":
                sets[fields[0]] = set(fields[-1].split(","))
                continue
            applies = kind == "Local+Descendent permissions" or (
                kind == ("Local permissions" if where == dataset else "Descendent permissions")
            )
            who = fields[0] == "everyone"
            who = who or (fields[0] == "user" and fields[1] in (user(), str(os.geteuid())))
            who = who or (fields[0] == "group" and fields[1] in groups)
            if applies and who:
                given.update(fields[-1].split(","))
    while more := {name for name in given if name in sets}:
        given -= more
        for name in more:
            given |= sets.pop(name)
    return given
