"""A directory on a server of another version: what that does not have is left out and named, and nothing else differs behind it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from dhis2sh.client.requests import effect_scope
from dhis2sh.errors import Refused, UsageError
from dhis2sh.profiles import sandbox_file
from dhis2sh.sandbox.areas import open_store
from dhis2sh.session import Session
from tests.as_code.directory import D, edit, of, pull, rows
from tests.metadata.calls import call, do, planned

VERSIONS = ("2.41", "2.42", "2.43", "2.44")
BASIC = ["routes/routeBasic1/auth.password: 'x'", "routes/routeClient/auth.clientSecret: 'x'"]


@asynccontextmanager
async def server(version: str) -> AsyncIterator[Session]:
    """A session on a sandbox of a version, empty."""
    name = f"sandbox:v{version.replace('.', '')}"
    path = sandbox_file(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    open_store(path, version=version).close()
    session = Session(name)
    try:
        yield session
    finally:
        await session.aclose()


async def warned(s: Session, monkeypatch: pytest.MonkeyPatch, **arguments: object) -> tuple[list[dict], list[str]]:
    """The differences, and what was said of what is left out."""
    said: list[str] = []
    monkeypatch.setattr(s.person, "warn", said.append)
    return await rows(s, **arguments), said


@pytest.mark.parametrize("there", [name for name in VERSIONS if name != "2.42"])
async def test_settings_of_other_versions_are_left_out_and_named(there: str, monkeypatch: pytest.MonkeyPatch):
    async with server("2.42") as source, server(there) as target:
        await do(source, "system settings set", values=["applicationTitle=Ministry", "keyFlagImage=ghana"])
        await pull(source, types=["settings"])
        found, said = await warned(target, monkeypatch)
        assert {row["id"]: row["after"] for row in found} == {
            "applicationTitle": "Ministry", "keyFlagImage": "ghana", **({"keyDbLocale": "en"} if there == "2.41" else {}),
        }  # fmt: skip
        (told,) = [text for text in said if text.startswith("left out: settings that this version does not have: ")]
        assert {*told.rpartition(": ")[2].split(", ")} == {
            "2.41": {
                "autoVerifyInvitedUserEmail", "deviceEnrollmentIATTtlSeconds", "deviceEnrollmentRedirectAllowlist",
                "enforceVerifiedEmail", "experimentalAnalyticsSqlEngineEnabled", "globalShellEnabled",
                "keyEmbeddedDashboardsEnabled",
            },
            "2.43": NOT_IN_43, "2.44": NOT_IN_43 | {"experimentalAnalyticsSqlEngineEnabled"},
        }[there]  # fmt: skip
        done = await do(target, "instance apply", directory=D)
        assert told in done.note
        assert await rows(target) == []
        assert (await target.client.get("systemSettings/keyFlagImage"))["keyFlagImage"] == "ghana"
        await do(target, "undo")
        assert len(await rows(target)) == len(found)


NOT_IN_43 = {
    "keyDataImportRequireCategoryOptionCombo", "keyDataImportStrictCategoryOptionCombos", "keyDataImportStrictDataElements",
    "keyDataImportStrictDataSetApproval", "keyDataImportStrictDataSetInputPeriods", "keyDataImportStrictDataSetLocking",
    "keyStyle", "multiOrganisationUnitForms",
}  # fmt: skip


@pytest.mark.parametrize(
    ("line", "hint"),
    [("applicationTitel: X\n", "did you mean applicationTitle?"), ("qqqqqqqqqqqqq: X\n", "take the line out")],
)
async def test_a_setting_that_no_version_has_is_a_slip(copy: Session, line: str, hint: str):
    await pull(copy, types=["settings"])
    edit(D / "settings.yaml", "---\n", f"---\n{line}")
    with pytest.raises(UsageError, match=r"settings\.yaml:2: there is no setting '\w+' in any version") as error:
        await rows(copy)
    assert error.value.hint == hint


async def test_a_server_of_2_41_does_not_take_a_setting_of_2_42():
    """Recorded (inst-settings): 409 for a setting that there is not."""
    async with server("2.41") as old:
        for name in ("globalShellEnabled", "noSuchSetting"):
            with effect_scope("write"), pytest.raises(Refused, match=f"Key is not supported: {name}"):
                await old.client.post(f"systemSettings/{name}", params={"value": "true"})
        with effect_scope("write"):
            await old.client.post("systemSettings/keyFlagImage", params={"value": "ghana"})


async def instance_of_42(source: Session) -> None:
    """A server of 2.42 with what others do not have."""
    await do(source, "jobs create", name="Push", type="PUSH_ANALYSIS", cron="0 0 3 * * ?")
    await do(source, "jobs create", name="Single", type="SINGLE_EVENT_DATA_SYNC", cron="0 0 3 * * ?")
    await do(source, "jobs create", name="Integrity", type="DATA_INTEGRITY", cron="0 0 3 * * ?")
    basic = {"type": "http-basic", "username": "reader", "password": "x"}
    client = {"type": "oauth2-client-credentials", "clientId": "c", "clientSecret": "x", "tokenUri": "https://x.org/t", "scopes": "s"}  # fmt: skip
    role = ["F_DATAVALUE_ADD", "F_DATAELEMENT_PUBLIC_ADD", "F_DATA_ELEMENT_MERGE", "F_MAP_EXTERNAL", "M_some-app"]
    with effect_scope("write"):
        for uid, auth in (("routeBasic1", basic), ("routeClient", client)):
            await source.client.post(
                "routes", {"id": uid, "name": uid, "code": uid, "url": "https://x.org", "auth": auth}
            )
        await source.client.post("userRoles", {"id": "roleClerks1", "name": "Clerks", "authorities": role})


ROLES = "left out of roles: authorities that this version does not have: Clerks [roleClerks1]"
LEFT_OUT = {
    "2.41": [
        "left out: jobs whose type this version does not have: Single [{Single}] (SINGLE_EVENT_DATA_SYNC)",
        "left out: routes whose sign-in this version does not have: routeClient [routeClient] (oauth2-client-credentials)",
        f"{ROLES}: F_DATA_ELEMENT_MERGE, F_MAP_EXTERNAL",
    ],
    "2.43": [
        "left out: jobs whose type this version does not have: Push [{Push}] (PUSH_ANALYSIS)",
        f"{ROLES}: F_MAP_EXTERNAL",
    ],
}


@pytest.mark.parametrize("there", [*LEFT_OUT])
async def test_jobs_sign_ins_and_authorities_of_other_versions_are_left_out_by_name(there: str):
    Path("secrets.yaml").write_text("\n".join(BASIC) + "\n", "utf-8")
    async with server("2.42") as source, server(there) as target:
        await instance_of_42(source)
        await pull(source, types=["jobConfigurations", "routes", "userRoles"])
        uids = {row["name"]: row["id"] for row in (await call(source, "jobs list")).plain()}
        done = await do(target, "instance apply", directory=D, secrets=Path("secrets.yaml"))
        left = [text.format_map(uids) for text in LEFT_OUT[there]]
        assert [text for text in left if text in done.note] == left
        assert await rows(target) == []
        (role,) = await call(
            target, "metadata list", type="userRoles", filter=["id:eq:roleClerks1"], fields="authorities"
        )
        assert {"F_DATAVALUE_ADD", "F_DATAELEMENT_PUBLIC_ADD", "M_some-app"} <= {*role["authorities"]}
        plan = await planned(target, "instance apply", directory=D, prune=True)
        assert list(plan.steps) == []


async def test_a_role_keeps_the_authorities_that_only_its_own_version_has():
    """The Superuser of a 2.43 has `F_CATEGORY_MERGE`; that of a 2.42 cannot have it, and an apply takes nothing away."""
    async with server("2.42") as source, server("2.43") as target:
        for s, more in ((source, ["F_MAP_EXTERNAL"]), (target, ["F_CATEGORY_MERGE", "F_EXPORT_DATA"])):
            role = {"id": "roleClerks1", "name": "Clerks", "authorities": ["F_DATAVALUE_ADD", *more]}
            with effect_scope("write"):
                await s.client.post("userRoles", role)
        await pull(source, types=["userRoles"])
        (row,) = [row for row in await rows(target) if row["id"] == "roleClerks1"]
        assert row["after"] == ["F_CATEGORY_MERGE", "F_DATAVALUE_ADD"]
        plan = await planned(target, "instance apply", directory=D)
        kept = "kept in roles: authorities that the version of the directory does not have: Clerks [roleClerks1]: F_CATEGORY_MERGE"
        assert kept in plan.notes
        await do(target, "instance apply", directory=D)
        assert await rows(target) == []
        (role,) = await call(
            target, "metadata list", type="userRoles", filter=["id:eq:roleClerks1"], fields="authorities"
        )
        assert sorted(role["authorities"]) == ["F_CATEGORY_MERGE", "F_DATAVALUE_ADD"]


async def test_parameters_of_jobs_of_other_versions_are_left_out_by_name(monkeypatch: pytest.MonkeyPatch):
    """Recorded (maintenance, jobTypes): a `META_DATA_SYNC` of 2.41 has two parameters more."""
    async with server("2.41") as source, server("2.42") as target:
        more = ["eventProgramPageSize=7", "dataValuesPageSize=9"]
        await do(source, "jobs create", name="Sync", type="META_DATA_SYNC", cron="0 0 3 * * ?", param=more)
        await pull(source, types=["jobConfigurations"])
        (path,) = of("jobConfigurations")
        if "eventProgramPageSize" not in path.read_text("utf-8"):  # of the class of 2.42
            edit(path, "dataValuesPageSize: 9\n", "dataValuesPageSize: 9\n  eventProgramPageSize: 7\n")
        _, said = await warned(target, monkeypatch)
        (told,) = said
        assert told.startswith("left out of jobs: parameters that this version does not have: Sync [")
        assert told.endswith("]: eventProgramPageSize")
        await do(target, "instance apply", directory=D)
        assert await rows(target) == []


async def test_what_an_embedded_row_has_that_the_other_version_cannot_say_stays():
    """`skipIndividualAnalytics` of a program's attributes is of 2.42 alone."""
    attribute = {
        "id": "teaNumber01",
        "name": "Age",
        "shortName": "Age",
        "valueType": "NUMBER",
        "aggregationType": "NONE",
    }
    row = {"id": "pteaRow0001", "trackedEntityAttribute": {"id": "teaNumber01"}}
    kind = {"id": "tetPerson01", "name": "Person", "shortName": "Person"}
    program = {
        "id": "prVisits001", "name": "Visits", "shortName": "Visits", "programType": "WITH_REGISTRATION",
        "trackedEntityType": {"id": "tetPerson01"},
    }  # fmt: skip
    async with server("2.43") as source, server("2.42") as target:
        for s, more in ((source, {}), (target, {"skipIndividualAnalytics": True})):
            body = {
                "trackedEntityAttributes": [attribute], "trackedEntityTypes": [kind],
                "programs": [{**program, "programTrackedEntityAttributes": [{**row, **more}]}],
            }  # fmt: skip
            with effect_scope("write"):
                await s.client.post("metadata", body)
        await pull(source, types=["programs"])
        assert await rows(target) == []
        (path,) = of("programs")
        edit(path, "name: Visits", "name: Calls")
        edit(path, "mandatory: false", "mandatory: true")
        assert {row["property"] for row in await rows(target)} == {"name", "programTrackedEntityAttributes"}
        await do(target, "instance apply", directory=D)
        found = await target.client.get_object(
            "programs/prVisits001", {"fields": "programTrackedEntityAttributes[:all]"}
        )
        (one,) = found["programTrackedEntityAttributes"]
        assert (one["mandatory"], one["skipIndividualAnalytics"]) == (True, True)


