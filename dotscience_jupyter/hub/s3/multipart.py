# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Objects that are sent in parts: the parts wait on the hub's disk until all of them are there.

An upload is a folder ``s3-ID`` in the project's folder for temporary files::

    upload.json              key, who began it and when, what was said of the object
    NUMBER-SIZE-MD5          a part, five digits of its number
    done.json                what came of it, in place of all parts, for clients that ask again
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from .errors import S3Error
from .objects import Details

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MOST_PARTS = 10_000
SMALLEST_PART = 5 << 20
"""Bytes of each part but the last."""
KEPT = 7 * 24 * 3600
"""Seconds after which an upload that nobody goes on with is dropped."""

_ID = re.compile(r"[0-9a-f]{32}")
_PART = re.compile(r"(\d{5})-(\d{1,19})-([0-9a-f]{32})")
_START = "s3-"
_UPLOAD, _DONE = "upload.json", "done.json"


@dataclass(frozen=True)
class Part:
    """A part that has arrived."""

    number: int
    size: int
    md5: str
    modified: datetime
    file: Path

    @property
    def etag(self) -> str:
        """With its quotes."""
        return f'"{self.md5}"'


@dataclass(frozen=True)
class MultipartUpload:
    """An upload that was begun."""

    id: str
    folder: Path
    key: str
    user_id: str
    user: str
    begun: datetime
    details: Details

    @classmethod
    def begin(
        cls, tmp: Path, key: str, user_id: str, user: str, details: Details
    ) -> MultipartUpload:
        """Begin an upload of an object. Abandoned ones are dropped on this occasion."""
        drop_old(tmp)
        id_ = secrets.token_hex(16)
        folder = tmp / (_START + id_)
        made = cls(id_, folder, key, user_id, user, datetime.now(UTC), details)
        document = {
            "key": key,
            "user_id": user_id,
            "user": user,
            "begun": made.begun.isoformat(),
            "details": details.text(),
        }
        # it is seen by others only once it is whole
        hidden = tmp / f".{folder.name}"
        hidden.mkdir()
        _write(hidden / _UPLOAD, document)
        hidden.rename(folder)
        return made

    @classmethod
    def load(cls, tmp: Path, id_: str, key: str) -> MultipartUpload:
        """Return the upload with that id, done or not. Raise S3Error (NoSuchUpload)."""
        found = cls._load(tmp, id_)
        if found is None or found.key != key:
            raise no_such_upload(id_)
        return found

    @classmethod
    def _load(cls, tmp: Path, id_: str) -> MultipartUpload | None:
        if not _ID.fullmatch(id_):
            return None
        folder = tmp / (_START + id_)
        try:
            document = json.loads((folder / _UPLOAD).read_text("utf-8"))
        except FileNotFoundError:
            return None
        return cls(
            id_,
            folder,
            document["key"],
            document["user_id"],
            document["user"],
            datetime.fromisoformat(document["begun"]),
            Details.of_text(document["details"]),
        )

    @classmethod
    def all(cls, tmp: Path) -> list[MultipartUpload]:
        """Return those that are not done, by key and time."""
        found = []
        for name in os.listdir(tmp):
            if name.startswith(_START):
                upload = cls._load(tmp, name.removeprefix(_START))
                if upload is not None and upload.outcome() is None:
                    found.append(upload)
        return sorted(found, key=lambda each: (each.key, each.begun, each.id))

    def outcome(self) -> dict[str, str] | None:
        """Return what was answered when the upload was completed; None if it was not."""
        try:
            found: dict[str, str] = json.loads((self.folder / _DONE).read_text("utf-8"))
        except FileNotFoundError:
            return None
        return found

    def parts(self) -> list[Part]:
        """Return the parts that have arrived, by number.

        Raises
        ------
        S3Error
            NoSuchUpload if it was dropped in the meantime.
        """
        found: dict[int, tuple[int, int, str, Path]] = {}
        try:
            with os.scandir(self.folder) as entries:
                for entry in entries:
                    match = _PART.fullmatch(entry.name)
                    if match is None:
                        continue
                    with contextlib.suppress(FileNotFoundError):
                        modified = entry.stat().st_mtime_ns
                        number = int(match[1])
                        if number in found and found[number][0] >= modified:
                            continue
                        found[number] = modified, int(match[2]), match[3], Path(entry.path)
        except FileNotFoundError:
            raise no_such_upload(self.id) from None
        return [
            Part(number, size, md5, datetime.fromtimestamp(modified / 1e9, UTC), file)
            for number, (modified, size, md5, file) in sorted(found.items())
        ]

    def add(self, number: int, file: Path, size: int, md5: str) -> None:
        """Make a file, which was written to disk, the part of a number.

        Raises
        ------
        S3Error
            NoSuchUpload if it was completed or dropped in the meantime.
        """
        name = f"{number:05d}-{size}-{md5}"
        if self.outcome() is not None:
            raise no_such_upload(self.id)
        try:
            before = [part.file for part in self.parts() if part.number == number]
            os.utime(file)
            file.rename(self.folder / name)
            _sync_folder(self.folder)
        except (FileNotFoundError, NotADirectoryError):
            raise no_such_upload(self.id) from None
        for old in before:
            if old.name != name:
                old.unlink(missing_ok=True)

    def chosen(self, wanted: Sequence[tuple[int, str]]) -> list[Part]:
        """Return the parts that the object is made of.

        Parameters
        ----------
        wanted
            Numbers and ETags as the client gave them.

        Raises
        ------
        S3Error
            InvalidPartOrder, InvalidPart, EntityTooSmall or MalformedXML.
        """
        if not wanted or len(wanted) > MOST_PARTS:
            raise S3Error("MalformedXML", f"An upload has 1 to {MOST_PARTS} parts.")
        numbers = [number for number, _ in wanted]
        if any(a >= b for a, b in pairwise(numbers)):
            raise S3Error(
                "InvalidPartOrder",
                "The list of parts was not in ascending order. Nothing was stored.",
            )
        known = {part.number: part for part in self.parts()}
        found = []
        for number, tag in wanted:
            part = known.get(number)
            if part is None or tag.strip('"') != part.md5:
                raise S3Error(
                    "InvalidPart",
                    "One or more of the specified parts could not be found. Nothing was stored.",
                    PartNumber=str(number),
                )
            found.append(part)
        for part in found[:-1]:
            if part.size < SMALLEST_PART:
                raise S3Error(
                    "EntityTooSmall",
                    "Your proposed upload is smaller than the minimum allowed size.",
                    ProposedSize=str(part.size),
                    MinSizeAllowed=str(SMALLEST_PART),
                    PartNumber=str(part.number),
                )
        return found

    def finish(self, outcome: dict[str, str]) -> None:
        """Remember what came of it, and remove its parts."""
        with contextlib.suppress(OSError):  # the object is stored; the rest is dropped some day
            _write(self.folder / _DONE, outcome)
            for part in self.parts():
                part.file.unlink(missing_ok=True)

    def drop(self) -> None:
        """Remove it with its parts."""
        with contextlib.suppress(FileNotFoundError):
            # of several requests one removes it
            gone = self.folder.with_name(f".gone-{secrets.token_hex(8)}")
            self.folder.rename(gone)
            shutil.rmtree(gone, ignore_errors=True)


