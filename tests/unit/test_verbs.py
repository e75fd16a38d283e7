"""Declarations of verbs: options that several verbs share stand in one dataclass."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

import pytest

from dhis2sh.errors import UsageError
from dhis2sh.rows.rows import Text
from dhis2sh.session import Session
from dhis2sh.verbs.declaration import REGISTRY, Bounds, Doc, Verb, verb
from dhis2sh.verbs.registry import find


@dataclass
class Shared:
    """Options of two verbs."""

    size: Annotated[int, Bounds(1, 9), Doc("How large.")] = 3
    marks: Annotated[list[Literal["a", "b"]], Doc("Which marks.")] = field(default_factory=lambda: ["a"])


@pytest.fixture
def declared() -> Verb:
    @verb("trial shared", effect="read")
    async def shared(s: Session, name: str, *, options: Shared) -> str:
        """Try it."""
        return f"{name} {options.size} {options.marks}"

    del REGISTRY["trial shared"]
    return shared


def test_the_fields_are_options_of_the_verb(declared: Verb):
    assert [(param.name, param.option, param.required, param.default) for param in declared.params] == [
        ("name", False, True, None), ("size", True, False, 3), ("marks", True, False, ["a"]),
    ]  # fmt: skip
    assert declared.input_schema()["properties"]["size"] == {
        "type": "integer", "minimum": 1, "maximum": 9, "description": "How large.", "default": 3,
    }  # fmt: skip


async def test_they_arrive_as_one_object(declared: Verb):
    session = Session("sandbox")
    assert await declared.function(session, **declared.bind({"name": "x"})) == "x 3 ['a']"
    assert await declared.function(session, **declared.bind({"name": "x", "size": "5"})) == "x 5 ['a']"


def test_choices_may_be_separated_by_commas(declared: Verb):
    assert declared.bind({"name": "x", "marks": "a,b"})["marks"] == ["a", "b"]
    with pytest.raises(UsageError, match="'c' is not one of its values"):
        declared.bind({"name": "x", "marks": ["a,c"]})


def test_two_modules_never_declare_one_verb() -> None:
    async def ping(s: Session) -> Text:
        """Another one."""
        return Text("pong")

    find("system ping")
    with pytest.raises(ValueError, match=r"system ping is declared in dhis2sh\.plugins\.system and again in"):
        verb("system ping", effect="read")(ping)
