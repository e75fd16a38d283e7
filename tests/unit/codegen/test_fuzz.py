"""Descriptions that no server gives: what comes out can be imported and used, or one error names the fault."""

import importlib
import itertools
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from codegen import names
from codegen.build import Built, read, write
from codegen.emit import emit
from codegen.errors import CodegenError
from codegen.openapi import distil_openapi
from codegen.plan import plan
from codegen.schemas import distil_schemas
from dhis2sh.models import facts
from dhis2sh.models.base import Model
from dhis2sh.models.lazy import camel, snake

NUMBER = itertools.count()
NO_TYPES = {"constants": {}, "commonProperties": {}, "propertyDefaults": {}, "schemaDefaults": {}, "schemas": []}


def described(components: dict[str, Any]) -> dict[str, Any]:
    return {"openapi": "3.0.0", "components": {"schemas": components}}


def use(folder: Path, components: dict[str, Any], schemas: dict[str, Any] = NO_TYPES) -> dict[str, Any]:
    """Generate, import and build everything; the objects of the package by name."""
    decided = plan("v42", schemas, distil_openapi(described(components)))
    name = f"fuzzed{next(NUMBER)}"
    write([Built("v42", emit(decided), decided.log)], folder / name)
    sys.path.insert(0, str(folder))
    try:
        importlib.invalidate_caches()
        package = importlib.import_module(f"{name}.v42")
        found = {attribute: getattr(package, attribute) for attribute in dir(package)}
        for value in found.values():
            if isinstance(value, type) and issubclass(value, Model):
                value.model_rebuild()
                value.model_json_schema()
        return found
    finally:
        sys.path.remove(str(folder))
        for module in [m for m in sys.modules if m.split(".")[0] == name]:
            del sys.modules[module]


NAMES = st.one_of(
    st.sampled_from([
        "Reference", "Model", "Any", "Warning", "class", "None", "list", "str", "self", "Field", "pydantic", "_", "", "__init__",
        "enums", "common", "import", "model_config", "schema", "json", "copy", "from", "fooBar", "foo_bar", "FooBar", "foo-bar",
        "value", "Value", "$ref", "x-kind", "1st", "a.b", "a/b", 'say "hi"', "it's", "back\\slash", "line\nfeed", "ünïcode",
        "ﬁx", "日本語", "İstanbul", "ß", "DataElement", "DataElementParams", "APropertyNames", "TAG", "to_wire", "model_extra",
    ]),
    st.text(max_size=8),
)  # fmt: skip


def shapes(targets: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    leaves = st.one_of(
        st.sampled_from(
            [{}, {"type": "string"}, {"type": "object"}, {"type": "any"}, {"type": "integer", "format": "int32"}]
        ),
        st.sampled_from([{"type": "number"}, {"type": "boolean"}, {"type": "string", "format": "date-time"}]),
        st.sampled_from(targets).map(lambda name: {"$ref": f"#/components/schemas/{name}"}),
        st.lists(NAMES, min_size=1, max_size=4).map(lambda constants: {"type": "string", "enum": constants}),
    )
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            inner.map(lambda item: {"type": "array", "items": item}),
            inner.map(lambda value: {"type": "object", "additionalProperties": value}),
            st.lists(inner, min_size=1, max_size=3).map(lambda options: {"oneOf": options}),
            st.dictionaries(NAMES, inner, max_size=4).map(lambda found: {"type": "object", "properties": found}),
        ),
        max_leaves=8,
    )


@st.composite
def components(draw: st.DrawFn) -> dict[str, Any]:
    found = draw(st.lists(NAMES, min_size=1, max_size=5, unique=True))
    return {name: draw(shapes(found)) for name in found}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(components())
