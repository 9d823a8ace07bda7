"""The only source of settings: variables, each of them also from the file that `NAME_FILE` names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from compose_seeder.sources.variables import read_variable


@dataclass(frozen=True)
class Fault:
    """A fault of a variable, by its name.

    Attributes:
        problem: what is wrong and what to do, without the value of a secret.
    """

    name: str
    problem: str

    def __str__(self) -> str:
        return f"{self.name}: {self.problem}"


@dataclass(frozen=True)
class Texts:
    """The values of variables as text, by name; variables that are not set are left out.

    Attributes:
        file_values: those of them that came from files.
        faults: of variables that could not be read.
    """

    values: Mapping[str, str] = field(repr=False)
    file_values: Mapping[str, str] = field(repr=False)
    faults: tuple[Fault, ...]


def read_texts(environ: Mapping[str, str], names: Iterable[str]) -> Texts:
    """Read these variables, or their files; an empty variable counts as not set."""
    found = {name: read_variable(environ, name) for name in names}
    return Texts(
        {name: each.text for name, each in found.items() if each.text},
        {name: each.text for name, each in found.items() if each.from_file},
        tuple(Fault(fault.name, fault.problem) for each in found.values() for fault in each.faults),
    )


class VariableSource(PydanticBaseSettingsSource):
    """Give each group of variables its texts.

    Some variables do not count beside others, and may then have any value: they may be the application's.
    """

    def __init__(self, settings_cls: type[BaseSettings], texts: Texts) -> None:
        super().__init__(settings_cls)
        self._values = {
            name: text for name, text in texts.values.items() if counts(name, texts.values)
        }

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return the texts of a group of variables."""
        group = field.annotation
        assert isinstance(group, type)  # noqa: S101 - each field of `Variables` is a group
        assert issubclass(group, BaseModel)  # noqa: S101
        names = [str(each.validation_alias) for each in group.model_fields.values()]
        return (
            {name: self._values[name] for name in names if name in self._values},
            field_name,
            True,
        )

    def __call__(self) -> dict[str, Any]:
        """Return the texts of all groups, by the groups' names."""
        fields = self.settings_cls.model_fields
        return {name: self.get_field_value(field, name)[0] for name, field in fields.items()}


def counts(name: str, values: Mapping[str, str]) -> bool:
    """Tell if a variable has a meaning beside the others that are set."""
    if name.startswith("POSTGRES_"):
        return "DATABASE_URL" not in values
    if name in {"API_TOKEN", "API_HEALTH_PATH"}:
        return "API_BASE_URL" in values or "API_COMMAND" in values
    return True
