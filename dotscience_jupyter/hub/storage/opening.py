# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Finding and opening what a hub was told to keep its content in."""

from __future__ import annotations

from pathlib import Path

from dotscience_jupyter.api.errors import ApiError

from .base import FILE, ContentStorage
from .place import Place, Storage
from .pool import SCHEME, Pool, PoolPlace


def parse_place(url: str, endpoint: str = "") -> Place | PoolPlace:
    """Read ``s3://BUCKET/PREFIX`` or ``zfs:POOL/ROOT``. Raise ApiError 400 if it is neither."""
    return PoolPlace.parse(url) if url.startswith(SCHEME) else Place.parse(url, endpoint)


def open_storage(
    data: Path,
    url: str,
    endpoint: str,
    cache: int,
    grace: float,
    most: int,
    *,
    check: bool = True,
) -> ContentStorage | None:
    """Open what a hub was told to keep its content in, now or at an earlier start.

    Parameters
    ----------
    data
        The hub's data folder.
    url, endpoint, cache, grace
        As the settings are.
    most
        Bytes of one upload.
    check
        Whether to see that a bucket can be used; at the first time that is done in any case.

    Returns
    -------
    ContentStorage or None
        None if content is in the data folder.

    Raises
    ------
    ApiError
        409 ``storage_differs`` if it is somewhere else; else as :meth:`Storage.open` and
        :meth:`Pool.open`.
    """
    noted = PoolPlace.of(data) or Place.of(data)
    place = parse_place(url, endpoint) if url else noted
    if place is None:
        return None
    if noted is not None and place != noted:
        raise ApiError(
            409,
            "storage_differs",
            f"The content of this hub is in {noted}, and not in {place}. Nothing was changed. To "
            f"move it, stop the hub, copy all of it, then change the file {data / FILE}.",
        )
    if isinstance(place, PoolPlace):
        return Pool.open(place, data / "projects", most)
    return Storage.open(place, data / "projects", cache, grace, first=noted is None, check=check)
