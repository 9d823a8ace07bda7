"""A JSON Schema of `seeds.toml`, for editors.

python -m compose_seeder.manifest.editor_schema > docs/seeds.schema.json
"""

from __future__ import annotations

import json
import sys
from typing import Any

from compose_seeder.manifest.models import Dataset


def json_schema() -> dict[str, Any]:
    """Return a JSON Schema of `seeds.toml`.

    A dataset need not have what `[defaults]` may hold instead.
    """
    schema = Dataset.model_json_schema(by_alias=True)
    definitions = schema.pop("$defs")
    text: dict[str, Any] = {"type": "string", "pattern": "^GET /\\S*$"}
    bulk = definitions["Http"]["properties"]["bulk"]
    bulk["anyOf"].append({"type": "string", "pattern": "^(POST|PUT) /\\S*$"})
    confirm = definitions["Http"]["properties"]["confirm"]
    confirm["items"] = {"anyOf": [confirm["items"], text]}
    confirm["anyOf"] = [{"type": "array", "items": confirm.pop("items")}, text]
    del confirm["type"]
    defaults = {key: value for key, value in schema.items() if key != "required"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "seeds.toml of compose-init",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "defaults": {
                **defaults,
                "description": "What holds for every dataset that does not say it.",
            },
            "dataset": {"type": "array", "items": {**schema, "required": ["name"]}},
        },
        "$defs": definitions,
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n")
