"""A category combination as people write it: a spec in a file, or categories in a row on the command line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from dhis2sh.errors import UsageError, did_you_mean
from dhis2sh.rows import tables
from dhis2sh.rows.given import Source
from dhis2sh.rows.rows import Rows

KEYS = "name, categories[name, options[]]"
LONGEST_SHORT_NAME = 50
type Kind = Literal["DISAGGREGATION", "ATTRIBUTE"]


class _Spec(BaseModel):
    model_config = ConfigDict(
        extra="forbid", populate_by_name=True, str_strip_whitespace=True, coerce_numbers_to_str=True
    )


class Named(_Spec):
    """Something with a name: a category option, or what a category and a combination have in common."""

    name: str = Field(min_length=1)
    short_name: str | None = Field(default=None, alias="shortName")
    code: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, value: object) -> object:
        """A bare text is a name."""
        return {"name": value} if isinstance(value, (str, int, float)) and not isinstance(value, bool) else value

    @property
    def short(self) -> str:
        """The short name, or as much of the name as one may be long."""
        return self.short_name or self.name[:LONGEST_SHORT_NAME]


class CategorySpec(Named):
    """A category with the options that it shall have, in order; without options one that is there."""

    options: list[Named] | None = None


class ComboSpec(_Spec):
    """A category combination with its categories in order."""

    name: str = Field(min_length=1)
    code: str | None = None
    kind: Kind | None = Field(default=None, alias="dataDimensionType")
    categories: list[CategorySpec] = Field(min_length=1)


MODELS: Mapping[str, type[BaseModel]] = {"": ComboSpec, "categories": CategorySpec, "options": Named}
"""What stands at a place of a spec, by the last name of its path."""


def read_spec(file: Source, stdin: Callable[[], str | None] | None) -> ComboSpec:
    """The spec in a file, YAML or JSON; `-` is standard input. Raises `UsageError` with the part that is wrong, `NotFound`."""
    where = tables.name_of(file)
    body = tables.parse_yaml(tables.read_text(file, stdin), where, plain=True)
    body = body[0] if isinstance(file, Rows) and isinstance(body, list) and len(body) == 1 else body
    if not isinstance(body, dict):
        raise UsageError(f"{where} is no spec: names with values were expected", hint=KEYS)
    try:
        spec = ComboSpec.model_validate(body)
    except ValidationError as error:
        raise _wrong(error, where) from None
    check(spec, where)
    return spec


def from_words(name: str, categories: Sequence[str]) -> ComboSpec:
    """A spec from `--name` and `--category`s: each the name of a category that is there, or `Name=Option;Option`.

    Raises `UsageError`.
    """
    if not categories:
        raise UsageError(f"'{name}' wants categories", hint="--category Age --category 'Sex=Female;Male'")
    specs: list[CategorySpec] = []
    for text in categories:
        own, equals, rest = text.partition("=")
        options = [Named(name=part.strip()) for part in rest.split(";") if part.strip()]
        if not own.strip() or (equals and not options):
            raise UsageError(f"'{text}' is no category", hint="--category Age, or --category 'Sex=Female;Male'")
        specs.append(CategorySpec(name=own.strip(), options=options if equals else None))
    spec = ComboSpec(name=name.strip(), categories=specs)
    check(spec, "--category")
    return spec


def check(spec: ComboSpec, where: str) -> None:
    """Raise `UsageError` for a name that is there twice where the server wants it once, and a category without options."""
    for what, named in _series(spec):
        seen: set[str] = set()
        for item in named:
            if item.name in seen:
                raise UsageError(f"{where}: {what} '{item.name}' is there twice", hint="name it once")
            seen.add(item.name)
            if len(item.short) > LONGEST_SHORT_NAME:
                raise UsageError(
                    f"{where}: the shortName '{item.short}' is too long: {LONGEST_SHORT_NAME} characters at the most",
                    hint="without a shortName the name is cut",
                )
    empty = next((category.name for category in spec.categories if category.options == []), None)
    if empty is not None:
        raise UsageError(f"{where}: category '{empty}' has no options", hint="leave `options` out to take it as it is")


def _series(spec: ComboSpec) -> Iterator[tuple[str, Sequence[Named]]]:
    yield "category", spec.categories
    # an option in two categories of one combination makes option combinations that cannot be told apart
    yield "option", [option for category in spec.categories for option in category.options or ()]


def _wrong(error: ValidationError, where: str) -> UsageError:
    """The first thing that is wrong with a spec, in words, and the nearest key of a mistyped one."""
    # a mistyped key is missing under its right name as well: the typing mistake is what people want to hear of
    first = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
    path = [str(part + 1) if isinstance(part, int) else part for part in first["loc"]]
    place = re.sub(r"\.(\d+)", r"[\1]", ".".join(path[:-1]))
    at = f" in {place}" if place else ""
    last, kind = path[-1] if path else "", first["type"]
    if kind == "extra_forbidden":
        owner = next((part for part in reversed(path[:-1]) if part in MODELS), "")
        hint = did_you_mean(last, _keys(MODELS[owner])) or f"keys: {', '.join(_keys(MODELS[owner]))}"
        return UsageError(f"{where}: there is no key '{last}'{at}", hint=hint)
    if kind == "missing":
        return UsageError(f"{where}: '{last}' is missing{at}", hint=KEYS)
    whole = re.sub(r"\.(\d+)", r"[\1]", ".".join(path))
    said = str(cast("Mapping[str, Any]", first)["msg"])
    return UsageError(f"{where}: {whole}: {said[:1].lower()}{said[1:]}", hint=KEYS)


def _keys(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]
