"""`pull`: planned, cut, kept, resumed, and into every kind of file."""

import asyncio
import csv
import errno
import functools
import gzip
import json
import os
import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from dhis2sh.analytics import planning
from dhis2sh.analytics.outputs import folder_of
from dhis2sh.analytics.pieces import Piece, length_of
from dhis2sh.analytics.pull import Pulled, PullPlan
from dhis2sh.analytics.pulling import folder as pulling_folder
from dhis2sh.errors import Dhis2Error, NotFound, Refused, TooLong, Unreachable, UsageError
from dhis2sh.sandbox.areas import open_store
from dhis2sh.sandbox.load import load_file
from dhis2sh.session import Session
from tests.measuring import unmeasured
from tests.metadata.calls import call
from tests.shared import needs_shared, shared

ASKED = ["dx=Visits;Stock;Temperature", "pe=202501..202503", "ou=LEVEL-Clinic"]


@pytest.fixture
async def built(nation_home: Path) -> AsyncIterator[Session]:
    """A session on the nation, whose server says when its analytics tables were built."""
    say_built(nation_home, "2025-06-01T02:00:00.000")
    session = Session("sandbox")
    yield session
    await session.aclose()


def say_built(home: Path, when: str) -> None:
    store = open_store(home / "data" / "sandbox.db")
    with store.writing() as connection:
        connection.execute(
            "INSERT OR REPLACE INTO setting (user, locale, key, value) VALUES ('', '', 'keyLastSuccessfulAnalyticsTablesUpdate', ?)",
            (when,),
        )
    store.close()


@pytest.fixture
def of_unknown_age(nation_home: Path) -> None:
    """The server does not say when its analytics tables were built."""
    store = open_store(nation_home / "data" / "sandbox.db")
    with store.writing() as connection:
        connection.execute("DELETE FROM setting WHERE key = 'keyLastSuccessfulAnalyticsTablesUpdate'")
    store.close()


async def rows(s: Session, *dimensions: str, **more: object) -> list[dict[str, Any]]:
    stream = await call(s, "pull", dimensions=list(dimensions), **more)
    return (await stream.collect()).plain()


def asked(s: Session) -> int:
    """How many requests for numbers were sent."""
    lines = [line for line in s.client.transport.sent if "/api/analytics" in line and "skipData" not in line]
    return len(lines)


async def test_rows_have_names_paths_and_numbers(s: Session):
    (first, *rest) = await rows(s, *ASKED)
    assert first == {
        "dx": "deVisits001", "dxName": "Visits", "pe": "202501", "peName": "January 2025", "ou": "ouClinicA01",
        "ouName": "Clinic A", "ouPath": "/ouNation001/ouNorth0001/ouClinicA01",
        "ouHierarchy": "Nation / North / Clinic A", "value": 30,
    }  # fmt: skip
    query = await call(s, "analytics query", dimensions=ASKED)
    whole = {(row["dx"], row["pe"], row["ou"]): row["value"] for row in (await query.collect()).plain()}
    assert {(row["dx"], row["pe"], row["ou"]): row["value"] for row in [first, *rest]} == whole


async def test_the_plan_is_shown_and_no_number_is_asked_for(s: Session):
    plan = await call(s, "pull", dimensions=ASKED, explain=True)
    assert isinstance(plan, PullPlan)
    assert (plan.cells, plan.requests, plan.kept) == (27, 1, 0)
    assert plan.line().startswith("3 units x 3 periods x 3 items = 27 cells\n1 request, 0 of them kept")
    assert asked(s) == 0


