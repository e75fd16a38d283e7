"""The generated classes as a user has them: lazy, tolerant, loss-free."""

import importlib
import inspect
import json
import pickle
import subprocess
import sys
import threading
from typing import Any

import jedi
import pytest
from dhis2_models import v40, v42, v44
from fastmcp import Client, FastMCP
from pydantic import BaseModel, TypeAdapter

from codegen.build import GENERATED
from dhis2sh.models import base, facts
from dhis2sh.models.base import Model, OpenEnum, Reference
from dhis2sh.rows.rows import Rows, to_json
from dhis2sh.types import JsonObject

ELEMENT = {
    "id": "s46m5MS0hxu",
    "name": "BCG doses given",
    "valueType": "NUMBER",
    "categoryCombo": {"id": "dzjKKQq0cSO"},
    "sharing": {"public": "rw------", "users": {}, "userGroups": {"a": {"access": "rw", "id": "a"}}},
    "attributeValues": [{"value": "1", "attribute": {"id": "ihn1wb9eho8"}}],
    "aggregationLevels": [],
}


def loaded_by(code: str, of: str = "dhis2_models.v") -> set[str]:
    """The modules whose names begin so that a fresh interpreter has after some code."""
    shown = f"import sys, json; print(json.dumps([m for m in sys.modules if m.startswith({of!r})]))"
    done = subprocess.run([sys.executable, "-c", f"{code}\n{shown}"], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def without_null(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_null(item) for key, item in value.items() if item is not None}
    return [without_null(item) for item in value] if isinstance(value, list) else value


def test_importing_a_model_imports_no_other() -> None:
    assert loaded_by("from dhis2_models.v42 import DataElement") == {
        "dhis2_models.v42",
        "dhis2_models.v42.data_element",
    }


def test_using_a_model_loads_nothing_else_of_ours() -> None:
    used = loaded_by("from dhis2_models.v42 import DataElement; DataElement(name='a').to_wire()", "dhis2sh")

    assert used == {"dhis2sh", "dhis2sh.models", "dhis2sh.models.base", "dhis2sh.models.lazy"}


def test_the_facts_load_no_library() -> None:
    code = "from dhis2sh.models import facts; facts.resources('v42')['dataElements']"

    assert loaded_by(code, "dhis2sh") == {"dhis2sh", "dhis2sh.models", "dhis2sh.models.facts", "dhis2sh.types"}
    assert loaded_by(code, "pydantic") == set()


def test_the_first_use_imports_only_what_the_fields_name() -> None:
    used = loaded_by("from dhis2_models.v42 import DataElement; DataElement(name='a')")

    assert used == {f"dhis2_models.v42{tail}" for tail in (
        "", ".data_element", ".enums", ".components", ".components.common", ".components.a_", ".components.data",
        ".components.file", ".components.user",
    )}  # fmt: skip


def test_the_facts_import_no_model() -> None:
    assert loaded_by("from dhis2sh.models import facts; facts.resources('v42')['dataElements']") == set()


def test_a_model_is_built_on_first_use_with_those_it_holds() -> None:
    code = (
        "from dhis2_models.v42 import DataElement, DataSet, Sharing\n"
        "assert not DataElement.__pydantic_complete__\n"
        "DataElement(name='a')\n"
        "assert DataElement.__pydantic_complete__ and Sharing.__pydantic_complete__ and not DataSet.__pydantic_complete__"
    )
    assert "dhis2_models.v42.data_set" in loaded_by(code)


def test_what_was_read_is_written_again() -> None:
    element = v42.DataElement.model_validate(ELEMENT)

    assert element.model_dump(by_alias=True, exclude_unset=True) == ELEMENT
    assert element.to_wire() == ELEMENT
    assert element.value_type is v42.ValueType.NUMBER
    assert element.category_combo == Reference(id="dzjKKQq0cSO")
    assert element.sharing.user_groups["a"].access == "rw"


@pytest.mark.parametrize("version", facts.VERSIONS)
@pytest.mark.parametrize("favourite", ["Visualization", "EventVisualization", "MapView"])
def test_a_favourite_may_be_cut_by_groups_and_options(version: str, favourite: str) -> None:
    """The schemas call these lists REFERENCE."""
    row: JsonObject = {
        "categoryDimensions": [{"category": {"id": "a"}, "categoryOptions": [{"id": "b"}, {"id": "c"}]}],
        "organisationUnitGroupSetDimensions": [
            {"organisationUnitGroupSet": {"id": "a"}, "organisationUnitGroups": [{"id": "b"}]}
        ],
    }

    assert base.load(version, favourite).model_validate(row).to_wire() == row


def test_plain_values_have_the_type_of_the_wire_where_the_schema_says_text() -> None:
    attribute = {"categoryAttribute": True, "objectTypes": ["CATEGORY"]}

    assert v40.Attribute.model_validate(attribute).to_wire() == attribute
    assert v42.ValidationResult.model_validate({"id": 5250}).id == 5250
    assert facts.types("v40")["attributes"].properties["objectTypes"].kind == "COLLECTION"


def test_attributes_and_wire_names_both_make_an_object() -> None:
    by_attribute = v42.DataElement(value_type="TEXT", zero_is_significant=True)

    assert by_attribute == v42.DataElement.model_validate({"valueType": "TEXT", "zeroIsSignificant": True})
    assert by_attribute.to_wire() == {"valueType": "TEXT", "zeroIsSignificant": True}


def test_a_key_of_a_newer_server_is_kept() -> None:
    element = v42.DataElement.model_validate({"id": "a", "hologram": {"x": 1}})

    assert element.model_extra == {"hologram": {"x": 1}}
    assert element.to_wire() == {"id": "a", "hologram": {"x": 1}}


def test_a_constant_of_a_newer_server_is_kept_as_text() -> None:
    element = v42.DataElement.model_validate({"valueType": "HOLOGRAM"})

    assert element.value_type == "HOLOGRAM"
    assert isinstance(element.value_type, v42.ValueType)
    assert not element.value_type.known
    assert v42.ValueType.TEXT.known
    assert element.to_wire() == {"valueType": "HOLOGRAM"}
    assert pickle.loads(pickle.dumps(element)) == element
    with pytest.raises(ValueError, match="valueType"):
        v42.DataElement.model_validate({"valueType": 7})


def test_a_number_stays_what_it_was() -> None:
    rows: list[dict[str, Any]] = [{"value": 1}, {"value": 1.5}, {"value": 0.0}]

    assert [json.dumps(v42.Constant.model_validate(row).to_wire()) for row in rows] == [json.dumps(row) for row in rows]


def test_repr_shows_what_was_set() -> None:
    assert repr(v42.DataElement(name="BCG", value_type="NUMBER")) == (
        "DataElement(name='BCG', value_type=<ValueType.NUMBER: 'NUMBER'>)"
    )


def test_rows_of_models_show_and_print_what_was_set() -> None:
    rows = Rows(
        [v42.DataElement(id="a", value_type="TEXT"), v42.DataElement.model_validate({"id": "b", "hologram": 1})]
    )

    assert rows.columns == ("id", "valueType", "hologram")
    assert to_json(rows) == [{"id": "a", "valueType": "TEXT"}, {"id": "b", "hologram": 1}]


def test_pickling_keeps_a_model_a_reference_and_an_enum() -> None:
    for value in (
        v42.DataElement.model_validate(ELEMENT),
        Reference(id="a"),
        v42.ValueType.TEXT,
        v42.DataElementPropertyNames("id"),
    ):
        assert pickle.loads(pickle.dumps(value)) == value


def test_the_json_schema_has_wire_names_and_open_enums() -> None:
    schema = v42.DataElement.model_json_schema()

    assert "valueType" in schema["properties"]
    assert "value_type" not in schema["properties"]
    assert {"type": "string"} in schema["$defs"]["ValueType"]["anyOf"]
    assert "required" not in schema


def test_a_reference_that_was_asked_for_with_more_fields_can_be_read_as_its_model() -> None:
    data_set = v42.DataSet.model_validate({"id": "a", "categoryCombo": {"id": "c", "categories": [{"id": "d"}]}})

    assert data_set.category_combo.read_as(v42.CategoryCombo).categories == [Reference(id="d")]


@pytest.mark.parametrize(
    ("scheme", "model"),
    [
        ({"type": "http-basic", "username": "a", "password": "b"}, "HttpBasicAuthScheme"),
        ({"type": "api-token", "token": "t"}, "ApiTokenAuthScheme"),
        ({"type": "api-headers", "headers": {"a": "b"}}, "ApiHeadersAuthScheme"),
        ({"type": "api-query-params", "queryParams": {"a": "b"}}, "ApiQueryParamsAuthScheme"),
        ({"type": "oauth2-client-credentials", "clientId": "a"}, "OAuth2ClientCredentialsAuthScheme"),
    ],
)
def test_a_variant_is_told_by_its_tag(scheme: dict[str, Any], model: str) -> None:
    route = v42.Route.model_validate({"auth": scheme})

    assert type(route.auth) is getattr(v42, model)
    assert route.to_wire() == {"auth": scheme}


def test_the_tag_is_sent_though_nobody_set_it() -> None:
    route = v42.Route(auth=v42.ApiTokenAuthScheme(token="t"))

    assert route.to_wire() == {"auth": {"type": "api-token", "token": "t"}}


@pytest.mark.parametrize("scheme", [{"type": "quantum-key", "spin": "up"}, {"token": "t"}])
def test_a_variant_of_a_newer_server_stays_plain(scheme: dict[str, Any]) -> None:
    assert v42.Route.model_validate({"auth": scheme}).to_wire() == {"auth": scheme}


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("from dhis2_models.v42 import DataEl", "DataElement"),
        ("from dhis2_models.v42 import DataElement; DataElement().val", "value_type"),
        ("from dhis2_models.v42 import DataElement; DataElement().sharing.user", "user_groups"),
        ("from dhis2_models.v42 import ValueType; ValueType.TE", "TEXT"),
        ("from dhis2_models.v42 import Reference; Reference().disp", "display_name"),
    ],
)
def test_an_editor_completes_without_running_anything(line: str, name: str) -> None:
    script = jedi.Script(line, project=jedi.Project(GENERATED.parent))

    assert name in [found.name for found in script.complete()]


