# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What every snapshot engine must do.

A test module of an engine defines a class that inherits :class:`EngineSuite` and overrides
:meth:`SuiteBase.make` (and ``make_old`` where time matters to its gc). Nothing in the parts may
know how an engine keeps content.
"""

from __future__ import annotations

from suite_base import changed
from suite_freezing import FreezingSuite
from suite_keeping import KeepingSuite
from suite_mishaps import MishapsSuite
from suite_moving import MovingSuite
from suite_reading import ReadingSuite
from suite_returning import ReturningSuite

__all__ = ["EngineSuite", "changed"]


class EngineSuite(
    FreezingSuite, ReadingSuite, KeepingSuite, MovingSuite, ReturningSuite, MishapsSuite
):
    """All the tests."""
