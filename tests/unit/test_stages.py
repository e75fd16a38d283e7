"""Every stage and every sink, as one would use them."""

from __future__ import annotations

import base64
import csv
import json
from pathlib import Path
from typing import Any

import pytest

from dhis2sh.errors import Dhis2Error, PipelineError
from dhis2sh.rows.formats import frame_of
from dhis2sh.rows.rows import Rows, Text
from dhis2sh.show import offer

offer()

ELEMENTS: list[dict[str, Any]] = [
    {"id": "a", "name": "ANC 1", "valueType": "NUMBER", "value": 3, "categoryCombo": {"name": "default"}},
    {"id": "b", "name": "ANC 2", "valueType": "NUMBER", "value": "5", "categoryCombo": {"name": "Gender"}},
    {"id": "c", "name": "Note", "valueType": "TEXT", "value": None},
]


@pytest.fixture
def rows() -> Any:
    return Rows([dict(row) for row in ELEMENTS])


def ids(rows: Any) -> str:
    return "".join(row["id"] for row in rows.plain())


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        ("valueType == 'NUMBER'", "ab"),
        ("name.startswith('ANC') and id != 'a'", "b"),
        ("categoryCombo.name == 'default'", "a"),
        ("value is None", "c"),
        ("int(value) > 3", "b"),
        ("categoryCombo is None", "c"),
    ],
)
def test_where(rows: Any, condition: str, kept: str):
    assert ids(rows.where(condition)) == kept


def test_a_missing_field_says_what_was_meant(rows: Any):
    for stage in (rows.where, rows.select, rows.drop, rows.explode, rows.count, rows.sort):
        with pytest.raises(PipelineError, match="`valueTyp` is missing in 3 of 3 rows") as caught:
            stage("valueTyp")
        assert "valueType" in str(caught.value.hint)


def test_select_drop_rename_derive(rows: Any):
    assert rows.select("name", combo="categoryCombo.name").plain()[1:] == [
        {"name": "ANC 2", "combo": "Gender"}, {"name": "Note", "combo": None},
    ]  # fmt: skip
    assert rows.drop("value", "categoryCombo").columns == ("id", "name", "valueType")
    assert rows.rename(label="name").columns == ("id", "label", "valueType", "value", "categoryCombo")
    assert rows.derive(space="len(name)")[0]["space"] == 5


def test_sort_puts_nulls_last_either_way():
    rows: Any = Rows([{"id": "n", "level": None}, {"id": "b", "level": 10}, {"id": "a", "level": 2}])
    assert ids(rows.sort("level")) == "abn"
    assert ids(rows.sort("-level")) == "ban"
    assert ids(rows.sort("level", reverse=True)) == "ban"
    assert ids(rows.sort("-level", reverse=True)) == "abn"


def test_sort_by_two_fields(rows: Any):
    assert ids(rows.sort("-valueType", "-name")) == "cba"


def test_head_tail_sample(rows: Any):
    assert ids(rows.head(2)) == "ab"
    assert ids(rows.tail(2)) == "bc"
    assert len(rows.tail(0)) == 0
    assert rows.sample(2, seed=1) == rows.sample(2, seed=1)
    assert len(rows.sample(99)) == 3


def test_uniq_group_count(rows: Any):
    assert ids(rows.uniq("valueType")) == "ac"
    assert len(Rows([*rows, *rows]).uniq()) == 3  # type: ignore[arg-type]
    assert rows.group("valueType").plain() == [{"valueType": "NUMBER", "n": 2}, {"valueType": "TEXT", "n": 1}]
    assert rows.group("valueType", total="sum(value)", most="max(value)", n="count(value)").plain() == [
        {"valueType": "NUMBER", "total": 8, "most": 5, "n": 2},
        {"valueType": "TEXT", "total": None, "most": None, "n": 0},
    ]
    assert rows.count() == 3
    assert rows.count("valueType").plain() == [{"valueType": "NUMBER", "count": 2}, {"valueType": "TEXT", "count": 1}]
    with pytest.raises(PipelineError, match="is no measure"):
        rows.group("valueType", n="suum(value)")


def test_sum_and_stats(rows: Any):
    assert rows.sum("value") == 8
    found = rows.stats("value")[0]
    assert (found["count"], found["mean"], found["min"], found["max"]) == (2, 4, 3, 5)
    with pytest.raises(PipelineError, match="'ANC 1' is not a number"):
        rows.sum("name")
    assert rows.tail(1).stats("value").plain() == [{"field": "value", "count": 0}]


@pytest.mark.parametrize("on", ["id", "'id'"])
def test_join(rows: Any, on: str):
    other = Rows([{"id": "a", "owner": "Kim"}, {"owner": "nobody"}])
    assert [row.get("owner") for row in rows.join(other, on=on)] == ["Kim", None, None]
    assert ids(rows.join(other, on=on, how="inner")) == "a"
    with pytest.raises(PipelineError, match="is not rows"):
        rows.join("nothing")


def test_rows_without_the_key_are_joined_with_nothing():
    left: Any = Rows([{"id": "a"}, {"name": "no id"}])
    assert "owner" not in left.join(Rows([{"owner": "nobody"}]))[1]


