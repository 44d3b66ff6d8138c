# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A bucket, and datasets that are imported from it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from s3_services import S3Service

from dotscience_jupyter.datasets import Dataset, Datasets
from dotscience_jupyter.datasets.s3 import Imported, Source, import_bucket

PART = 5 << 20


@dataclass
class Bucket:
    """A bucket of a service."""

    service: S3Service
    name: str
    client: Any

    @classmethod
    def new(cls, service: S3Service, *, versioned: bool = False) -> Bucket:
        return cls(service, service.bucket(versioned=versioned), service.client())

    def put(self, **objects: bytes) -> None:
        for key, body in objects.items():
            self.client.put_object(Bucket=self.name, Key=key, Body=body)

    def put_all(self, objects: dict[str, bytes]) -> None:
        self.put(**objects)

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=self.name, Key=key)

    def put_in_parts(self, key: str, *parts: bytes) -> None:
        """Upload in parts: all but the last one have 5 MiB at least."""
        given = {"Bucket": self.name, "Key": key}
        given["UploadId"] = self.client.create_multipart_upload(**given)["UploadId"]
        done = []
        for number, body in enumerate(parts, 1):
            answer = self.client.upload_part(**given, PartNumber=number, Body=body)
            done.append({"PartNumber": number, "ETag": answer["ETag"]})
        self.client.complete_multipart_upload(**given, MultipartUpload={"Parts": done})

    def source(self, prefix: str = "", endpoint: str = "") -> Source:
        return Source.parse(f"s3://{self.name}/{prefix}", endpoint or self.service.url)


def dataset(name: str = "data") -> Dataset:
    """The dataset of that name; an empty one is made."""
    datasets = Datasets()
    return datasets.find(name) or datasets.create(name, author="alice")


def bring(source: Source, name: str = "data", **options: Any) -> Imported:
    """Import into the dataset of that name."""
    return import_bucket(dataset(name), source, author="alice", **options)


def files(root: Path) -> dict[str, bytes]:
    """The files of a folder, without ours."""
    found = {}
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name != ".dotscience"]
        for name in names:
            path = Path(folder, name)
            found[str(path.relative_to(root))] = path.read_bytes()
    return found


def version(name: str = "data", commit: str = "HEAD") -> dict[str, bytes]:
    """The files of a version."""
    with dataset(name).open() as (records, engine):
        snapshot = records.get_commit(commit).snapshot
        found = {}
        for entry in engine.walk(snapshot):
            if entry.kind == "file":
                with engine.open(snapshot, entry.path) as file:
                    found[entry.path] = file.read()
        return found


def commits(name: str = "data") -> int:
    """How many versions there are."""
    with dataset(name).open() as (records, _):
        return records.list_commits()[1]


@contextmanager
def odd_service(etag: str, body: bytes, *, headers: dict[str, str] | None = None) -> Iterator[str]:
    """A service of one object, ``a``, that says of it what it is told to; the URL."""
    listing = (
        "<ListBucketResult><KeyCount>1</KeyCount><IsTruncated>false</IsTruncated><Contents>"
        f"<Key>a</Key><Size>{len(body)}</Size><ETag>&quot;{etag}&quot;</ETag>"
        "<LastModified>2026-01-02T03:04:05.000Z</LastModified></Contents></ListBucketResult>"
    ).encode()
    versioning = b"<VersioningConfiguration/>"

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            is_object = path.count("/") == 2 and path.endswith("/a")
            answer = body if is_object else versioning if "versioning" in query else listing
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            if is_object:
                self.send_header("ETag", f'"{etag}"')
                self.send_header("Last-Modified", "Fri, 02 Jan 2026 03:04:05 GMT")
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