@example({"A": {"oneOf": [{"$ref": "#/components/schemas/A"}, {"type": "string"}]}})
@example({"A": {"$ref": "#/components/schemas/B"}, "B": {"$ref": "#/components/schemas/A"}})
@example({"A": {"type": "object", "properties": {"a": {"$ref": "#/components/schemas/A"}}}})
@example({"Node": {"type": "array", "items": {"oneOf": [{"$ref": "#/components/schemas/Node"}, {"type": "string"}]}}})
@example({"value": {"type": "object", "properties": {"value": {"$ref": "#/components/schemas/value"}}}})
def test_any_description_gives_code_that_can_be_imported_or_one_error(tmp_path: Path, found: dict[str, Any]) -> None:
    try:
        made = use(tmp_path, found)
    except CodegenError as error:
        assert "\n" not in str(error)
        return
    models = [value for value in made.values() if isinstance(value, type) and issubclass(value, Model)]
    for one in models:
        assert one.model_validate({}).to_wire() == {}


KLASSES = st.one_of(
    st.sampled_from(["org.x.A", "org.y.A", "org.x.A$B", "org.x.Reference", "org.x.Map", "org.x.class", "java.lang.String", "A"]),
    NAMES,
)  # fmt: skip
KINDS = st.sampled_from(["TEXT", "INTEGER", "REFERENCE", "COMPLEX", "COLLECTION", "CONSTANT", "DATE", "HOLOGRAM"])


@st.composite
def properties(draw: st.DrawFn) -> dict[str, Any]:
    found = {"name": draw(NAMES), "propertyType": draw(KINDS), "klass": draw(KLASSES), "fieldName": draw(NAMES)}
    if draw(st.booleans()):
        found |= {"itemKlass": draw(KLASSES), "itemPropertyType": draw(KINDS), "collectionName": draw(NAMES)}
    if draw(st.booleans()):
        found["constants"] = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
    return found


@st.composite
def types(draw: st.DrawFn) -> dict[str, Any]:
    name = draw(NAMES)
    found = {
        "klass": draw(KLASSES),
        "singular": name,
        "plural": draw(NAMES),
        "displayName": name,
        "order": 1,
        "authorities": [],
    }
    if draw(st.booleans()):
        found["relativeApiEndpoint"] = f"/{name}"
    return found | {"metadata": draw(st.booleans()), "properties": draw(st.lists(properties(), max_size=4))}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(types(), max_size=4), components())
def test_any_schemas_give_code_that_can_be_imported_or_one_error(
    tmp_path: Path, found: list[dict[str, Any]], described: dict[str, Any]
) -> None:
    try:
        made = use(tmp_path, described, distil_schemas({"schemas": found}))
    except CodegenError as error:
        assert "\n" not in str(error)
        return
    for one in made.values():
        if isinstance(one, type) and issubclass(one, Model):
            assert one.model_validate({}).to_wire() == {}


def test_a_chain_of_names_that_doubles_at_each_link_ends(tmp_path: Path) -> None:
    chain = {
        f"L{n}": {"oneOf": [{"type": "array", "items": {"$ref": f"#/components/schemas/L{n + 1}"}},
                            {"type": "object", "additionalProperties": {"$ref": f"#/components/schemas/L{n + 1}"}}]}
        for n in range(60)
    }  # fmt: skip
    use(tmp_path, chain | {"L60": {"type": "string"}})


def test_a_name_that_python_has_a_use_for_is_kept_on_the_wire(tmp_path: Path) -> None:
    wires = [
        "from",
        "class",
        "schema",
        "json",
        "list",
        "_id",
        "$ref",
        "x-kind",
        "1st",
        "displayURL",
        "foo_bar",
        "fooBar",
        "é",
    ]
    made = use(tmp_path, {"Odd": {"type": "object", "properties": {wire: {"type": "string"} for wire in wires}}})
    row = {wire: wire for wire in wires}

    odd = made["Odd"].model_validate(row)

    assert odd.to_wire() == row
    assert odd.model_extra == {}
    assert odd.from_ == "from"
    assert odd.display_url == "displayURL"
    assert (odd.foo_bar, odd.foo_bar_) == ("foo_bar", "fooBar")


def test_variants_that_nothing_tells_apart_are_plain_json(tmp_path: Path) -> None:
    variant = {"type": "object", "properties": {"a": {"type": "string"}}}
    union = {"oneOf": [{"$ref": "#/components/schemas/One"}, {"$ref": "#/components/schemas/Two"}]}
    made = use(tmp_path, {"One": variant, "Two": variant, "Holder": {"type": "object", "properties": {"part": union}}})

    assert made["Holder"].model_validate({"part": {"b": 1}}).part == {"b": 1}