def drop_old(tmp: Path) -> None:
    """Remove uploads that nobody has gone on with for a week."""
    oldest = time.time() - KEPT
    for name in os.listdir(tmp):
        if name.lstrip(".").startswith((_START, "gone-")):
            with contextlib.suppress(OSError):
                if (tmp / name).stat().st_mtime < oldest:
                    if (tmp / name).is_dir():
                        shutil.rmtree(tmp / name, ignore_errors=True)
                    else:
                        (tmp / name).unlink()


def part_file(tmp: Path) -> tuple[Path, BinaryIO]:
    """Make a file for a part that is arriving."""
    path = tmp / f".{_START}part-{secrets.token_hex(8)}"
    return path, cast(BinaryIO, path.open("xb", buffering=0))


class Parts(io.RawIOBase):
    """Parts one after the other, as one stream; one file is open at a time."""

    def __init__(self, parts: Sequence[Part]) -> None:
        super().__init__()
        self._files: Iterator[Path] = iter([part.file for part in parts])
        self._file: BinaryIO | None = None

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read from the part at hand, or from the next one."""
        view = memoryview(buffer).cast("B")
        while True:
            if self._file is None:
                path = next(self._files, None)
                if path is None:
                    return 0
                try:
                    self._file = path.open("rb", buffering=0)
                except FileNotFoundError:
                    raise S3Error(
                        "InvalidPart",
                        "A part was replaced, or the upload was aborted, while it was being "
                        "completed. Nothing was stored.",
                    ) from None
            count: int = cast(Any, self._file).readinto(view)
            if count or not len(view):
                return count
            self._file.close()
            self._file = None

    def close(self) -> None:
        """Close the part at hand."""
        if self._file is not None:
            self._file.close()
        super().close()


def no_such_upload(id_: str) -> S3Error:
    """Return the error for an upload that is not there."""
    return S3Error(
        "NoSuchUpload",
        "The specified multipart upload does not exist. The upload ID might be invalid, or the "
        "multipart upload might have been aborted or completed.",
        UploadId=id_,
    )


def _write(path: Path, document: dict[str, str]) -> None:
    waiting = path.with_name(f".{path.name}")
    with waiting.open("w", encoding="utf-8") as file:
        json.dump(document, file)
        file.flush()
        os.fsync(file.fileno())
    waiting.rename(path)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
