# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What a run ran in: found out without being asked, and without making anybody wait.

Whatever can be read from a file or the interpreter is read where it is needed. What takes a process
(whether Git's work tree is clean, which GPUs there are) is asked by a background thread, once a run
has started; a run that is published sooner leaves those to whoever reads its record.
"""

from __future__ import annotations

import _thread
import os
import sys
from time import monotonic, sleep

from . import _git, _spool
from ._text import Raw, dumps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._run import Run

# how long the background thread lets the foreground get on with it first, seconds
_PATIENCE = 0.05
# the shortest time between two questions to Git, seconds
_INTERVAL = 2.0


class _Answers:
    """What the background thread found out; one writer at a time, whole objects only."""

    lock = _thread.allocate_lock()
    asked = float("-inf")
    # work tree, when Git was asked (monotonic), whether files differ
    dirty: tuple[str, float, bool | None] | None = None
    gpu: list[str] | None = None
    # whether it has run once
    warm = False


def begin(run: Run) -> None:
    """Remember what holds when a run begins: the commit, the processor time used so far, seeds.

    Never raises: no program is to fail over what nobody asked for.
    """
    begun: dict[str, Any] = {"time": monotonic(), "cpu": _cpu_seconds(), "pid": os.getpid()}
    run._begun = begun
    try:
        found = _git.find(run._root)
        if found:
            work_tree, directory = found
            commit, branch = _git.head(directory)
            begun["git"] = {"root": work_tree, "commit": commit, "branch": branch}
        seed = _numpy_seed()
        if seed is not None:
            begun["numpy"] = seed
        _ask_in_background(found[0] if found else None)
    except Exception as error:
        _spool.say_once(
            f"not all of the environment of a run can be recorded because of "
            f"{type(error).__name__}: {error}"
        )


def _ask_in_background(work_tree: str | None) -> None:
    now = monotonic()
    if _Answers.warm and (work_tree is None or now - _Answers.asked < _INTERVAL):
        return
    if not _Answers.lock.acquire(blocking=False):
        return  # it is under way
    _Answers.asked = now
    try:
        # not threading.Thread: in a plain script that module is four milliseconds to import
        _thread.start_new_thread(_ask, (work_tree,))
    except RuntimeError:  # the interpreter is shutting down, or there are too many threads
        _Answers.lock.release()


def _ask(work_tree: str | None) -> None:
    try:
        sleep(_PATIENCE)
        if work_tree is not None:
            asked = monotonic()
            _Answers.dirty = work_tree, asked, _git.is_dirty(work_tree)
        if not _Answers.warm:
            _Answers.warm = True
            # so that publishing finds them ready
            _static()
            _packages()
            if _has_nvidia_smi():
                _Answers.gpu = _gpus_by_nvidia_smi()
    except (ImportError, RuntimeError, TypeError, AttributeError):
        pass  # the interpreter is being torn down under this thread: nobody needs an answer now
    finally:
        _Answers.lock.release()


def describe(run: Run) -> dict[str, object]:
    """Return the ``environment`` of a run's full record."""
    result: dict[str, object] = dict(_static())
    gpu = _Answers.gpu if _Answers.gpu is not None else _gpus_by_driver()
    if gpu:
        result["gpu"] = gpu
    packages = _packages()
    result["packages"] = packages
    begun = run._begun
    git = begun.get("git")
    if git:
        known = _Answers.dirty
        # an answer from before this run began says nothing about it
        fresh = known and known[0] == git["root"] and known[1] >= begun["time"]
        result["git"] = {**git, "dirty": known[2] if known and fresh else None}
    image = os.environ.get("DOTSCIENCE_WORKLOAD_IMAGE")
    digest = os.environ.get("DOTSCIENCE_WORKLOAD_IMAGE_HASH")
    if image or digest:
        result["image"] = {"name": image or None, "digest": digest or None}
    return result


def seeds(run: Run) -> dict[str, object]:
    """Return the seeds of random generators, of those that can tell. Nothing is imported for it."""
    result: dict[str, object] = {}
    hash_seed = os.environ.get("PYTHONHASHSEED")
    if hash_seed:
        result["PYTHONHASHSEED"] = hash_seed
    initial_seed = _attribute("torch", "initial_seed")
    if initial_seed is not None:
        result["torch"] = int(initial_seed())
    seed = run._begun.get("numpy")
    if seed is None:
        seed = _numpy_seed()
    if seed is not None:
        result["numpy"] = seed
    return result


def resources(run: Run) -> dict[str, object]:
    """Return the processor time of the process (and its ended children) since the run began, and
    the most memory that the process ever held, in bytes.
    """  # noqa: D205  # one sentence
    result: dict[str, object] = {}
    cpu = run._begun.get("cpu")
    if cpu is not None and run._begun.get("pid") == os.getpid():
        result["cpu_seconds"] = max(0.0, round(_cpu_seconds() - cpu, 6))
    try:
        import resource
    except ImportError:  # Windows
        return result
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # kilobytes everywhere but on macOS (getrusage(2))
    result["peak_ram"] = peak if sys.platform == "darwin" else peak * 1024
    return result


def process() -> dict[str, object]:
    """Return which process this is, where and whose."""
    if "user" not in _cache:
        _cache["user"] = _user()
    return {"pid": os.getpid(), "host": _host(), "user": _cache["user"]}


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


_cache: dict[str, Any] = {}


def _static() -> dict[str, object]:
    """Return what stays the same as long as the process lives."""
    known: dict[str, object] | None = _cache.get("static")
    if known is None:
        implementation = sys.implementation.name
        system, release, machine = _system()
        known = _cache["static"] = {
            "python": {
                "version": sys.version.split()[0],
                "implementation": {"cpython": "CPython", "pypy": "PyPy"}.get(
                    implementation, implementation
                ),
                "executable": sys.executable,
            },
            "platform": {
                "system": system,
                "release": release,
                "machine": machine,
                "text": f"{system}-{release}-{machine}",
            },
            "cpu": {"model": _cpu_model() or machine, "count": os.cpu_count()},
        }
        names: dict[str, int] = getattr(os, "sysconf_names", {})
        if "SC_PAGE_SIZE" in names and "SC_PHYS_PAGES" in names:
            known["ram"] = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return known


def _system() -> tuple[str, str, str]:
    if hasattr(os, "uname"):
        uname = os.uname()
        return uname.sysname, uname.release, uname.machine
    import platform

    return platform.system(), platform.release(), platform.machine()


def _host() -> str:
    if hasattr(os, "uname"):
        return os.uname().nodename
    return os.environ.get("COMPUTERNAME", "")


def _user() -> str | None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        if os.environ.get(name):
            return os.environ[name]
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):
        return None