def test_explode_and_get(rows: Any):
    sets: Any = Rows([{"id": "s", "elements": ["a", "b"]}, {"id": "t", "elements": None}])
    assert [row["elements"] for row in sets.explode("elements")] == ["a", "b", None]
    assert rows.get(0)["id"] == rows.get("-3")["id"] == "a"
    assert rows.get("categoryCombo.name") == ["default", "Gender", None]
    with pytest.raises(PipelineError, match="no row 9"):
        rows.get(9)


def test_rows_go_through_any_function(rows: Any):
    assert (rows | len) == 3
    assert (rows | (lambda found: found.where("id == 'a'")) | len) == 1
    with pytest.raises(AttributeError, match="no attribute or stage"):
        _ = rows.nope


def test_texts(rows: Any, tmp_path: Path):
    import yaml

    few = rows.select("id", "value")
    assert json.loads(str(few.json())) == few.plain()
    assert [json.loads(line) for line in str(few.ndjson()).splitlines()] == few.plain()
    assert str(few.csv()) == "id,value\na,3\nb,5\nc,\n"
    assert str(few.tsv()) == "id\tvalue\na\t3\nb\t5\nc\t\n"
    assert yaml.safe_load(str(few.yaml())) == few.plain()
    assert str(Rows([{"a": "x|y"}]).md()) == "| a |\n| --- |\n| x\\|y |"
    for name in ("json", "ndjson", "csv", "tsv", "yaml", "md"):
        target = tmp_path / f"rows.{name}"
        assert str(getattr(few, name)(str(target))).startswith(str(target))
        assert target.read_text().rstrip("\n") == str(getattr(few, name)()).rstrip("\n")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx"])
def test_safe_csv_has_no_formulas(text: str, tmp_path: Path):
    rows: Any = Rows([{"=n": text, "value": -5}])
    target = tmp_path / "rows.csv"
    rows.csv(str(target), safe=True)
    with target.open(newline="") as file:
        assert list(csv.reader(file)) == [["'=n", "value"], [f"'{text}", "-5"]]
    assert "'" not in str(rows.csv())


def test_frames_and_their_files(rows: Any, tmp_path: Path):
    import pandas
    import polars

    few = rows.select("id", "name")
    assert few.df().to_dict("records") == few.pl().to_dicts() == few.plain()
    few.parquet(str(tmp_path / "rows.parquet"))
    assert polars.read_parquet(tmp_path / "rows.parquet").to_dicts() == few.plain()
    few.xlsx(str(tmp_path / "rows.xlsx"))
    assert polars.read_excel(tmp_path / "rows.xlsx").to_dicts() == few.plain()
    assert list(tmp_path.glob(".*")) == []
    assert isinstance(few.df(), pandas.DataFrame)


@pytest.mark.parametrize("sink", ["xlsx", "parquet"])
def test_a_file_that_cannot_be_written(rows: Any, sink: str, tmp_path: Path):
    with pytest.raises(Dhis2Error, match="cannot be written"):
        getattr(rows.select("id"), sink)(str(tmp_path / "no" / "such" / "file"))


def test_map():
    places: Any = Rows([
        {"name": "A <b>", "geometry": {"type": "Point", "coordinates": [1, 2]}},
        {"name": "B", "geometry": {"type": "Polygon", "coordinates": [[[0, 0], [0, 4], [4, 4], [0, 0]]]}},
        {"name": "C"},
    ])  # fmt: skip
    drawing = places.map()
    assert repr(drawing).endswith("1 area and 1 point; 1 without a geometry")
    assert "A &lt;b&gt;" in drawing._repr_html_()


def test_clip_and_len(rows: Any):
    copied = rows.select("id").clip()
    assert isinstance(copied, Text)
    data = copied.text.removeprefix("\x1b]52;c;").partition("\x07")[0]
    assert base64.b64decode(data).decode() == "id\na\nb\nc\n"
    assert rows.len() == 3


@pytest.mark.parametrize(
    "values",
    [
        [1, None, 2], ["a", None], [True, None], [1.5, None], [None, None], [1, 2.5], [1, "x"], [True, 1], [2**63], [2**70],
        [float("nan"), 1.0], [{"x": 1}], [[1], None],
    ],
)  # fmt: skip
def test_a_frame_made_column_by_column_is_the_one_made_of_rows(values: list[Any]):
    polars = pytest.importorskip("polars")
    items = [{"id": str(at), "value": value} for at, value in enumerate(values)]
    whole = polars.DataFrame(items, infer_schema_length=None, strict=False)
    frame = frame_of(items, ["id", "value"])
    assert frame.schema == whole.schema
    assert frame.equals(whole)


def test_a_sum_of_whole_texts_is_whole():
    """Data values are texts: a sum of counts is written as a count."""
    values = Rows(
        [
            {"ou": "A", "pe": "1", "value": "3"},
            {"ou": "A", "pe": "1", "value": "-1"},
            {"ou": "A", "pe": "2", "value": "1.5"},
        ]
    )
    assert repr(values.pivot("ou", "pe", "sum(value)").plain()) == "[{'ou': 'A', '1': 2, '2': 1.5}]"
    assert repr(values.where("pe == '1'").sum("value")) == "2"
