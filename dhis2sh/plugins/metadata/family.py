"""The verbs of every type, made from `resources.json`: `metadata data-elements create --name ...`.

Each is a generic verb (`metadata create`) with its type bound; `create` and `update` get the type's own properties as
options: enums as choices, references by UID, code or unique name, what a server wants marked. A type of a new version costs no code.
What is written by hand for one type (`metadata options sync`) stands in the module that `types.MODULES` names; a verb
there that has the path of a generated one takes its place.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from dhis2sh.dhis2.properties import NOT_OPTIONS
from dhis2sh.errors import UsageError
from dhis2sh.metadata import collections, values
from dhis2sh.metadata.made_by_server import CHANGED, MADE_BY_SERVER
from dhis2sh.models import facts
from dhis2sh.plugins.metadata.types import MODULES
from dhis2sh.redact import is_secret
from dhis2sh.verbs.declaration import REGISTRY, Kind, Param, Verb
from dhis2sh.verbs.options import of_flag
from dhis2sh.words import kebab

if TYPE_CHECKING:
    from dhis2sh.models.facts import Property, Resource
    from dhis2sh.session import Session
    from dhis2sh.types import JsonValue

DECLARED_BY = "v42"
"""The version whose properties are the options; at run time the server's own version is asked whether it has them."""
GENERIC = {
    "list": "reading", "get": "reading", "create": "creating", "update": "creating", "rename": "bulk", "delete": "deleting",
    "members": "members", "add": "members", "remove": "members", "clone": "creating",
}  # fmt: skip
"""The generic verbs that a type may have, each with the module of this package that declares it."""
WITH_MEMBERS = {"members", "add", "remove"}
MORE_NAMES = {"visualizations": ("viz",)}
TAKEN = {"attribute"}
"""Singulars that are sub-domains of their own: `metadata attribute get` reads attribute values of any type."""
OWN_OPTIONS = {"set", "edit"}
"""What the generic verbs call otherwise."""
KINDS: Mapping[str, Kind] = {"BOOLEAN": "boolean", "INTEGER": "integer", "NUMBER": "number", "CONSTANT": "choice"}
SUMMARIES = {
    "list": "List {many}, a page of 50 or all of them.",
    "get": "Show one of the {many} with its properties.",
    "create": "Create {one}, or many from a file.",
    "update": "Change {one}, or many from a file; what is not named stays.",
    "rename": "Rename {many}: one, those that filters let through, or those of a pipeline.",
    "delete": "Delete {many}; the plan shows what points to them.",
    "members": "List the members of {one}.",
    "add": "Add members to {one}.",
    "remove": "Take members out of {one}; they themselves stay.",
    "clone": "Copy {one} under a new name.",
}
EXAMPLES = {
    "list": "dhis2 {path} --filter name:ilike:a", "get": "dhis2 {path} UID", "create": "dhis2 {path} --from FILE",
    "update": "dhis2 {path} UID --set name='New name'", "rename": "dhis2 {path} UID --set 'New name' --dry-run",
    "delete": "dhis2 {path} UID --dry-run", "members": "dhis2 {path} UID", "add": "dhis2 {path} UID MEMBER --dry-run",
    "remove": "dhis2 {path} UID MEMBER --dry-run", "clone": "dhis2 {path} UID --name 'A copy' --dry-run",
}  # fmt: skip


@cache
def types() -> dict[str, Resource]:
    """The types that have a sub-domain, by its name: what a server imports and exports as metadata."""
    found = facts.resources(DECLARED_BY)
    rows = ((kebab(plural), item) for plural, item in found.items() if item.metadata and item.endpoint == f"/{plural}")
    return dict(sorted(rows, key=lambda row: row[0]))


@cache
def names() -> dict[str, tuple[str, ...]]:
    """Each sub-domain with its other names: as it stands on the wire, the singular, short words for the most used."""
    return {
        name: tuple(
            other
            for other in (item.plural, kebab(item.singular), *MORE_NAMES.get(name, ()))
            if other not in TAKEN | {name}
        )
        for name, item in types().items()
    }