def _cpu_model() -> str | None:
    # only its beginning: the kernel asks every core for its frequency as we read on
    for line in _git._read("/proc/cpuinfo", 4096).splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "Hardware", "cpu model", "cpu") and value.strip():
            return value.strip()
    if os.path.exists("/proc/cpuinfo"):
        return None
    import platform

    return platform.processor() or None


def _gpus_by_driver() -> list[str]:
    """Return the names of the GPUs as NVIDIA's kernel driver tells them."""
    known: list[str] | None = _cache.get("gpus")
    if known is None:
        known = []
        folder = "/proc/driver/nvidia/gpus"
        try:
            for name in sorted(os.listdir(folder)):
                text = _git._read(os.path.join(folder, name, "information"), 4096)
                for line in text.splitlines():
                    if line.startswith("Model:"):
                        known.append(line[6:].strip())
        except OSError:
            pass  # no such driver
        _cache["gpus"] = known
    return known


def _has_nvidia_smi() -> bool:
    return any(
        os.access(os.path.join(folder, "nvidia-smi"), os.X_OK)
        for folder in os.environ.get("PATH", "").split(os.pathsep)
        if folder
    )


def _gpus_by_nvidia_smi() -> list[str] | None:
    """Return names and memory of the GPUs. Starts a process."""
    import subprocess

    query = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    try:
        result = subprocess.run(
            query,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=60,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    gpus = []
    for line in result.stdout.decode("utf-8", "replace").splitlines():
        name, _, memory = line.rpartition(",")
        if name and memory.strip().isdigit():
            gpus.append(f"{name.strip()} {round(int(memory) / 1024)} GB")  # given in MiB
        elif line.strip():
            gpus.append(line.strip())
    return gpus


def _packages() -> Raw:
    """Return the installed distributions and their versions as JSON, by the names of their folders.

    The folder's name is ``NAME-VERSION.dist-info`` (binary distribution format, PyPA); names are
    given in their normalised form (lower case, hyphens). Nothing is opened, and no folder is listed
    again that has not changed.
    """
    stamps = []
    for folder in sys.path:
        try:
            stamps.append((folder or os.curdir, os.stat(folder or os.curdir).st_mtime_ns))
        except (OSError, TypeError, ValueError):
            continue  # a zip file or a folder that is not there is no place of distributions
    known = _cache.get("packages")
    if known is None or known[0] != stamps:
        found: dict[str, str] = {}
        for folder, _stamp in stamps:
            for name, version in _distributions(folder):
                found.setdefault(name, version)  # as for modules, the first on the path counts
        known = _cache["packages"] = stamps, Raw(dumps(found, compact=True))
    packages: Raw = known[1]
    return packages


def _distributions(folder: str) -> list[tuple[str, str]]:
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    result = []
    for name in names:
        stem, dot, kind = name.rpartition(".")
        if dot and kind in ("dist-info", "egg-info"):
            distribution, _, rest = stem.partition("-")
            # eggs add "-py3.11"
            version = rest.partition("-")[0]
            result.append((distribution.lower().replace("_", "-").replace(".", "-"), version))
    return result


def _numpy_seed() -> int | None:
    """Return the seed of NumPy's global generator, as long as it can be known.

    After ``numpy.random.seed(n)`` and before the first number is drawn, the generator's state is
    the one that the seeding of MT19937 (Matsumoto and Nishimura, 2002) makes of ``n``; the first
    draw mixes it beyond recovery.
    """
    get_state = _attribute("numpy.random", "get_state")
    if get_state is None:
        return None
    # as a dictionary, since asking for the old tuple warns where it does not apply
    state = get_state(legacy=False)
    if state["bit_generator"] != "MT19937" or int(state["state"]["pos"]) != 624:
        return None
    first, second = (int(number) for number in state["state"]["key"][:2])
    follows = (1812433253 * (first ^ first >> 30) + 1) & 0xFFFFFFFF
    return first if second == follows else None


def _attribute(module: str, name: str) -> Any:
    """Return an attribute of a module that is loaded, or None; a lazy one is not made to load."""
    loaded = sys.modules.get(module)
    if loaded is None:
        return None
    return object.__getattribute__(loaded, "__dict__").get(name)
