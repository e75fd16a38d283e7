"""SQL views: rows with variables, criteria and filters; queries run once that leave nothing behind."""

import asyncio
from pathlib import Path

import pytest

from dhis2sh.changes.plan import Plan
from dhis2sh.client.client import Client
from dhis2sh.errors import Refused, UsageError
from dhis2sh.rows.rows import Rows, to_json
from dhis2sh.sandbox.app import create_app
from dhis2sh.sandbox.faults import Faults
from dhis2sh.session import Session
from dhis2sh.surfaces.ipython import magics
from tests.metadata.calls import DRY, YES, call
from tests.metadata.test_surfaces import in_python, on_the_command_line, over_mcp
from tests.metadata.writes import Writing
from tests.shared import needs_shared

BY_WORD, PLACES, BY_TYPE = "FNuvYuw8uEe", "PnyZuzUnd9A", "iq2WeLER6Ot"


def views(session: Session) -> set[str]:
    return set(session.sandbox_store().objects("sqlViews"))


async def test_a_query_takes_values_for_its_variables(country: Session):
    rows = await call(
        country, "metadata sql-views execute", view="Data elements with a word in their name", var=["word=birth"]
    )

    assert isinstance(rows, Rows)
    assert rows.columns == ("uid", "name", "valuetype")
    assert {row["name"] for row in rows.plain()} >= {"Live births", "Weight at birth"}


@pytest.mark.parametrize(
    ("var", "says", "hint"),
    [
        ([], "'Data elements with a word in their name' wants a value for word", "--var word=..."),
        (["wrod=a"], "has no variable wrod", "did you mean word?"),
        (["word=a", "limit=3"], "has no variable limit", "it has word"),
        (["word"], "say name=value", "--var level=4"),
        (["word="], "the value is empty; the server would drop it", "letters"),
        (["word=a:b"], "has a comma or colon; the server would drop it", "letters"),
    ],
)
async def test_missing_and_superfluous_variables_are_told_before_anything_is_sent(
    country: Session, var: list[str], says: str, hint: str
):
    with pytest.raises(UsageError) as raised:
        await call(country, "metadata sql-views execute", view=BY_WORD, var=var)
    assert says in str(raised.value)
    assert hint in str(raised.value.hint)


async def test_a_value_that_the_server_refuses_is_told_in_its_words(country: Session):
    with pytest.raises(Refused, match="Variables are invalid") as raised:
        await call(country, "metadata sql-views execute", view=BY_WORD, var=["word=a'; drop"])
    assert raised.value.code == "E4306"


async def test_a_view_is_created_before_it_is_read(country: Session):
    with pytest.raises(Refused) as raised:
        await call(country, "metadata sql-views execute", view=PLACES)
    assert raised.value.hint == "was it created? dhis2 metadata sql-views refresh 'Facilities without coordinates'"

    await call(country, "metadata sql-views refresh", YES, view=PLACES)
    assert await call(country, "metadata sql-views execute", view=PLACES)


async def test_a_materialized_view_keeps_its_rows_until_it_is_refreshed(country: Session):
    await call(country, "metadata sql-views refresh", YES, view=BY_TYPE)
    before = to_json(await call(country, "metadata sql-views execute", view=BY_TYPE))
    await country.client.delete("predictors/CmUWGBA9f8d")
    element = {"id": "deNewOne001", "name": "New", "shortName": "New", "valueType": "EMAIL", "domainType": "AGGREGATE",
               "aggregationType": "NONE"}  # fmt: skip
    await country.client.post("dataElements", element)  # type: ignore[arg-type]
    assert to_json(await call(country, "metadata sql-views execute", view=BY_TYPE)) == before

    await call(country, "metadata sql-views refresh", YES, view=BY_TYPE)
    emails = await call(country, "metadata sql-views execute", view=BY_TYPE, criteria=["valuetype=EMAIL"])
    assert int(to_json(emails)[0]["elements"]) >= 1  # type: ignore[index, arg-type, call-overload]


async def test_rows_are_narrowed_by_criteria_filters_and_a_limit(country: Session):
    word = ["word=birth"]
    live = await call(country, "metadata sql-views execute", view=BY_WORD, var=word, criteria=["name=Live births"])
    assert [row["name"] for row in live.plain()] == ["Live births"]
    numbers = await call(
        country, "metadata sql-views execute", view=BY_WORD, var=word, filter=["valuetype:like:INTEGER"]
    )
    assert 0 < len(numbers) < len(await call(country, "metadata sql-views execute", view=BY_WORD, var=word))
    assert len(await call(country, "metadata sql-views execute", view=BY_WORD, var=word, limit=1)) == 1

    with pytest.raises(Refused, match="42703") as raised:  # recorded: the server does not say which column
        await call(country, "metadata sql-views execute", view=BY_WORD, var=word, criteria=["kind=INTEGER"])
    assert "--limit 1" in str(raised.value.hint)