async def test_a_list_of_models_is_what_an_mcp_tool_can_return() -> None:
    server = FastMCP("models")

    @server.tool
    def elements() -> list[v42.DataElement]:
        return [v42.DataElement.model_validate(ELEMENT), v42.DataElement.model_validate({"valueType": "HOLOGRAM"})]

    async with Client(server) as client:
        answer = await client.call_tool("elements", {})
        listed = await client.list_tools()

    found = answer.structured_content["result"]
    assert without_null(found) == [ELEMENT, {"valueType": "HOLOGRAM"}]
    assert listed[0].output_schema["properties"]["result"]["type"] == "array"


def test_a_model_of_one_s_own_can_hold_a_generated_one() -> None:
    class Mine(BaseModel):
        unit: v42.OrganisationUnit
        groups: list[v42.OrganisationUnitGroup] = []

    assert Mine(unit={"openingDate": "2000-01-01"}).unit.opening_date == "2000-01-01"
    assert TypeAdapter(dict[str, v44.Program]).validate_python({"a": {"id": "b"}})["a"].id == "b"


def test_a_subclass_of_one_s_own_works() -> None:
    class Mine(v42.Indicator):
        note: "str | None" = None
        twin: "Mine | None" = None

    mine = Mine.model_validate({"displayNumeratorDescription": "a", "note": "b", "twin": {"note": "c"}})
    assert (mine.display_numerator_description, mine.twin.note) == ("a", "c")


