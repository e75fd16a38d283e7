"""The models against what running servers answered: every object is taken, nothing is lost, every unknown key is explained."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache

import pytest
from pydantic import ValidationError

from dhis2sh.models import facts
from dhis2sh.models.base import Model
from tests.contract.answers import Answer, exported, model, sent, tracked, wire
from tests.contract.unknown import UNKNOWN
from tests.shared import needs_shared

pytestmark = needs_shared


def taken(version: str, answers: Iterable[Answer]) -> list[Model]:
    """The answers as models, each proven to write again what it was read from."""
    models: list[Model] = []
    for answer in answers:
        try:
            found = model(version, answer.model).model_validate(answer.row)
        except ValidationError as error:
            pytest.fail(f"{answer.where}: {answer.model} does not take it\n{error}")
        written = found.model_dump(by_alias=True, exclude_unset=True)
        # as text: 1 and 1.0 are equal, and so are True and 1
        assert json.dumps(written, sort_keys=True) == json.dumps(answer.row, sort_keys=True), answer.where
        assert found.to_wire() == answer.row, answer.where
        models.append(found)
    return models


def unknown_keys(value: object) -> Iterator[str]:
    """The keys that no field has, as 'Class.key', at any depth."""
    if isinstance(value, Model):
        yield from (f"{type(value).__name__}.{key}" for key in value.model_extra or {})
        for name in value.model_fields_set & type(value).model_fields.keys():
            yield from unknown_keys(getattr(value, name))
    elif isinstance(value, list):
        for item in value:
            yield from unknown_keys(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from unknown_keys(item)


def explained(version: str, key: str) -> str | None:
    """The row of the table that explains a key."""
    owner = key.partition(".")[0]
    return next((row for row in (f"{version} {key}", key, f"{owner}.*") if row in UNKNOWN), None)


def test_every_object_of_the_metadata_export() -> None:
    found = taken("v42", exported())

    assert len(found) == 1637
    assert not [*unknown_keys(found)]


def test_every_tracked_entity_and_event() -> None:
    found = taken("v42", tracked())

    assert Counter(type(item).__name__ for item in found) == {"TrackerTrackedEntity": 500, "TrackerEvent": 24}
    assert not [*unknown_keys(found)]


@cache
def unknown_on_the_wire(version: str) -> frozenset[str]:
    """Takes every recorded answer and every body that a server took; the keys that no field has."""
    answered, asked = taken(version, wire(version)), taken(version, sent(version))
    assert len({type(item) for item in answered}) > 55
    assert len({type(item) for item in asked}) > 25
    return frozenset(unknown_keys([*answered, *asked]))


@pytest.mark.parametrize("version", facts.VERSIONS)
def test_every_recorded_answer_and_accepted_body(version: str) -> None:
    assert not sorted(key for key in unknown_on_the_wire(version) if not explained(version, key))


def test_the_table_of_unknown_keys_has_no_row_that_nothing_needs() -> None:
    needed = {explained(version, key) for version in facts.VERSIONS for key in unknown_on_the_wire(version)}

    assert UNKNOWN.keys() == needed
