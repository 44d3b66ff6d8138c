# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The frame around a snapshot on its way: nothing damaged or cut is ever taken for whole."""

from __future__ import annotations

import errno
import gc
import io
import json
import os
import random
import struct
import threading
import tracemalloc
from typing import Any

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from dotscience_jupyter.snapshots import SnapshotError, TransferError, stream
from dotscience_jupyter.snapshots.stream import FrameReader, FrameWriter

HEADER = {"engine": "some", "format": 1, "snapshot": "1234"}


def framed(*parts: bytes, header: dict[str, Any] = HEADER) -> bytes:
    """A stream with a frame for each part."""
    out = io.BytesIO()
    writer = FrameWriter(out, header)
    for part in parts:
        writer.write(part)
        writer.flush()
    writer.finish()
    return out.getvalue()


def read_all(data: bytes) -> tuple[bytes, Exception | None]:
    """What is handed on before the end, or before the error."""
    got = bytearray()
    try:
        reader = FrameReader(io.BytesIO(data))
        while part := reader.read(777):
            got += part
        assert reader.complete
    except SnapshotError as error:
        return bytes(got), error
    return bytes(got), None


@given(st.lists(st.binary(max_size=3000), max_size=6))
def test_what_is_written_is_read(parts: list[bytes]) -> None:
    assert read_all(framed(*parts)) == (b"".join(parts), None)


def test_the_bytes_are_as_documented() -> None:
    text = json.dumps(HEADER).encode()
    assert framed(b"one", b"two", header=HEADER) == (
        b"dssend1\n"
        + struct.pack("<I", len(text))
        + text
        + blake3(text).digest()
        + struct.pack("<I", 3)
        + b"one"
        + blake3(b"one").digest()
        + struct.pack("<I", 3)
        + b"two"
        + blake3(b"two").digest()
        + struct.pack("<I", 0)
        + blake3(blake3(b"one").digest() + blake3(b"two").digest()).digest()
    )


def test_the_header_is_read_first() -> None:
    assert FrameReader(io.BytesIO(framed(b"x"))).header == HEADER


def test_long_writes_become_several_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "MAX_FRAME", 1000)
    data = random.Random(1).randbytes(1 << 20)
    assert read_all(framed(data)) == (data, None)
    many = framed(data)
    monkeypatch.setattr(stream, "MAX_FRAME", 999)
    assert isinstance(read_all(many)[1], TransferError), "longer than any that is written"


def test_every_cut_is_noticed() -> None:
    data = framed(b"first frame", b"second frame")
    whole = b"first framesecond frame"
    for length in range(len(data)):
        got, error = read_all(data[:length])
        assert isinstance(error, TransferError), length
        assert error.token == ""
        assert got in (b"", b"first frame", whole)
    assert read_all(data) == (whole, None)
    # what follows the end belongs to somebody else
    assert read_all(data + b"more") == (whole, None)


def test_every_flipped_bit_is_noticed() -> None:
    data = framed(b"first frame", b"second frame")
    for place in range(len(data)):
        for bit in range(8):
            damaged = bytearray(data)
            damaged[place] ^= 1 << bit
            got, error = read_all(bytes(damaged))
            assert isinstance(error, SnapshotError), (place, bit)
            assert b"first framesecond frame".startswith(got)


def test_frames_in_another_order_are_noticed() -> None:
    one, two = framed(b"first", b"other"), framed(b"other", b"first")
    head = len(framed()) - 36
    swapped = one[:-36] + two[-36:]
    assert isinstance(read_all(swapped)[1], TransferError)
    left_out = one[:head] + one[head + 4 + 5 + 32 :]
    assert isinstance(read_all(left_out)[1], TransferError)


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"[]", b"1", b"\xff", b"[" * 100_000, b"null", b'"text"'],
)
def test_headers_that_are_none(text: bytes) -> None:
    data = stream.MAGIC + struct.pack("<I", len(text)) + text + blake3(text).digest()
    with pytest.raises(SnapshotError, match="header cannot be read"):
        FrameReader(io.BytesIO(data))


