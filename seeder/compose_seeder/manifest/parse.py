"""`seeds.toml` to datasets: strict, and every fault at once.

text ─▶ tomllib ─▶ pydantic (types, unknown keys) ─▶ rules across keys ─▶ Manifest
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from compose_seeder.errors import ManifestError, did_you_mean, quote
from compose_seeder.manifest.base import Model
from compose_seeder.manifest.csv_options import CsvOptions
from compose_seeder.manifest.http_options import Bulk, Confirm, Http, Pages
from compose_seeder.manifest.models import Dataset, FieldRules, Manifest, Nest, Ref
from compose_seeder.sources.content import Opened
from compose_seeder.sources.location import Sources

SHOULD = re.compile(r"^(Input|String|Tuple|List|Dictionary) should")
"""The beginning of pydantic's messages."""

POINTERS = {"^(/.*)?$", "^/.+$"}
"""The patterns of JSON Pointers."""

SCALAR_DEPTH = 2
"""How many names lead to a value of `where` and `constants`; the type that was tried comes after them."""


def load(location: str, sources: Sources) -> tuple[Manifest, Opened]:
    """Read the manifest at a path or URL.

    Raises:
        SourceError: the manifest cannot be read.
        ManifestError: the manifest is wrong.
    """
    source = sources.file(location)
    opened = source.open()
    try:
        text = opened.data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ManifestError(f"{source} is not UTF-8: {error}; save it as UTF-8") from None
    return parse(text, str(source)), opened


def parse(text: str, name: str) -> Manifest:
    """Return the manifest that a text holds.

    Args:
        text: TOML.
        name: the name for messages, usually the path.

    Raises:
        ManifestError: with every fault, by dataset and key.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ManifestError(f"{name} is not valid TOML: {error}") from None
    faults = [
        f"unknown key {key}{did_you_mean(key, ['defaults', 'dataset'])}"
        for key in document
        if key not in {"defaults", "dataset"}
    ]
    defaults, tables = document.get("defaults", {}), document.get("dataset", [])
    if not isinstance(defaults, dict) or not isinstance(tables, list):
        raise ManifestError(
            f"{name}: write [[dataset]] for each dataset, and [defaults] for the defaults"
        )
    datasets = [
        dataset
        for position, table in enumerate(tables)
        if (dataset := _dataset(table, position, defaults, faults))
    ]
    names = [dataset.name for dataset in datasets]
    faults += [
        f"dataset {n}: the name occurs twice; rename one of them"
        for n in dict.fromkeys(names)
        if names.count(n) > 1
    ]
    if faults:
        raise ManifestError("\n".join([f"{name} is wrong:", *(f"  {fault}" for fault in faults)]))
    return Manifest(datasets=tuple(datasets))


def _dataset(
    table: Any, position: int, defaults: Mapping[str, Any], faults: list[str]
) -> Dataset | None:
    label = (
        f"dataset {table['name']}"
        if isinstance(table, dict) and "name" in table
        else (f"dataset number {position + 1}")
    )
    if not isinstance(table, dict):
        faults.append(f"{label}: is not a table; write [[dataset]]")
        return None
    merged = {key: value for key, value in defaults.items() if key not in table} | table
    if isinstance(merged.get("http"), dict):
        # A request without options may be written as a plain string.
        http = dict(merged["http"])
        if "confirm" in http:
            http["confirm"] = [_as_request(c) for c in _as_list(http["confirm"])]
        if "bulk" in http:
            http["bulk"] = _as_request(http["bulk"])
        merged = {**merged, "http": http}
    try:
        return Dataset.model_validate(_lists_to_tuples(merged))
    except ValidationError as error:
        described = dict.fromkeys(map(_describe, error.errors()))  # once for each type of a union
        faults.extend(f"{label}: {text}" for text in described)
        return None


def _as_request(value: Any) -> Any:
    return {"request": value} if isinstance(value, str) else value


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _lists_to_tuples(value: Any) -> Any:
    """Return lists as tuples: TOML has lists, frozen values have tuples, and validation is strict."""
    if isinstance(value, list):
        return tuple(_lists_to_tuples(item) for item in value)
    if isinstance(value, dict):
        return {key: _lists_to_tuples(item) for key, item in value.items()}
    return value


def _describe(fault: Any) -> str:
    where = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return (
            f"unknown key {where}{did_you_mean(str(fault['loc'][-1]), _known_keys(fault['loc']))}"
        )
    if fault["type"] == "missing":
        return f"{where} is missing"
    if fault["loc"][:-1][:1] in {("where",), ("constants",)} and len(fault["loc"]) > SCALAR_DEPTH:
        also = ", or a list of these" if fault["loc"][0] == "where" else ""
        return f"{'.'.join(fault['loc'][:2])}: must be a text, a number, true or false{also}"
    if fault.get("ctx", {}).get("pattern") in POINTERS:
        found = str(fault["input"])
        return f'{where}: must be a JSON Pointer, which begins with /, as in "/{found}"; found {quote(found)!r}'
    message = str(fault["msg"]).removeprefix("Value error, ")
    message = SHOULD.sub("must", message).removesuffix(" after validation, not 0")
    message += _found(fault["input"])
    return f"{where}: {message}" if where else message


def _found(value: Any) -> str:
    if isinstance(value, str):
        return f"; found {quote(value)!r}"
    return f"; found {value}" if isinstance(value, int | float) else ""


def _known_keys(where: tuple[Any, ...]) -> list[str]:
    models: dict[Any, type[Model]] = {
        "fields": FieldRules,
        "nest": Nest,
        "refs": Ref,
        "http": Http,
        "pages": Pages,
        "bulk": Bulk,
        "confirm": Confirm,
        "csv": CsvOptions,
    }
    inside = [models[part] for part in where[:-1] if part in models]
    model = inside[-1] if inside else Dataset
    return [field.alias or name for name, field in model.model_fields.items()]