def test_two_threads_may_use_a_model_first() -> None:
    code = (
        "import threading\n"
        "from dhis2_models.v42 import Program, ProgramStage, Dashboard, DashboardItem, Map\n"
        "found = []\n"
        "def use():\n"
        "    for model in (Program, ProgramStage, Dashboard, DashboardItem, Map): found.append(model(name='a'))\n"
        "threads = [threading.Thread(target=use) for _ in range(8)]\n"
        "for t in threads: t.start()\n"
        "for t in threads: t.join()\n"
        "assert len(found) == 40, len(found)"
    )
    assert "dhis2_models.v42.program" in loaded_by(code)
    assert threading.active_count() >= 1


@pytest.mark.parametrize("version", facts.VERSIONS)
def test_every_class_can_be_built_and_is_where_it_says(version: str) -> None:
    package = importlib.import_module(f"dhis2_models.{version}")
    for name in dir(package):
        found = getattr(package, name)
        if inspect.isclass(found) and issubclass(found, (Model, OpenEnum)):
            assert getattr(importlib.import_module(found.__module__), name) is found
        if inspect.isclass(found) and issubclass(found, Model):
            found.model_rebuild()
            assert found.model_validate({}).to_wire() in ({}, found().to_wire())


def test_versions_differ_in_data() -> None:
    assert "externalAccess" in v40.DataElement.model_json_schema()["properties"]
    assert "favorite" not in v44.DataElement.model_json_schema()["properties"]
    assert v42.Reference is v44.Reference is Reference


def test_a_model_by_name() -> None:
    assert base.load("v42", facts.resources("v42")["dataElements"].model) is v42.DataElement
    with pytest.raises(AttributeError, match="NoSuchModel"):
        base.load("v42", "NoSuchModel")
    with pytest.raises(AttributeError, match="no attribute"):
        v42.NoSuchModel  # noqa: B018


def test_property_names_are_enums_made_on_first_use() -> None:
    names = v42.DataElementPropertyNames

    assert issubclass(names, str)
    assert names.VALUE_TYPE == "valueType"
    assert names is v42.DataElementPropertyNames