@pytest.mark.parametrize(
    ("fragment", "fault"),
    [
        ({"A": {"$ref": "#/components/schemas/Missing"}}, "A.: refers to component 'Missing', which is not described"),
        ({"A": {"type": "object", "properties": {"b": {"$ref": "other.json#/B"}}}}, "A.b: $ref 'other.json#/B'"),
        ({"A": {"type": "object", "properties": []}}, "A: properties must be an object, not list"),
        ({"A": {"type": "tuple"}}, "A: unknown type 'tuple'"),
        ({"A": {"enum": []}}, "A: enum must be a list that is not empty"),
        ({"A": {"enum": [1, 2]}}, "A: enum of something else than text"),
        ({"A": {"oneOf": "B"}}, "A: oneOf must be a list"),
        ({"A": {"allOf": [{}, {}]}}, "A: allOf of several schemas"),
        ({"A": []}, "A: a schema must be an object, not list"),
        ({"A\ud800": {}}, "holds half a character"),
    ],
)  # fmt: skip
def test_a_fault_is_named(tmp_path: Path, fragment: dict[str, Any], fault: str) -> None:
    with pytest.raises(CodegenError) as refused:
        use(tmp_path, fragment)
    assert fault in str(refused.value)


def test_a_description_that_is_nested_without_end_is_refused() -> None:
    shape: dict[str, Any] = {"type": "string"}
    for _ in range(5000):
        shape = {"oneOf": [shape]}
    with pytest.raises(CodegenError, match="nested more than"):
        distil_openapi(described({"Deep": shape}))


CONSTANT = {
    "klass": "a.B",
    "singular": "b",
    "plural": "bs",
    "displayName": "B",
    "order": 1,
    "authorities": [],
    "properties": [],
}


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ({}, "it has no list 'schemas'"),
        ({"schemas": {}}, "it has no list 'schemas'"),
        ({"schemas": [None]}, "schemas[0]: must be an object, not NoneType"),
        ({"schemas": [{"klass": "a.B"}]}, "schemas[0]: 'singular' is missing, empty or is no str"),
        ({"schemas": [CONSTANT, CONSTANT]}, "the class 'a.B' is described twice"),
        ({"schemas": [CONSTANT | {"plural": "b\ud800"}]}, "holds half a character"),
        ({"schemas": [CONSTANT | {"constants": []}]}, "'constants' is no list of texts"),
    ],
)
def test_what_is_no_answer_of_the_schemas_endpoint_is_refused(answer: dict[str, Any], fault: str) -> None:
    with pytest.raises(CodegenError) as refused:
        distil_schemas(answer)
    assert fault in str(refused.value)


def test_a_property_without_a_type_is_named() -> None:
    answer = facts.expand(read("v42", "schemas"))
    del answer["schemas"][3]["properties"][0]["propertyType"]
    with pytest.raises(CodegenError, match=r"properties\[0\]: 'propertyType' is missing"):
        distil_schemas(answer)


def test_a_type_of_tomorrow_is_read_as_any_json(tmp_path: Path) -> None:
    answer = json.loads(json.dumps(facts.expand(read("v42", "schemas"))))
    answer["schemas"] = [s for s in answer["schemas"] if s["singular"] == "constant"]
    answer["schemas"][0]["properties"][0]["propertyType"] = "HOLOGRAM"

    made = use(tmp_path, {}, distil_schemas(answer))

    assert made["Constant"].model_validate({"value": 1}).value == 1


@given(st.lists(NAMES, unique=True, max_size=12))
def test_attributes_are_unique_and_never_the_key_of_another_field(wires: list[str]) -> None:
    made = names.attributes(wires)

    assert len({*made.values()}) == len(wires)
    assert all(attribute.isidentifier() for attribute in made.values())
    assert not any(made[wire] == other for wire in wires for other in wires if other != wire)


@pytest.mark.parametrize("wire", ["valueType", "id", "displayFormName", "organisationUnits", "id2", "a"])
def test_camel_and_snake_are_inverse_for_the_names_of_dhis2(wire: str) -> None:
    assert camel(snake(wire)) == wire
