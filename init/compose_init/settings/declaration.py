"""How a variable is declared: a field of a pydantic model that also has its meaning and an example."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from pydantic.fields import FieldInfo

SECONDS = "a number of seconds above 0 and below a day"


def variable(
    name: str,
    meaning: str,
    *,
    default: Any = None,
    shown: str = "",
    example: str = "",
    expected: str = "",
    **options: Any,
) -> Any:
    """Declare a variable.

    Args:
        name: in the environment.
        meaning: in `docs/settings.md`, as Markdown.
        default: its value where it is not set.
        shown: the default in `docs/settings.md`, where it depends on something.
        example: in `docs/settings.md`; `NAME_FILE=path` for a secret.
        expected: what a value must be, after "must be"; of a variable whose value can be judged alone.
        options: of pydantic's `Field`.
    """
    return Field(
        default,
        validation_alias=name,
        description=meaning,
        examples=[example] if example else None,
        json_schema_extra={"shown": shown, "expected": expected},
        **options,
    )


class Group(BaseModel):
    """Variables with one section in `docs/settings.md`."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


@dataclass(frozen=True)
class Declared:
    """A variable as it is declared.

    Attributes:
        expected: what its value must be, for the faults that pydantic finds.
        shown: its default, as Markdown.
    """

    name: str
    meaning: str
    shown: str
    example: str
    expected: str
    secret: bool


def declared(group: type[BaseModel]) -> Iterator[Declared]:
    """Yield the variables of a group, in order."""
    for field in group.model_fields.values():
        extra: Any = field.json_schema_extra
        yield Declared(
            name=str(field.validation_alias),
            meaning=field.description or "",
            shown=extra["shown"] or (f"`{field.default}`" if field.default else "-"),
            example=str(field.examples[0]) if field.examples else "",
            expected=extra["expected"],
            secret=_is_secret(field),
        )


def _is_secret(field: FieldInfo) -> bool:
    return "SecretStr" in str(field.annotation) or field.annotation is SecretStr
