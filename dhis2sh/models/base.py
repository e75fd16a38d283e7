"""What the generated models share: the base class, the reference to an object, tolerant enums.

Models are read with `Model.model_validate(row)` and written with `model.to_wire()`. Every field is optional (DHIS2's
descriptions call more required than its answers hold), keys that the description does not know are kept in
`model_extra`, and what was read is written again without loss. Attributes are snake_case, keys on the wire are DHIS2's.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterable
from enum import StrEnum
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

from pydantic import BaseModel, ConfigDict

from dhis2sh.models.lazy import camel

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

    from dhis2sh.types import JsonObject

Number = int | float  # an integer stays one: 1 is not written as 1.0
Timestamp = str  # as the server writes it, with or without a zone; datetime.fromisoformat reads it
Uid = str  # 11 letters and digits, the first a letter

_NAME = re.compile(r"\b[^\W\d_]\w*")


class OpenEnum(StrEnum):
    """Constants as this version knows them; one that a newer server adds is kept as it came, a text that equals itself."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        unknown = str.__new__(cls, value)
        unknown._name_ = unknown._value_ = value
        return unknown

    @property
    def known(self) -> bool:
        """Is it a constant of this version?"""
        return self._value_ in type(self)._value2member_map_

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        made = handler(schema)
        return {"title": cls.__name__, "anyOf": [{"enum": made["enum"]}, {"type": "string"}]}


class Model(BaseModel):
    """An object of DHIS2. Built when it is first used, with the classes that its fields name and no others."""

    model_config = ConfigDict(
        defer_build=True,
        extra="allow",
        populate_by_name=True,
        serialize_by_alias=True,
        alias_generator=camel,
        protected_namespaces=(),
    )

    def __init_subclass__(cls, **settings: Any) -> None:
        """A class of the user's own inherits fields whose types only the generated class's module can name: build that first."""
        for base in cls.__bases__:
            if issubclass(base, Model) and base.__module__ != __name__:
                base.model_rebuild()
        super().__init_subclass__(**settings)

    def to_wire(self) -> JsonObject:
        """What DHIS2 is sent: the fields that were set, under their names on the wire, as plain JSON values."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)

    @classmethod
    def model_rebuild(
        cls,
        *,
        force: bool = False,
        raise_errors: bool = True,
        _parent_namespace_depth: int = 2,
        _types_namespace: Any = None,
    ) -> bool | None:
        """Build the validator; the names that the fields wait for are imported first. As in pydantic otherwise."""
        if cls.__pydantic_complete__ and not force:
            return None
        _link(cls)
        _BUILDING.add(cls)
        try:
            # no caller's variables: a field's type is a name of its own module
            return super().model_rebuild(
                force=force, raise_errors=raise_errors, _parent_namespace_depth=0, _types_namespace=_types_namespace
            )
        finally:
            _BUILDING.discard(cls)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Called where the class is a part of another type, `list[DataElement]` for one."""
        if not cls.__pydantic_complete__:
            if cls in _BUILDING:
                _link(cls)
            else:  # once, for all that have it as a part
                cls.model_rebuild()
        return handler(source)

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Only what was set: an object has sixty fields and an answer three."""
        return [(name, value) for name, value in super().__repr_args__() if name in self.model_fields_set]


class Reference(Model):
    """A reference to an object of any type; what else the server sends of it is kept, and `read_as` reads it."""

    id: Uid | None = None
    code: str | None = None
    name: str | None = None
    display_name: str | None = None

    def read_as[M: BaseModel](self, model: type[M]) -> M:
        """The same object as another model, where the request asked for more of its fields.

        Parameters:
            model: the class to read it as, `v42.CategoryCombo` for one.

        Raises:
            pydantic.ValidationError: a value is not what the model says.
        """
        return model.model_validate(self.to_wire())


class Tagged(Model):
    """One of several shapes that a property tells apart, which is always sent."""

    TAG: ClassVar[str]  # the attribute of that property

    def model_post_init(self, context: Any, /) -> None:
        """Count the tag as set, so that leaving out what is unset keeps it."""
        self.__pydantic_fields_set__.add(self.TAG)


def load(version: str, name: str) -> type[Model]:
    """A model by the name of its class.

    Parameters:
        version: one of `dhis2sh.models.facts.VERSIONS`.
        name: `Resource.model`, 'DataElement' for one.

    Raises:
        AttributeError: this version has no such model.
        ModuleNotFoundError: there are no models of this version.
    """
    return cast("type[Model]", getattr(import_module(f"dhis2_models.{version}"), name))


def _link(cls: type[BaseModel]) -> None:
    """Put the classes that the fields name into the namespace of the module where pydantic looks for them."""
    for base in cls.__mro__:
        if base.__module__ == __name__ or not issubclass(base, Model):
            continue
        space = vars(sys.modules[base.__module__])
        version = import_module(".".join(base.__module__.split(".")[:2]))
        if not hasattr(version, "DHIS2_VERSION"):
            continue  # a class of the user's own, whose names are not ours to find
        for annotation in inspect.get_annotations(base).values():
            if isinstance(annotation, str):
                for name in _names(annotation):
                    if name not in space and name in _known(version.__name__):
                        space[name] = getattr(version, name)


@cache
def _names(annotation: str) -> list[str]:
    return _NAME.findall(annotation)


@cache
def _known(package: str) -> frozenset[str]:
    return frozenset(dir(sys.modules[package]))


_BUILDING: set[type[BaseModel]] = set()
