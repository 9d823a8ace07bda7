"""The base of all parts of a manifest, and the types of their keys."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(min_length=1)]

Pointer = Annotated[str, Field(pattern=r"^(/.*)?$")]
"""A JSON Pointer (RFC 6901); "" for the document itself."""


class Model(BaseModel):
    """Frozen, strict, and no unknown keys: a misspelt option must not pass for a default."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=True)