async def test_a_query_has_nothing_to_refresh(country: Session):
    with pytest.raises(UsageError, match="is a query: there is nothing to refresh") as raised:
        await call(country, "metadata sql-views refresh", YES, view=BY_WORD)
    assert str(raised.value.hint) == "dhis2 metadata sql-views execute 'Data elements with a word in their name'"


# adhoc ------------------------------------------------------------------------------------------------------------------


async def test_a_query_is_run_once_and_leaves_no_view(country: Session):
    before = views(country)
    sql = "select name, hierarchylevel as level from organisationunit where hierarchylevel < ${level} order by level"
    rows = await call(country, "metadata sql-views adhoc", YES, sql=sql, var=["level=3"])

    assert isinstance(rows, Rows)
    assert {row["level"] for row in rows.plain()} == {"1", "2"}  # recorded: every cell is a text
    assert views(country) == before
    plan = await call(country, "metadata sql-views adhoc", DRY, sql=sql, var=["level=3"])
    assert isinstance(plan, Plan)
    assert views(country) == before


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("delete from organisationunit", "E4311"),
        ("select 1; select 2", "E4302"),
        ("select * from userinfo", "E4310"),
        ("select name from nothing", "E7144"),
    ],
)
async def test_the_server_refuses_what_is_no_harmless_query(country: Session, sql: str, code: str):
    before = views(country)
    with pytest.raises(Refused) as raised:
        await call(country, "metadata sql-views adhoc", YES, sql=sql)
    assert raised.value.code == code
    assert views(country) == before


async def test_a_query_wants_its_variables_too(country: Session):
    with pytest.raises(UsageError, match="the query wants values for a, b") as raised:
        await call(country, "metadata sql-views adhoc", YES, sql="select ${a}, ${b}")
    assert str(raised.value.hint) == "--var a=... --var b=..."


@pytest.mark.parametrize("moment", ["made", "read", "deleted"])
async def test_a_query_that_is_interrupted_leaves_no_view(country: Session, moment: str):
    store, before = country.sandbox_store(), views(country)
    slow = create_app(store, faults=Faults.parse(["latency=200ms", "only=/api/sqlViews"]))
    profile = country.profile
    country._client = Client(profile.settings(), profile.sign_in(), asgi_app=slow)
    running = asyncio.create_task(
        call(country, "metadata sql-views adhoc", YES, sql="select name from organisationunit")
    )
    while moment != "made" and views(country) == before:
        await asyncio.sleep(0.01)
    await asyncio.sleep({"made": 0.05, "read": 0.05, "deleted": 0.3}[moment])
    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running
    assert views(country) == before


@pytest.mark.parametrize(
    "case",
    [
        Writing(
            "metadata sql-views adhoc",
            "'select uid, name from organisationunit where hierarchylevel = ${level} order by uid' --var level=2",
            {
                "sql": "select uid, name from organisationunit where hierarchylevel = ${level} order by uid",
                "var": ["level=2"],
            },
        ),
        Writing("metadata sql-views refresh", "'Data elements by value type'", {"view": "Data elements by value type"}),
    ],
    ids=str,
)
def test_it_is_the_same_on_every_surface(case: Writing, notebook: magics.Runner, country_home: Path):
    answers = [
        on_the_command_line(case, "--yes"),
        to_json(notebook.shell.run_line_magic("dhis2", f"{case.verb} {case.line} --yes")),
        notebook.portal.run(in_python(case, YES)),
    ]
    assert answers[0]
    assert all(answer == answers[0] for answer in answers)
    told = notebook.portal.run(over_mcp(case))
    assert told.pop("applied") is True
    if "result" in told:
        assert told["result"] == answers[0]
    else:  # agents get what was done, and no empty counts
        assert told.items() <= answers[0].items()


@needs_shared
async def test_a_view_of_the_real_metadata(real_home: Path):
    session = Session("sandbox")
    rows = await call(session, "metadata sql-views execute", view="Data elements by name pattern", var=["pattern=BCG"])
    assert "BCG doses given" in {row["name"] for row in rows.plain()}
    await session.aclose()
