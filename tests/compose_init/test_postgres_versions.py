"""The main job on every earlier PostgreSQL that is supported; all other tests are on the current one."""

from __future__ import annotations

import json

from tests.compose_init.test_run import edit, rows, seeds
from tests.support.postgres import earlier_versions
from tests.support.programs import Program


@earlier_versions
def test_the_main_job(example: Program) -> None:
    """Migrated, seeded through both targets, unchanged the second time, drift seen, an edit brought."""
    first = example.run()
    assert first.code == 0, first.said
    assert rows(example, "SELECT count(*) FROM spells") == [(46,)]
    assert example.run().names() == ["nothing to do"]
    edit(example, "UPDATE enum_translations SET label = 'by hand' WHERE id = 2")
    enums = seeds(example) / "seed_data_enums.json"
    document = json.loads(enums.read_text())
    document["enum_translations"][3]["label"] = "from the file"
    enums.write_text(json.dumps(document))
    run = example.run("--verify", "--dataset", "enum-translations", "--output", "json")
    assert run.code == 0, run.said
    [found] = json.loads(run.out)["datasets"]
    assert (found["updated"], found["drifted"], found["unchanged"]) == (1, 1, 75)