def declare(name: str, path: str | None = None) -> None:
    """Put the verbs of one type into the registry, those by hand first; with a path only that one."""
    for module in MODULES.get(name, ()):
        importlib.import_module(f"{__package__}.types.{module}")
    resource = types()[name]
    for word, module in GENERIC.items():
        own = f"metadata {name} {word}"
        by_hand = REGISTRY.get(own)
        whole = by_hand is not None and (by_hand.module == __name__ or not _only_options(by_hand))
        if not whole and path in (None, own) and _allowed(word, resource):
            importlib.import_module(f"{__package__}.{module}")
            generated = _bound(own, word, resource)
            REGISTRY[own] = generated if by_hand is None else _joined(by_hand, generated, resource)


def _allowed(word: str, resource: Resource) -> bool:
    if word in CHANGED and resource.plural in MADE_BY_SERVER:
        return False
    if word == "members":
        return bool(collections.readable_of(resource))
    if word in WITH_MEMBERS:
        return bool(values.collections_of(resource))
    name = resource.properties.get("name")
    return word not in {"rename", "clone"} or (name is not None and name.persisted and name.owner and name.writable)


def _bound(path: str, word: str, resource: Resource) -> Verb:
    """A generic verb with its type bound."""
    generic = REGISTRY[f"metadata {word}"]
    own = _options(resource) if word in {"create", "update"} else ()
    words = {"one": f"one of the {_spoken(resource)}", "many": _spoken(resource)}
    return replace(
        generic,
        path=path,
        params=tuple(_param(param, resource, word) for param in generic.params if param.name != "type") + own,
        module=__name__,
        pinned=False,
        function=_with_type(generic, word, resource, {param.name for param in own}),
        head=_head(generic, resource),
        summary=SUMMARIES[word].format(**words),
        examples=(EXAMPLES[word].format(path=path),),
    )


def _only_options(verb: Verb) -> bool:
    """A verb by hand with arguments of its own reads lines that a generated one cannot, so it stands alone."""
    return all(param.option for param in verb.params)


def _joined(by_hand: Verb, generated: Verb, resource: Resource) -> Verb:
    """A verb with short options of its own that takes everything that the generated one takes.

    The generated one runs for a file, for an editor, and where `--set` says everything; else the one by hand, and more
    properties of the type are put into what it makes.
    """
    common = {param.name for param in generated.params}
    own = {kebab(param.name): param for param in by_hand.params}  # `period_type` here is `periodType` there
    short = tuple(param for flag, param in own.items() if flag not in {kebab(name) for name in common})
    word = by_hand.path.rsplit(" ", 1)[1]
    generic = {param.name for param in REGISTRY[f"metadata {word}"].params if param.option}
    flags = {param.name for param in (*short, *generated.params) if param.default is False}

    async def function(s: Session, **given: Any) -> object:
        said = {name: value for name, value in given.items() if _is_said(value, flag=name in flags)}
        meant = [param for param in short if param.name in said and said[param.name] != param.default]
        if not meant and generic & said.keys():
            return await generated.function(s, **{k: v for k, v in given.items() if k in common})
        mine = {own[kebab(name)].name: value for name, value in given.items() if kebab(name) in own and name in said}
        if alone := [kebab(name).strip("-") for name in said if name in generic - {"set"}]:
            raise UsageError(f"{by_hand.path}: --{alone[0]} does not go with {meant[0].flag}", hint=_help(by_hand))
        if missing := [param.flag for param in own.values() if param.required and param.name not in mine]:
            what = f"{by_hand.path}: {meant[0].flag}" if meant else by_hand.path
            raise UsageError(f"{what} needs {missing[0]}", hint=_help(by_hand))
        planned = await by_hand.function(s, **mine)
        more = {name: value for name, value in said.items() if kebab(name) not in own and name != "set"}
        if not more and "set" not in said:
            return planned
        from dhis2sh.metadata.objects.creating import with_properties  # start-up: most lines only read

        return await with_properties(s, resource.plural, planned, more, set=said.get("set", ()))

    return replace(
        generated,
        params=(
            *(replace(param, required=False) for param in short),
            *(replace(param, choices=_choices(own.get(kebab(param.name)), param)) for param in generated.params),
        ),
        function=function,
        summary=by_hand.summary,
        description=by_hand.description,
        examples=(*by_hand.examples, *generated.examples),
    )