@pytest.mark.parametrize("limit", [100_000, 5_000, 700, 40, 1])
def test_pieces_are_the_whole_and_each_within_the_limit(limit: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(planning, "FEW", 10)
    whole = Piece(
        tuple(f"d{at}" for at in range(7)), tuple(f"p{at}" for at in range(12)), tuple(f"u{at}" for at in range(100))
    )
    found = planning.cut(whole, 7 * 12 * 100, limit)
    cells = [(d, p, u) for piece in found for d in piece.data for p in piece.periods for u in piece.units]
    assert len(cells) == len(set(cells)) == 7 * 12 * 100
    assert max(len(piece.data) * len(piece.periods) * len(piece.units) for piece in found) <= limit


@pytest.mark.parametrize(
    ("data", "periods", "requests"), [(10, 12, 4), (10, 13, 4), (10, 24, 8), (1, 1, 1), (100, 12, 36)]
)
def test_as_many_requests_as_are_under_way_at_once_make_a_year(data: int, periods: int, requests: int):
    """Over a slow link each round of requests costs its latency again: no round has but one of them."""
    whole = Piece(uids(data, "d"), uids(periods, "p"), uids(1_166, "u"))
    pieces = planning.cut(whole, data * periods * 1_166, 100_000, Piece(whole.data, whole.periods, ("LEVEL-4",)))
    assert len(pieces) == requests
    assert max(len(piece.data) * len(piece.periods) for piece in pieces) * 1_166 <= planning.CELLS


def uids(count: int, head: str) -> tuple[str, ...]:
    return tuple(f"{head}{at:010}" for at in range(count))


@pytest.mark.parametrize(
    ("data", "periods", "units", "word"),
    [
        (1, 1, 10_000, "LEVEL-5"),
        (3, 12, 5_000, "LEVEL-5"),
        (1, 1, 3_000, ""),
        (900, 12, 1_000, ""),
        (900, 12, 3, "LEVEL-2"),
        (1, 1, 80_000, "LEVEL-6"),
    ],
)
def test_no_piece_has_an_address_that_no_server_takes(data: int, periods: int, units: int, word: str):
    """Units that a word stands for are asked for by it, and not as ten thousand UIDs."""
    whole = Piece(uids(data, "d"), uids(periods, "p"), uids(units, "u"))
    short = Piece(whole.data, whole.periods, (word,) if word else whole.units)
    pieces = planning.cut(whole, data * periods * units, 50_000, short)
    length = functools.cache(length_of)  # thousands of pieces have the same few items
    for piece in pieces:
        sent = [piece.data, piece.periods, short.units if piece.units == whole.units else piece.units]
        assert sum(map(length, sent)) <= planning.LONGEST
    assert sum(len(piece.data) * len(piece.periods) * len(piece.units) for piece in pieces) == data * periods * units
    assert len({(piece.data[0], piece.periods[0], piece.units[0]) for piece in pieces}) == len(pieces)
    if word and units <= 50_000:
        assert all(piece.units == whole.units for piece in pieces)


@pytest.mark.parametrize("longest", [1_000_000, 80, 50])
async def test_a_question_too_long_for_an_address_is_asked_in_parts(
    s: Session, monkeypatch: pytest.MonkeyPatch, longest: int
):
    """Units, items and months one by one: of a proxy that takes little, what is long is halved."""
    dimensions = ["dx=deVisits001;deStock0001", "pe=202501..202503", "ou=ouClinicA01;ouClinicB01;ouClinicC01"]
    whole = await rows(s, *dimensions)
    query, refused = s.client.analytics.query, 0

    async def short(dimensions: Any, **more: Any) -> Any:
        nonlocal refused
        if sum(map(length_of, dimensions.values())) > longest:
            refused += 1
            raise TooLong("too long", status=414)
        return await query(dimensions, **more)

    monkeypatch.setattr(s.client.analytics, "query", short)
    assert await rows(s, *dimensions, fresh=True) == whole
    asked_by_query = (await (await call(s, "analytics query", dimensions=dimensions)).collect()).plain()
    assert {(row["dx"], row["pe"], row["ou"], row["value"]) for row in asked_by_query} == {
        (row["dx"], row["pe"], row["ou"], row["value"]) for row in whole
    }
    assert bool(refused) == (longest < 1_000)


async def test_a_question_whose_filter_is_too_long_is_refused_with_what_to_do(
    s: Session, monkeypatch: pytest.MonkeyPatch
):
    async def short(*_: Any, **more: Any) -> Any:
        raise TooLong("too long", status=414)

    monkeypatch.setattr(s.client.analytics, "query", short)
    with pytest.raises(TooLong) as told:
        await rows(s, "dx=deVisits001", "pe=202501", filter=["ou=ouClinicA01;ouClinicB01;ouClinicC01"])
    assert "OU_GROUP-NAME" in str(told.value.hint)


def test_what_is_a_filter_is_not_cut():
    assert planning.cut(Piece((), ("p1", "p2"), ()), 2, 1) == [Piece((), ("p1",), ()), Piece((), ("p2",), ())]


async def test_what_was_asked_for_before_is_not_asked_for_again(built: Session, nation_home: Path):
    first = await rows(built, *ASKED)
    assert asked(built) == 1
    assert await rows(built, *ASKED) == first
    assert asked(built) == 1
    assert (await call(built, "pull", dimensions=ASKED, explain=True)).kept == 1
    await rows(built, *ASKED, fresh=True)
    assert asked(built) == 2
    say_built(nation_home, "2025-06-02T02:00:00.000")
    await rows(built, *ASKED)
    assert asked(built) == 3, "the tables are others"


async def test_a_changed_formula_is_another_question(built: Session, nation_home: Path):
    dimensions = ["dx=Share of women", "pe=202501", "ou=LEVEL-Clinic"]
    await rows(built, *dimensions)
    (indicator,) = (
        await built.client.list_page("indicators", {"filter": "name:eq:Share of women", "fields": ":owner"})
    ).rows
    await built.client.put(f"indicators/{indicator['id']}", {**indicator, "numerator": "1", "description": "one"})
    again = await rows(built, *dimensions)
    assert asked(built) == 2
    assert all(row["value"] != 66.67 for row in again)


async def made(s: Session, plural: str, **body: object) -> str:
    """A new object's UID."""
    answer = await s.client.post(plural, {"shortName": body.get("name"), **body})
    return str(answer["response"]["uid"])  # type: ignore[index, call-overload]


async def changed(s: Session, plural: str, uid: str, **values: object) -> None:
    await s.client.patch(f"{plural}/{uid}", [{"op": "replace", "path": f"/{n}", "value": v} for n, v in values.items()])


async def indicator(s: Session, name: str, numerator: str, **body: object) -> str:
    kinds = (await s.client.list_page("indicatorTypes", {"fields": "id,factor"})).rows
    kind = body.pop("kind", None) or kinds[0]["id"]
    return await made(s, "indicators", name=name, numerator=numerator, denominator="1", annualized=False,
                      numeratorDescription="n", denominatorDescription="d", indicatorType={"id": kind}, **body)  # fmt: skip


async def test_what_a_formula_is_made_of_is_part_of_the_question(built: Session):
    """A constant, a factor, an indicator within an indicator, the members of a group: no table is built anew for them."""
    (visits,) = (await built.client.list_page("dataElements", {"filter": "name:eq:Visits", "fields": "id"})).rows
    half = await made(built, "constants", name="Half", value=0.5)
    kind = await made(built, "indicatorTypes", name="Plain", factor=1, number=True)
    inner = await indicator(built, "Inner", f"#{{{visits['id']}}} * C{{{half}}}", kind=kind)
    outer = await indicator(built, "Outer", f"N{{{inner}}} * 2", kind=kind)
    group = await made(built, "indicatorGroups", name="Made", indicators=[{"id": inner}])

    async def total(item: str) -> float:
        return sum(row["value"] for row in await rows(built, f"dx={item}", "pe=202501", "ou=LEVEL-1"))

    (plain,) = await rows(built, "dx=Visits", "pe=202501", "ou=LEVEL-1")
    assert [await total(item) for item in (inner, outer, f"IN_GROUP-{group}")] == [
        plain["value"] * times for times in (0.5, 1, 0.5)
    ]
    before = asked(built)
    await changed(built, "constants", half, value=2)
    assert [await total(item) for item in (inner, outer)] == [plain["value"] * 2, plain["value"] * 4]
    await changed(built, "indicatorTypes", kind, factor=10)
    assert [await total(item) for item in (inner, outer)] == [plain["value"] * 20, plain["value"] * 400]
    assert asked(built) == before + 4
    assert await total(outer) == plain["value"] * 400
    assert await rows(built, "dx=Visits", "pe=202501", "ou=LEVEL-1") == [plain]
    assert asked(built) == before + 4, "of what did not change the answers are kept"


async def test_a_changed_element_of_an_operand_is_another_question(built: Session):
    (visits,) = (
        await built.client.list_page("dataElements", {"filter": "name:eq:Visits", "fields": "id,categoryCombo[categoryOptionCombos[id]]"})
    ).rows  # fmt: skip
    combo = visits["categoryCombo"]["categoryOptionCombos"][0]["id"]  # type: ignore[index, call-overload]
    dimensions = [f"dx={visits['id']}.{combo}", "pe=202501", "ou=LEVEL-Clinic"]
    await rows(built, *dimensions)
    await changed(built, "dataElements", str(visits["id"]), aggregationType="AVERAGE")
    await rows(built, *dimensions)
    assert asked(built) == 2


async def test_rights_and_settings_that_decide_over_numbers_are_part_of_the_question(built: Session):
    await rows(built, *ASKED)
    await built.client.post("systemSettings/keyIgnoreAnalyticsApprovalYearThreshold", None, {"value": "2"})
    await rows(built, *ASKED)
    assert asked(built) == 2


@pytest.mark.usefixtures("of_unknown_age")
async def test_answers_of_unknown_age_serve_once(s: Session):
    await rows(s, *ASKED)
    await rows(s, *ASKED)
    assert asked(s) == 2


async def test_a_piece_that_is_too_large_is_cut_once_and_for_all(built: Session, monkeypatch: pytest.MonkeyPatch):
    whole = await rows(built, *ASKED)
    query, refused = built.client.analytics.query, 0

    async def limited(dimensions: Any, **more: Any) -> Any:
        nonlocal refused
        grid = await query(dimensions, **more)
        if len(grid.rows) > 2:
            refused += 1
            raise Refused("Query result set exceeded max limit: `2`", code="E7128", status=409)
        return grid

    monkeypatch.setattr(built.client.analytics, "query", limited)
    assert await rows(built, *ASKED, fresh=True) == whole
    before = refused
    assert before > 0
    assert await rows(built, *ASKED) == whole
    assert refused == before


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request for each item of each period."""
    monkeypatch.setattr(planning, "FEW", 1)
    monkeypatch.setattr(planning, "CELLS", 3)


@pytest.mark.usefixtures("small_pieces", "of_unknown_age")
async def test_what_fails_half_way_leaves_no_file_and_the_same_line_goes_on(
    s: Session, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    whole = await rows(s, *ASKED)
    query, sent = s.client.analytics.query, 0
    out = tmp_path / "rows.csv"

    async def breaking(dimensions: Any, **more: Any) -> Any:
        nonlocal sent
        if not more["params"].get("skipData"):
            sent += 1
            if sent == 3:
                raise Unreachable("connection refused", hint="is the server up?")
        return await query(dimensions, **more)

    monkeypatch.setattr(s.client.analytics, "query", breaking)
    with pytest.raises(Unreachable) as told:
        await call(s, "pull", dimensions=ASKED, out=str(out))
    assert "the same line goes on" in str(told.value.hint)
    assert list(tmp_path.glob("*rows*")) == []
    before = sent
    done = await call(s, "pull", dimensions=ASKED, out=str(out))
    assert isinstance(done, Pulled)
    plan = await call(s, "pull", dimensions=ASKED, explain=True)
    assert done.kept + (sent - before) == plan.requests == 9
    assert done.kept > 0
    assert done.rows == len(whole) == len(out.read_text().splitlines()) - 1


@pytest.mark.usefixtures("small_pieces")
async def test_a_full_disk_is_said(s: Session, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Dhis2Error, match="No space left on device") as told:
        await call(s, "pull", dimensions=ASKED, out=str(tmp_path / "rows.csv"))
    assert "the same line goes on" in str(told.value.hint)
    assert list(tmp_path.glob("*rows*")) == []


@pytest.mark.parametrize(
    "name", ["r.csv", "r.tsv", "r.ndjson", "r.json", "r.parquet", "r.arrow", "r.xlsx", "r.duckdb", "r"]
)
async def test_every_kind_of_file_has_the_same_rows(s: Session, tmp_path: Path, name: str):
    whole = await rows(s, *ASKED)
    told = await call(s, "pull", dimensions=ASKED, out=str(tmp_path / name))
    assert told.rows == len(whole)
    frame = _read(tmp_path / name)
    found = sorted((str(row["dx"]), str(row["pe"]), row["ouName"], float(row["value"])) for row in frame)
    assert found == sorted((row["dx"], row["pe"], row["ouName"], float(row["value"])) for row in whole)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def _read(path: Path) -> list[dict[str, Any]]:
    import polars

    match path.suffix:
        case ".csv" | ".tsv":
            return polars.read_csv(path, separator="," if path.suffix == ".csv" else "\t").to_dicts()
        case ".ndjson":
            return [json.loads(line) for line in path.read_text().splitlines()]
        case ".json":
            return json.loads(path.read_text())
        case ".parquet":
            return polars.read_parquet(path).to_dicts()
        case ".arrow":
            return polars.read_ipc(path).to_dicts()
        case ".xlsx":
            return polars.read_excel(path).to_dicts()
        case ".duckdb":
            duckdb = pytest.importorskip("duckdb")
            with duckdb.connect(str(path), read_only=True) as base:
                found = base.sql(
                    "SELECT d.*, u.name AS ouName, i.name, p.start_date FROM data d JOIN org_units u ON u.id = d.ou "
                    "JOIN items i ON i.id = d.dx JOIN periods p ON p.id = d.pe"
                )
                return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]
        case _:
            return polars.scan_parquet(path).collect().to_dicts()


@pytest.mark.parametrize("name", ["r.parquet", "r.arrow", "r.csv", "r.xlsx", "r.duckdb", "r"])
async def test_what_was_pulled_is_not_replaced_by_nothing(s: Session, tmp_path: Path, name: str):
    out = tmp_path / name
    await call(s, "pull", dimensions=ASKED, out=str(out))
    before = {path: path.read_bytes() for path in [out, *out.rglob("*")] if path.is_file()}
    with pytest.raises(NotFound, match="there are no rows"):
        await call(s, "pull", dimensions=["dx=Visits", "pe=203001", ASKED[2]], out=str(out))
    assert {path: path.read_bytes() for path in [out, *out.rglob("*")] if path.is_file()} == before


async def test_a_folder_that_is_taken_meanwhile_is_not_replaced(s: Session, tmp_path: Path):
    out = tmp_path / "mine"
    with pytest.raises(UsageError, match="no folder of a pull"), folder_of(out):
        out.mkdir()
        (out / "chapter.txt").write_text("one")
    (tmp_path / ".other.new").mkdir()
    (tmp_path / ".other.new" / "chapter.txt").write_text("one")
    with pytest.raises(UsageError, match="no folder of a pull"), folder_of(tmp_path / "other"):
        pytest.fail("its place is taken")
    assert len([*tmp_path.rglob("chapter.txt")]) == 2


async def test_a_folder_half_replaced_is_whole_again(tmp_path: Path):
    """A kill between two renames leaves the former folder aside: it is no lost work."""
    with folder_of(tmp_path / "mine") as inside:
        (inside / "a.parquet").write_text("one")
    (tmp_path / "mine").rename(tmp_path / ".mine.old")
    with pytest.raises(RuntimeError), folder_of(tmp_path / "mine"):
        raise RuntimeError
    assert (tmp_path / "mine" / "a.parquet").read_text() == "one"
    assert [path.name for path in tmp_path.iterdir() if "mine" in path.name] == ["mine"]


async def test_a_folder_of_something_else_is_not_replaced(s: Session, tmp_path: Path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("one")
    with pytest.raises(UsageError, match="no folder of a pull"):
        await call(s, "pull", dimensions=ASKED, out=str(tmp_path / "thesis"))
    assert asked(s) == 0
    for _ in range(2):
        await call(s, "pull", dimensions=ASKED, out=str(tmp_path / "mine"))


@pytest.mark.parametrize(("name", "why"), [("r.pdf", "'.pdf'"), ("none/r.csv", "no folder")])
async def test_a_file_that_cannot_be_written_is_refused_before_anything_is_asked(
    s: Session, tmp_path: Path, name: str, why: str
):
    with pytest.raises(UsageError, match=why):
        await call(s, "pull", dimensions=ASKED, out=str(tmp_path / name))
    assert s.client.transport.sent == []


async def test_very_many_cells_are_said_before_and_want_a_yes(s: Session):
    with pytest.raises(UsageError, match="27 cells are more than 20") as told:
        await call(s, "pull", dimensions=ASKED, max_cells=20)
    assert "--max-cells 27" in str(told.value.hint)
    assert asked(s) == 0
    assert await rows(s, *ASKED, max_cells=27)


async def test_an_empty_level_is_said(s: Session):
    with pytest.raises(Dhis2Error):
        await rows(s, "dx=Visits", "pe=202501", "ou=LEVEL-9")


async def test_both_names_of_the_verb_give_the_same(s: Session):
    other = await call(s, "analytics pull", dimensions=ASKED)
    assert (await other.collect()).plain() == await rows(s, *ASKED)


def pulling(home: Path, url: str, out: Path) -> subprocess.Popen[bytes]:
    """`dhis2 pull` in a process of its own, a request for every two cells."""
    environment = unmeasured(DHIS2SH_HOME=str(home), DHIS2_URL=url, DHIS2_USERNAME="admin", DHIS2_PASSWORD="district")
    code = (
        "import sys; from dhis2sh.analytics import planning; planning.FEW = 1; planning.CELLS = 2; planning.AT_ONCE = 2;"
        "from dhis2sh.surfaces.cli.main import run; sys.exit(run(sys.argv[1:]))"
    )
    line = [sys.executable, "-c", code, "pull", *ASKED, "--out", str(out)]
    with (out.parent / "said.txt").open("ab") as said:
        return subprocess.Popen(line, env=environment, stdout=said, stderr=said)


def test_a_pull_that_is_killed_again_and_again_ends_as_an_undisturbed_one(
    nation_home: Path, served_nation: str, tmp_path: Path
):
    """KILLS of them, each at another moment; what is whole by then is not asked for again."""
    kills, chance = int(os.environ.get("KILLS", "3")), random.Random(4)
    whole = tmp_path / "whole.csv"
    undisturbed = pulling(tmp_path / "one", served_nation, whole)
    began = time.monotonic()
    assert undisturbed.wait(60) == 0, (tmp_path / "said.txt").read_text()
    lasts = time.monotonic() - began
    out = tmp_path / "killed.csv"
    killed = 0
    for _ in range(kills):
        process = pulling(tmp_path / "two", served_nation, out)
        try:
            process.wait(lasts * (0.4 + 0.6 * chance.random()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            killed += 1
            assert not out.exists() or out.read_bytes() == whole.read_bytes()
    last = pulling(tmp_path / "two", served_nation, out)
    assert last.wait(60) == 0, (tmp_path / "said.txt").read_text()
    assert killed
    assert out.read_bytes() == whole.read_bytes()


@needs_shared
async def test_totals_equal_analytics_query_and_a_plain_sum_over_the_recorded_values(real_home: Path, tmp_path: Path):
    """BCG doses of 2025 by district and month: pulled, asked, and summed up from the export."""
    store = open_store(real_home / "data" / "sandbox.db")
    load_file(store, shared("real", "v42", "dataValues.json.gz"))
    store.close()
    metadata = json.loads(gzip.decompress(shared("real", "v42", "metadata.json.gz").read_bytes()))
    paths = {unit["id"]: unit["path"].split("/") for unit in metadata["organisationUnits"]}
    element = next(item["id"] for item in metadata["dataElements"] if item["name"] == "BCG doses given")
    plain: Counter[tuple[str, str]] = Counter()
    for value in json.loads(gzip.decompress(shared("real", "v42", "dataValues.json.gz").read_bytes()))["dataValues"]:
        if value["dataElement"] == element and value["period"].startswith("2025"):
            plain[paths[value["orgUnit"]][2], value["period"]] += float(value["value"])
    session = Session("sandbox")
    dimensions = ["dx=BCG doses given", "pe=202501..202512"]
    try:
        districts = await rows(session, *dimensions, "ou=LEVEL-2")
        query = await call(session, "analytics query", dimensions=[*dimensions, "ou=LEVEL-2"])
        asked_for = (await query.collect()).plain()
        await call(session, "pull", dimensions=[*dimensions, "ou=LEVEL-4"], out=str(tmp_path / "facilities.csv"))
    finally:
        await session.aclose()
    facilities: Counter[tuple[str, str]] = Counter()
    with (tmp_path / "facilities.csv").open() as file:
        for row in csv.DictReader(file):
            facilities[row["ouPath"].split("/")[2], row["pe"]] += float(row["value"])
    assert {(row["ou"], row["pe"]): row["value"] for row in districts} == dict(plain)
    assert {(row["ou"], row["pe"]): row["value"] for row in asked_for} == dict(plain)
    assert {key: value for key, value in facilities.items() if value} == {
        key: value for key, value in plain.items() if value
    }


async def test_another_question_shares_the_requests_that_are_equal(built: Session, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(planning, "FEW", 1)
    monkeypatch.setattr(planning, "CELLS", 3)
    monkeypatch.setattr(planning, "AT_ONCE", 1)
    await rows(built, "dx=Visits", "pe=202501..202502", "ou=LEVEL-Clinic")
    assert asked(built) == 2
    await rows(built, "dx=Visits;Stock", "pe=202501..202503", "ou=LEVEL-Clinic")
    assert asked(built) == 2 + 4


async def test_what_nobody_asks_for_any_more_goes(built: Session):
    home = pulling_folder(built)
    for name, days in (("live-old", 2), ("live-new", 0), ("lasting", 2), ("forgotten", 40)):
        (home / name).mkdir(parents=True)
        os.utime(home / name, (time.time() - days * 86_400,) * 2)
    await rows(built, *ASKED)
    assert {path.name for path in home.iterdir()} >= {"live-new", "lasting"}
    assert not {"live-old", "forgotten"} & {path.name for path in home.iterdir()}


async def test_what_does_not_wait_for_another_answer_is_asked_for_at_once(s: Session, monkeypatch: pytest.MonkeyPatch):
    """Names, members, limit, age and user are asked for before the first of them is answered."""
    whole = await rows(s, *ASKED)
    (visits, *_) = {row["dx"]: None for row in whole}
    get, query, all_asked = s.client.get_object, s.client.analytics.query, asyncio.Barrier(5)

    async def others() -> None:
        async with asyncio.timeout(20):
            await all_asked.wait()

    async def held(path: str, *arguments: Any, **more: Any) -> Any:
        await others()
        return await get(path, *arguments, **more)

    async def planning_held(dimensions: Any, **more: Any) -> Any:
        if more["params"].get("skipData"):
            await others()
        return await query(dimensions, **more)

    monkeypatch.setattr(s.client, "get_object", held)
    monkeypatch.setattr(s.client.analytics, "query", planning_held)
    told = await rows(s, f"dx={visits}", *ASKED[1:-1], "ou=LEVEL-3")
    assert told == [row for row in whole if row["dx"] == visits]
    units = [line for line in s.client.transport.sent if "organisationUnits?" in line]
    assert len(units) <= 4, "units and what is above them, twice"


async def test_a_code_that_looks_like_a_uid_is_a_code(s: Session):
    """Planned as a UID while somebody looks for it: then planned again as what it is."""
    body = {"name": "Coded", "shortName": "Coded", "code": "Ab1cd2Ef3gh", "valueType": "NUMBER", "aggregationType": "SUM",
            "domainType": "AGGREGATE"}  # fmt: skip
    combo = (await s.client.list_page("categoryCombos", {"filter": "name:eq:default", "fields": "id"})).rows[0]["id"]
    await s.client.post("dataElements", {**body, "categoryCombo": {"id": combo}})
    plan = await call(s, "pull", dimensions=["dx=Ab1cd2Ef3gh;Visits", *ASKED[1:]], explain=True)
    assert plan.what == "3 units x 3 periods x 2 items = 18 cells"
    assert "Ab1cd2Ef3gh" not in plan.line()


async def test_a_uid_of_nothing_is_said_whatever_the_server_makes_of_it(s: Session):
    with pytest.raises(NotFound, match="deVisits999"):
        await rows(s, "dx=deVisits999;Visits", *ASKED[1:])
    assert asked(s) == 0


@pytest.mark.parametrize("name", ["r.duckdb", "r.parquet"])
async def test_a_file_says_what_was_asked_with_names_and_what_makes_other_numbers(
    s: Session, tmp_path: Path, name: str
):
    dimensions = [text for text in ASKED if not text.startswith("pe=")]
    more = {"filter": ["pe=202501"], "aggregation_type": "MAX", "skip_rounding": True}
    await call(s, "pull", dimensions=dimensions, out=str(tmp_path / name), **more)
    if name.endswith(".duckdb"):
        with pytest.importorskip("duckdb").connect(str(tmp_path / name), read_only=True) as base:
            about = dict(base.sql("SELECT name, value FROM about").fetchall())
    else:
        about = pytest.importorskip("polars").read_parquet_metadata(tmp_path / name)
    assert about["filter pe"] == "January 2025 [202501]"
    assert (about["aggregationType"], about["skipRounding"]) == ("MAX", "True")
    for text in dimensions:
        dimension = text.partition("=")[0]
        assert about[dimension], about
    assert re.search(r"\w+ \[\w{11}\]", about["dx"]), about["dx"]
