"""Each field that was asked for is a column with its value, in every format; `-o name`, `-o wide`; what a terminal shows."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from dhis2sh.dhis2.fields import parse_fields, written
from dhis2sh.errors import PipelineError, UsageError
from dhis2sh.models import facts
from dhis2sh.rows.formats import BINARY
from dhis2sh.rows.rows import Rows, Text
from dhis2sh.session import Session
from dhis2sh.show import render
from dhis2sh.surfaces import output
from dhis2sh.verbs.options import ENDINGS, Options
from dhis2sh.verbs.registry import find
from dhis2sh.verbs.run import run

UNITS = facts.types("v42")["organisationUnits"]


@pytest.mark.parametrize(
    ("fields", "columns"),
    [
        ("id,name", ["id", "name"]),
        ("id, parent[id,name] ,level", ["id", "parent", "level"]),
        ("parent.name,id", ["parent", "id"]),
        ("id,children~size", ["id", "children"]),
        ("id,children::size", ["id", "children"]),
        ("name~rename(label)", ["label"]),
        ("children~pluck(name)", ["children"]),
        ("id,name,!name", ["id"]),
        (":identifiable", ["id", "displayName", "name", "code", "created", "lastUpdated", "lastUpdatedBy"]),
        (":identifiable,!code,parent", ["parent", "id", "displayName", "name", "created", "lastUpdated", "lastUpdatedBy"]),
    ],
)  # fmt: skip
def test_t12_the_columns_of_fields(fields: str, columns: list[str]):
    found = parse_fields(fields).columns(UNITS.properties)
    assert sorted(found) == sorted(columns)
    assert found[0] == columns[0]


@pytest.mark.parametrize("fields", ["*", ":all", ":owner"])
def test_t12_presets_have_the_columns_of_the_type_and_those_that_came(fields: str):
    found = parse_fields(fields).columns(UNITS.properties, ["id", "somethingNew"])
    assert found[0] == "id"
    assert {"code", "openingDate", "geometry", "somethingNew"} <= set(found)
    assert "id" not in parse_fields(f"{fields},!id").columns(UNITS.properties)


def test_paths_are_written_as_fields():
    assert written(["id", "parent.name", "parent.parent.code"]) == ["id", "parent[name,parent[code]]"]
    assert written(["parent", "parent.name"], {"parent"}) == ["parent[id,name]"]
    assert written(["style", "style.icon"], {"style"}, {"style"}) == ["style[:owner,icon]"]


async def listed(session: Session, fields: str) -> Rows[Any]:
    rows = await run(session, find("metadata list"), {"type": "organisationUnits", "fields": fields, "order": ["name"]})
    assert isinstance(rows, Rows)
    return rows


FIELDS = "id,name~rename(label),level,parent[id,name],children[id,name],code,ancestors~size"
HEADER = ["id", "label", "level", "parent.id", "parent.name", "children", "code", "ancestors"]


def _read(name: str, path: Path) -> list[dict[str, Any]]:
    import polars

    match name:
        case "json":
            return json.loads(path.read_text())
        case "ndjson":
            return [json.loads(line) for line in path.read_text().splitlines()]
        case "yaml":
            return yaml.safe_load(path.read_text())
        case "csv" | "tsv":
            return list(csv.DictReader(io.StringIO(path.read_text()), delimiter="\t" if name == "tsv" else ","))
        case "md":
            head, _, *lines = (line.strip("| ").split(" | ") for line in path.read_text().splitlines())
            return [dict(zip(head, (line + [""] * 9)[: len(head)], strict=True)) for line in lines]
        case _:
            reads = {"xlsx": polars.read_excel, "parquet": polars.read_parquet, "arrow": polars.read_ipc}
            return reads[name](path).to_dicts()


@pytest.mark.parametrize("name", [name for name in ENDINGS if name != "geojson"])
async def test_t12_every_field_in_every_format(session: Session, name: str, tmp_path: Path):
    rows = await listed(session, FIELDS)
    path = tmp_path / f"rows.{name}"
    output.write(rows, Options({"out": path}))
    bo = next(row for row in _read(name, path) if row["label"] == "Bo")
    assert str(bo["level"]) == "2"
    assert str(bo["ancestors"]) == "1"
    facilities = [{"id": "ouFacility1", "name": "Ngele CHC"}]
    if name in {"json", "ndjson", "yaml"}:
        assert bo["parent"] == {"id": "ouCountry01", "name": "Country"}
        assert bo["children"] == facilities
    else:
        assert list(bo) == HEADER
        assert (bo["parent.id"], bo["parent.name"]) == ("ouCountry01", "Country")
        assert (bo["children"] if name in {"parquet", "arrow"} else json.loads(bo["children"])) == facilities


async def test_t12_frames_and_pages_have_every_field_too(session: Session):
    rows = await listed(session, FIELDS)
    for frame in (rows.df(), rows.pl()):
        assert list(frame.columns) == HEADER
        assert "Country" in list(frame["parent.name"])
    page = render.html(rows)
    assert "<th>parent.id</th>" in page
    assert "Ngele CHC ouFacility1" in page or "ouFacility1 Ngele CHC" in page


async def test_t12_fields_question_mark_lists_the_fields(session: Session):
    rows = await listed(session, "?")
    named = {row["field"]: row for row in rows.plain()}
    assert named["parent"]["references"] == "organisationUnits"
    assert ":owner" in named["code"]["presets"]


async def test_u17_names_are_bare_uids(session: Session, capsys: pytest.CaptureFixture[str]):
    output.write(await listed(session, "id,name"), Options({"format": "name"}))
    assert capsys.readouterr().out.splitlines() == ["ouDistrict1", "ouCountry01", "ouDistrict2", "ouFacility1"]
    with pytest.raises(PipelineError, match="no UIDs"):
        output.write(await listed(session, "name"), Options({"format": "name"}))


async def test_u17_wide_and_u18_tables(session: Session, capsys: pytest.CaptureFixture[str]):
    """A table leaves out what is empty and nobody asked for, and numbers stand below each other."""
    rows = await listed(session, ":owner")
    short = render.text(rows, width=0)
    assert "phoneNumber" not in short
    output.write(rows, Options({"format": "wide"}))
    assert "phoneNumber" in capsys.readouterr().out
    asked = render.text(await listed(session, "name,phoneNumber,level"), width=80)
    assert asked.splitlines()[:2] == ["name       phoneNumber  level", "Bo                          2"]


HOSTILE = "Bo\x1b]0;owned\x07\x9b31m\u202e"


@pytest.mark.parametrize("name", ["json", "ndjson", "csv", "tsv", "yaml", "md", "name", "wide", "table"])
def test_a_terminal_shows_what_others_wrote_and_files_have_it(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    rows = Rows([{"id": HOSTILE, HOSTILE: 1}])
    output.write(rows, Options({"format": name}))
    raw = capsys.readouterr().out
    assert name in {"table", "wide"} or "\u202e" in raw or "\\u202e" in raw.lower()
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    output.write(rows, Options({"format": name}))
    shown = capsys.readouterr().out
    assert not set(shown) & {"\x1b", "\x07", "\x9b", "\u202e"}
    if name == "json":
        assert json.loads(shown) == json.loads(raw)
    if name not in {"table", "wide", "name"}:
        text = getattr(rows, name)()
        assert isinstance(text, Text)
        assert not set(render.text(text)) & {"\x1b", "\x07", "\x9b", "\u202e"}


def test_t19_a_locale_asks_for_the_translation():
    from dhis2sh.metadata.queries import language

    assert language(None, "fr") == {"translate": True, "locale": "fr"}
    assert language(None, None) == {"translate": None, "locale": None}
    with pytest.raises(UsageError):
        language(False, "fr")


@pytest.mark.parametrize("verb", ["list", "get"])
async def test_t19_list_and_get_ask_for_it(session: Session, verb: str):
    given = {"type": "organisationUnits", "locale": "fr"} | ({"uid": "ouDistrict1"} if verb == "get" else {})
    await run(session, find(f"metadata {verb}"), given)
    assert "translate=true&locale=fr" in session.client.transport.sent[-1]


@pytest.mark.parametrize("name", ["csv", "tsv", "xlsx"])
def test_safe_keeps_texts_from_being_formulas(name: str, tmp_path: Path):
    """Files have what the server has; with --safe a spreadsheet takes no text of it for a formula."""
    rows = Rows([{"name": "=HYPERLINK(1)", "n": -4}, {"name": "@x", "n": 1}])
    for safe, names in ((False, ["=HYPERLINK(1)", "@x"]), (True, ["'=HYPERLINK(1)", "'@x"])):
        path = tmp_path / f"{safe}.{name}"
        output.write(rows, Options({"out": path, "safe": safe}))
        assert [row["name"] for row in _read(name, path)] == names
        assert [str(row["n"]) for row in _read(name, path)] == ["-4", "1"]


@pytest.mark.parametrize("kind", ["bar", "line"])
def test_u14_a_chart_is_no_empty_box(kind: str):
    pytest.importorskip("plotext")
    drawn = Rows([{"name": "Bo", "n": 2}, {"name": "Kono", "n": 5}]).chart("name", "n", kind=kind)
    inside = repr(drawn).translate(dict.fromkeys(map(ord, "┌─┐│└┘┬┤ \n0123456789.BoKon"), None))
    assert inside
    assert "\x1b" not in repr(drawn)


def test_binary_formats_want_a_file():
    for name in BINARY:
        with pytest.raises(UsageError, match="wants a file"):
            output.check(Options({"format": name}))
