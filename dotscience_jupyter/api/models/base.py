# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What all bodies share."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Scalar = bool | int | float | str | None
LiveChange = Literal["added", "modified", "removed", "renamed"]


class Body(BaseModel):
    """Base of all bodies: unknown keys in a request are an error, not a silent nothing."""

    model_config = ConfigDict(
        extra="forbid",
        ser_json_inf_nan="strings",
        json_schema_serialization_defaults_required=True,
        # a command uses few of the many bodies, and making a validator takes longer than a class
        defer_build=True,
    )


class Problem(Body):
    """What an error answer holds."""

    code: str = Field(description="Machine-readable, stable, snake_case")
    message: str = Field(description="One clear sentence: what happened and what to do")
    details: str | None = None
