"""The path of a request, with fields of a record in it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from compose_seeder.http_client.path_template import PathError, expand_path


def test_fields_are_put_into_the_path() -> None:
    """Of the record and of the API's own; quoted, and as the API writes them in JSON."""
    record, live = {"slug": "a/b c", "n": Decimal("1E+2"), "on": True}, {"id": 7}
    template = "/things/{slug}/{n}/{on}/{live.id}"
    assert expand_path(template, record, live) == "/things/a%2Fb%20c/100/true/7"


@pytest.mark.parametrize("value", [None, "", ".", "..", [1], {"a": 1}])
def test_a_value_that_fits_no_path(value: Any) -> None:
    """It would lead to another path; a DELETE to it would be somebody else's."""
    with pytest.raises(PathError, match="the record has no usable slug"):
        expand_path("/things/{slug}", {"slug": value}, {})
    with pytest.raises(PathError, match="the API's record has no usable id"):
        expand_path("/things/{live.id}", {}, {"id": value})
