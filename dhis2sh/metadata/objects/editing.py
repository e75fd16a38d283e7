"""An object as YAML in an editor, opened again until what is left can be used."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dhis2sh.dhis2.properties import NOT_EDITED
from dhis2sh.errors import NotFound, UsageError
from dhis2sh.metadata import values
from dhis2sh.rows.tables import parse_yaml
from dhis2sh.session import Session
from dhis2sh.types import JsonObject
from dhis2sh.verbs import names

if TYPE_CHECKING:
    from dhis2sh.models.facts import Resource


WRONG = "#!"
"""Begins the lines that say in the editor what cannot be used."""


def one_only(objects: Sequence[JsonObject]) -> JsonObject:
    """The object that an editor opens. Raises `UsageError` for several."""
    if len(objects) != 1:
        raise UsageError(f"--edit opens one object, and these are {len(objects):,}", hint="edit the file, then --from")
    return objects[0]


async def edited(s: Session, reader: values.Reader, item: JsonObject, wanted: Sequence[str] = ()) -> JsonObject:
    """An object as the user left it in the editor, references found.

    What cannot be used is opened again with what is wrong above it, until it can, or until it comes back as it was.

    Parameters:
        item: the object as it is.
        wanted: properties that it must have; those that are not there yet are shown empty.

    Raises `UsageError` where there is no editor, nothing was left, or the user has given up.
    """
    shown = {name: value for name, value in item.items() if name not in NOT_EDITED}
    shown |= {name: None for name in wanted if name not in shown}
    text, problem = await _as_yaml(s, reader.resource, shown), ""
    while True:
        left = await s.person.edit(problem + text)
        if left is None:
            raise UsageError(
                "--edit wants a terminal, and a line of its own", hint="--set property=value, or --from FILE"
            )
        try:
            return {**{name: item[name] for name in item if name in NOT_EDITED}, **await _understood(s, reader, left)}
        except (UsageError, NotFound) as error:
            again = "".join(line for line in left.splitlines(keepends=True) if not line.startswith(WRONG))
            if (again == text and problem) or not again.strip():
                raise
            told = [error.message, *([f"try: {error.hint}"] if error.hint else [])]
            text, problem = again, "".join(f"{WRONG} {' '.join(line.split())}\n" for line in told)


async def _as_yaml(s: Session, resource: Resource, item: JsonObject) -> str:
    """An object as YAML, with the name of what a UID stands for as a comment beside it."""
    import yaml

    text = yaml.safe_dump(item, allow_unicode=True, sort_keys=False, width=120)
    called = await names.names_in(s, resource, [item])
    return re.sub(
        r"^(?P<line>[ -]+id: (?P<uid>\w{11}))$",
        lambda found: f"{found['line']}  # {called[found['uid']]}" if found["uid"] in called else found["line"],
        text,
        flags=re.MULTILINE,
    )


async def _understood(s: Session, reader: values.Reader, text: str) -> JsonObject:
    """What was written in an editor as an object. Raises `UsageError` and `NotFound` for what cannot be used."""
    parsed = parse_yaml(text, "what you wrote", plain=True)
    if not isinstance(parsed, dict) or not parsed:
        raise UsageError("nothing was left: nothing is written")
    reader.problems.clear()
    found = reader.read(parsed)
    reader.check()
    await reader.resolved(s, [found])
    return found
