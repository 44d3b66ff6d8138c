# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Cutting content into chunks where the content itself says, so that an insertion moves few cuts.

The cuts are those of FastCDC [1]_ with a gear hash, as pyfastcdc computes them. They depend on the
content alone: not on how it was read, nor on anything before the start of a chunk.

References
----------
.. [1] W. Xia et al., "The Design of Fast Content-Defined Chunking for Data Deduplication Based
   Storage Systems", IEEE Trans. Parallel Distrib. Syst. 31 (2020), doi:10.1109/TPDS.2020.2984632
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyfastcdc import FastCDC

_LEAST = 1024
"""The library cuts nothing shorter than this."""


def _compiled() -> type[FastCDC] | None:
    """Return the compiled chunker; its replacement in Python is hundreds of times slower."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where its compiled part is missing
        try:
            from pyfastcdc import cy
        except ImportError:
            return None
    chunker: type[FastCDC] = cy.FastCDC
    return chunker


_FASTCDC = _compiled()


class Cutter:
    """Cuts one stream.

    Parameters
    ----------
    limit
        The most bytes of a chunk. The least are an eighth of it, except at the end of the
        stream; on average a chunk has a third of it.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._cdc: FastCDC | None = None
        if _FASTCDC is not None and limit >= _LEAST:
            self._cdc = _FASTCDC(limit // 4, min_size=limit // 8, max_size=limit)

    def cut(self, data: memoryview, last: bool) -> list[int]:
        """Return the lengths of the chunks at the start of some bytes.

        What is behind them is to come again with what follows it in the stream, unless these
        are the ``last`` bytes; then the chunks are all of them.
        """
        length = len(data)
        if self._cdc is None:
            lengths = [self._limit] * (length // self._limit)
            if last and length % self._limit:
                lengths.append(length % self._limit)
            return lengths
        lengths = []
        left = length
        for chunk in self._cdc.cut_buf(data):
            # a chunk that ends with these bytes, and is not as long as can be, may not end there
            if chunk.length == left and left < self._limit and not last:
                break
            lengths.append(chunk.length)
            left -= chunk.length
        return lengths