def _is_said(value: object, *, flag: bool) -> bool:
    """Has somebody given a value? 0 is one; false is one where it can be said, and is no flag that was left out."""
    return value is not None and value != [] and not (flag and value is False)


def _help(verb: Verb) -> str:
    return f"dhis2 {verb.path} --help"


def _choices(by_hand: Param | None, generated: Param) -> tuple[str, ...]:
    """A verb by hand may know more words for a value than the server has: `<=` for `less_than_or_equal_to`."""
    return (by_hand.choices if by_hand is not None else ()) or generated.choices


def _spoken(resource: Resource) -> str:
    return kebab(resource.plural).replace("-", " ")


def _param(param: Param, resource: Resource, word: str) -> Param:
    """A parameter of the generic verb, as this type has it."""
    if param.refers == "@type":
        return replace(param, refers=resource.plural)
    if param.name == "property":
        known = collections.readable_of(resource) if word == "members" else [*values.collections_of(resource)]
        meant = collections.MEANT.get(resource.plural)
        says = f"Which collection; {meant} without it." if meant in known else param.help
        return replace(param, choices=tuple(known), kind="choice", required=False, help=says)
    return param


def _with_type(generic: Verb, word: str, resource: Resource, own: set[str]) -> Any:
    async def function(s: Session, **given: Any) -> object:
        if word not in {"create", "update"}:
            return await generic.function(s, type=resource.plural, **given)
        properties: dict[str, JsonValue] = {name: given.pop(name) for name in list(given) if name in own}
        from dhis2sh.metadata.objects import creating, updating  # start-up: most lines only read

        if word == "create":
            return await creating.plan_create(s, resource.plural, properties, **given)
        return await updating.plan_update(s, resource.plural, given.pop("uid", None), properties, **given)

    return function


def _head(generic: Verb, resource: Resource) -> Any:
    if generic.head is None:
        return None
    prepare = generic.head

    async def head(s: Session, arguments: Mapping[str, object], wants: Any) -> Any:
        prepared = await prepare(s, {**arguments, "type": resource.plural}, wants)
        prepared.arguments.pop("type", None)
        return prepared

    return head


def _options(resource: Resource) -> tuple[Param, ...]:
    """The properties of a type that an option can hold; the required ones first."""
    required = values.required_of(resource)
    names = sorted(resource.properties, key=lambda name: (name not in required, name))
    found = (resource.properties[name] for name in names if _is_option(resource.properties[name]))
    return tuple(_option(prop, required=prop.name in required) for prop in found)


def _is_option(prop: Property) -> bool:
    kind = prop.item_kind if prop.collection else prop.kind
    holds = kind != "COMPLEX" and (kind != "REFERENCE" or values.refers_to_objects(prop))
    writable = prop.owner and prop.persisted and prop.writable
    # a secret is never an argument: other users of the machine would see it
    return (
        holds
        and writable
        and kind != "PASSWORD"
        and not is_secret(prop.name)
        and prop.name not in NOT_OPTIONS | OWN_OPTIONS
        and of_flag(f"--{kebab(prop.name)}") is None  # a line's own
    )


def _option(prop: Property, *, required: bool) -> Param:
    kind = (prop.item_kind if prop.collection else prop.kind) or "TEXT"
    reference = kind == "REFERENCE"
    says = [f"{_words(prop)}{' (required)' if required else ''}."]
    if reference:
        says.append(f"UID, code or unique name of {prop.target}.")
    if prop.length and prop.length < 2000 and kind in {"TEXT", "IDENTIFIER", "URL"}:
        says.append(f"At the most {prop.length} characters.")
    if kind == "DATE":
        says.append("A date, 2026-01-31.")
    return Param(
        name=prop.name, kind=KINDS.get(kind, "text"), option=True, required=False, many=prop.collection,
        default=None, help=" ".join(says), choices=prop.constants if kind == "CONSTANT" else (),
        complete="uids" if reference else None, refers=cast("str", prop.target) if reference else None,
    )  # fmt: skip


def _words(prop: Property) -> str:
    text = kebab(prop.name).replace("-", " ")
    return text[0].upper() + text[1:]


__all__ = ["declare", "names", "types"]
