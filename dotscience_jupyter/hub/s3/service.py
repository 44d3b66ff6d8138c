# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The address of the service itself: which buckets there are."""

from __future__ import annotations

from typing import ClassVar

from dotscience_jupyter.hub.access import Need
from dotscience_jupyter.hub.operations import XML, Operation, Param

from .base import REGION, S3Handler, bucket_names
from .documents import Content
from .ranges import iso

_MOST = 10_000
_QUERY = (
    Param("prefix", "Of the names of buckets"),
    Param("max-buckets", "How many", "integer", _MOST),
    Param("continuation-token", "Where to go on"),
    Param("bucket-region", "Where the buckets are; all are in the hub's one region"),
)


class ServiceHandler(S3Handler):
    """ListBuckets."""

    needs: ClassVar[dict[str, Need]] = {"GET": Need.USER}
    operations: ClassVar[dict[str, Operation]] = {
        "GET": Operation(XML, query=_QUERY, errors=(400,))
    }

    async def get(self) -> None:
        """List the projects that the user may see."""
        self.known_only("prefix", "max-buckets", "continuation-token", "bucket-region")
        infos = await self.run(self.hub.projects.visible_to, self.asker)
        named = bucket_names(infos, self.asker)
        prefix, after = self.query.get("prefix", ""), self.query.get("continuation-token", "")
        if self.query.get("bucket-region", REGION) != REGION:
            named = {}
        names = sorted(name for name in named if name.startswith(prefix) and name > after)
        most = self.limit("max-buckets", _MOST)
        content: list[tuple[str, Content]] = [
            ("Owner", [("ID", self.asker.id), ("DisplayName", self.asker.name)]),
            (
                "Buckets",
                [
                    (
                        "Bucket",
                        [
                            ("Name", name),
                            ("CreationDate", iso(named[name].created)),
                            ("BucketRegion", REGION),
                        ],
                    )
                    for name in names[:most]
                ],
            ),
        ]
        if prefix:
            content.append(("Prefix", prefix))
        if 0 < most < len(names):
            content.append(("ContinuationToken", names[most - 1]))
        self.document("ListAllMyBucketsResult", content)