def test_what_is_no_stream() -> None:
    for data in (b"dssend2\n", b"PK\3\4" + bytes(50), b"x"):
        with pytest.raises(SnapshotError, match="not a stream") as caught:
            FrameReader(io.BytesIO(data))
        assert not isinstance(caught.value, TransferError)


@pytest.mark.parametrize("length", [(1 << 24) + 1, (1 << 32) - 1])
def test_a_claimed_length_takes_no_memory(length: int) -> None:
    """Neither of a header nor of a frame, whatever is claimed."""
    for start in (stream.MAGIC, framed()[:-36]):
        tracemalloc.start()
        try:
            assert isinstance(read_all(start + struct.pack("<I", length))[1], TransferError)
            assert tracemalloc.get_traced_memory()[1] < 1 << 20
        finally:
            tracemalloc.stop()


def test_engines_and_versions() -> None:
    header = stream.header_of("some", 2)
    stream.require_engine(header, "some", 2)
    stream.require_engine(header, "some", 3)
    with pytest.raises(SnapshotError, match="Upgrade"):
        stream.require_engine(header, "some", 1)
    with pytest.raises(SnapshotError, match="engine 'some'"):
        stream.require_engine(header, "other", 2)
    for wrong in ({}, {"engine": "some"}, {"engine": "some", "format": "2"}, {"engine": ["x"]}):
        with pytest.raises(SnapshotError, match="Nothing was changed"):
            stream.require_engine(wrong, "some", 2)


class Dribbling(io.RawIOBase):
    """Takes and gives little at a time, as sockets do."""

    def __init__(self, data: bytes = b"") -> None:
        super().__init__()
        self.data = bytearray(data)

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        part = bytes(data)[:7]
        self.data += part
        return len(part)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part = self.data[: min(len(buffer), 5)]
        del self.data[: len(part)]
        buffer[: len(part)] = part
        return len(part)


def test_files_that_take_and_give_only_a_part() -> None:
    out = Dribbling()
    writer = FrameWriter(out, HEADER)  # type: ignore[arg-type]
    data = random.Random(2).randbytes(5000)
    writer.write(data)
    writer.finish()
    assert bytes(out.data) == framed(data)
    reader = FrameReader(out)  # type: ignore[arg-type]
    assert reader.header == HEADER
    assert reader.readall() == data


class Failing(io.BytesIO):
    """Fails after some bytes."""

    def __init__(self, good: int, data: bytes = b"") -> None:
        super().__init__(data)
        self.good = good

    def write(self, data: Any) -> int:
        self.good -= len(data)
        if self.good < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(data)

    def read(self, count: int | None = -1) -> bytes:
        assert count is not None
        self.good -= count
        if self.good < 0:
            raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
        return super().read(count)


@pytest.mark.parametrize("good", [0, 150, 3000])
def test_a_failing_file(good: int) -> None:
    with pytest.raises(SnapshotError, match=r"No space left.*can go on"):
        writer = FrameWriter(Failing(good), HEADER)
        for _ in range(10):
            writer.write(bytes(1000))
            writer.flush()
    with pytest.raises(TransferError, match="Connection reset"):
        FrameReader(Failing(good, framed(*[bytes(1000)] * 10))).readall()


def test_a_writer_that_is_given_up_sends_nothing_more() -> None:
    out = io.BytesIO()
    writer = FrameWriter(out, HEADER)
    sent = out.getvalue()
    writer.write(b"something")
    writer.close()
    writer = FrameWriter(out, HEADER)
    writer.write(b"something")
    del writer
    gc.collect()
    assert out.getvalue() == sent * 2


def test_a_closed_pipe() -> None:
    reading, writing = os.pipe()
    thread = threading.Thread(target=lambda: (os.read(reading, 10), os.close(reading)))
    thread.start()
    with (
        open(writing, "wb", buffering=0) as pipe,
        pytest.raises(SnapshotError, match=r"Broken pipe.*can go on"),
    ):
        writer = FrameWriter(pipe, HEADER)
        for _ in range(100):
            writer.write(bytes(1 << 20))
    thread.join()
