# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What the tests of snapshots and of objects on their way from store to store share."""

from __future__ import annotations

import io
import random
import time
from pathlib import Path
from typing import Any

import pytest
from snapshot_helpers import write

from dotscience_jupyter.snapshots import stream as framing
from dotscience_jupyter.snapshots.embedded import capture, capturing, database, intake, objects
from dotscience_jupyter.snapshots.embedded.packs import RAW, hash_bytes
from dotscience_jupyter.snapshots.embedded.transfer import OBJECT, RECORD
from dotscience_jupyter.snapshots.stream import FrameWriter

KILLS = 20

Record = tuple[int, int, bytes, int, bytes]  # kind, codec, stored, length, id


class Slow(io.BytesIO):
    """A stream that comes step by step, so that there is much to be killed in."""

    def read(self, count: int | None = -1) -> bytes:
        time.sleep(0.0001)
        return super().read(count)


def shrink(patch: pytest.MonkeyPatch) -> None:
    """Let a little content go through everything that much content goes through."""
    patch.setattr(capture, "CHUNK", 2048)
    patch.setattr(objects, "PAGED_FROM", 6)
    patch.setattr(objects.zlib, "crc32", lambda data: 0x100 * len(data) + data[-1] % 4)
    patch.setattr(intake, "STEP_BYTES", 6000)
    patch.setattr(framing, "_FRAME", 1000)
    patch.setattr(database, "MERGE_FROM", 8)


def some_files(seed: int) -> dict[str, bytes]:
    """Files of all sizes, some of them alike, by path."""
    rand = random.Random(seed)
    files = {f"many/{number}": rand.randbytes(rand.randrange(1500)) for number in range(20)}
    files["large"] = rand.randbytes(30_000)
    files["text"] = b"line\n" * rand.randrange(1000, 9000)
    return files | {"d/same": b"same", "d/copy": b"same", "empty": b""}


def whole(data: bytes) -> Record:
    """An object as it is sent."""
    return OBJECT, RAW, data, len(data), hash_bytes(data)


def framed(header: dict[str, Any], records: list[Record]) -> bytes:
    """A stream whose frames are right, whatever is in them."""
    out = io.BytesIO()
    writer = FrameWriter(out, header)
    for kind, codec, stored, length, digest in records:
        writer.write(RECORD.pack(kind, codec, 0, len(stored), length, digest) + stored)
    writer.finish()
    return out.getvalue()


def fill_to_be_captured(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Write files whose content the next snapshot captures, to be hashed later."""
    patch.setattr(capturing, "BUDGET", 0)
    for number in range(3):
        write(folder / f"{number}", random.Random(number).randbytes(50_000), 10**18)
    time.sleep(0.1)