async def test_types_of_other_versions_are_left_out_by_name(monkeypatch: pytest.MonkeyPatch):
    async with server("2.42") as source, server("2.43") as target:
        dashboard = (await do(source, "metadata create", type="dashboards", set=["name=Board"])).uids[0]
        push = ["name=Weekly", "title=Weekly", f"dashboard={dashboard}"]
        await do(source, "metadata create", type="pushAnalysis", set=push)
        await pull(source, types=["pushAnalysis"])
        found, said = await warned(target, monkeypatch)
        assert found == []
        assert said == ["left out: 1 pushAnalysis: this version does not have them: Weekly"]


async def test_a_value_that_the_other_version_does_not_know_stops_an_apply_before_the_server_is_asked():
    async with server("2.42") as source, server("2.43") as target:
        element = [
            "name=One",
            "shortName=One",
            "valueType=TRACKER_ASSOCIATE",
            "domainType=TRACKER",
            "aggregationType=NONE",
        ]
        uid = (await do(source, "metadata create", type="dataElements", set=element)).uids[0]
        await pull(source, types=["dataElements"])
        plan = await planned(target, "instance apply", directory=D)
        assert str(plan.blocked) == (
            f"dataElements [{uid}]: its valueType 'TRACKER_ASSOCIATE' is unknown to DHIS2 of this server; nothing was written"
        )
        assert str(plan.blocked.hint).endswith("--without dataElements brings the rest")


async def test_an_authority_of_a_type_can_be_given_on_2_41_too():
    """Recorded (users): up to 2.41 the list of authorities does not have those of types."""
    async with server("2.41") as old:
        listed = {row["id"] for row in (await old.client.get("authorities"))["systemAuthorities"]}
        assert "F_DATAELEMENT_PUBLIC_ADD" not in listed
        await do(old, "metadata create", type="userRoles", set=["name=Clerks", "authorities=F_DATAELEMENT_PUBLIC_ADD"])
        (role,) = await call(old, "metadata list", type="userRoles", filter=["name:eq:Clerks"], fields="authorities")
        assert role["authorities"] == ["F_DATAELEMENT_PUBLIC_ADD"]
