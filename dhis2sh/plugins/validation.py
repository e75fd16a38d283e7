"""`validation`: validation rules whose violations the server keeps. `data validate` looks without keeping anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from dhis2sh.changes.plan import Plan
from dhis2sh.data import kept_violations, violations
from dhis2sh.data.reading import roots_of
from dhis2sh.errors import UsageError
from dhis2sh.instance import starting
from dhis2sh.instance.audits import since_on
from dhis2sh.rows.stream import Stream
from dhis2sh.session import Session
from dhis2sh.types import Row
from dhis2sh.verbs import periods
from dhis2sh.verbs.declaration import Bounds, Doc, Refers, verb

if TYPE_CHECKING:
    from dhis2sh.client.requests import Param

UNDOES = kept_violations.stays
"""What can be taken back of a run: importing it here registers that."""
Units = Annotated[
    list[str], Doc("Units, with all below them; without any those that you read from."), Refers("organisationUnits")
]


@verb(
    "validation run",
    effect="write",
    examples=["dhis2 validation run --period 202506 --org-unit Bo --dry-run"],
)
async def run(
    s: Session,
    *,
    period: Annotated[list[str], Doc("Periods such as 202506 or LAST_3_MONTHS; from the first to the last.")],
    org_unit: Units = [],
    group: Annotated[
        list[str], Doc("Only the rules of these groups; all without."), Refers("validationRuleGroups")
    ] = [],
    notify: Annotated[bool, Doc("Tell people as the rules' notification templates say.")] = False,
) -> Plan:
    """Run validation rules and let the server keep what they find; the plan says what that would be now.

    API source: `POST /api/dataAnalysis/validationRules`.
    """
    asked = [each for text in period for each in await periods.meant(s, text)]
    rules = await violations.rules_of(s, [], group, [])
    return await kept_violations.plan(s, rules, group, asked, org_unit or await roots_of(s), notify=notify)


@verb(
    "validation results",
    effect="read",
    examples=["dhis2 validation results --period 202506", "%validation results | where(importance == 'HIGH')"],
)
async def results(
    s: Session,
    *,
    period: Annotated[list[str], Doc("Only of these periods.")] = [],
    org_unit: Annotated[list[str], Doc("Only of these units themselves."), Refers("organisationUnits")] = [],
    rule: Annotated[list[str], Doc("Only of these rules."), Refers("validationRules")] = [],
    since: Annotated[str | None, Doc("Only those that were found on this day or later: 2026-11-01, today, 7d.")] = None,
) -> Stream[Row]:
    """List the violations that the server keeps, the oldest first, and of which somebody was told.

    API source: `GET /api/validationResults`.
    """
    found = None if since is None else (await since_on(s, since))[:10]
    params: dict[str, Param] = {
        "pe": [each.iso for text in period for each in await periods.meant(s, text)], "ou": org_unit, "vr": rule, "createdDate": found,
    }  # fmt: skip
    chosen = {name: value for name, value in params.items() if value}
    return Stream(kept_violations.results(s, chosen), columns=kept_violations.COLUMNS)


@verb("validation send", effect="write", examples=["dhis2 validation send --watch --dry-run"])
async def send(
    s: Session,
    *,
    watch: Annotated[bool, Doc("Follow it to its end; Ctrl-C leaves it running.")] = False,
    timeout: Annotated[int | None, Bounds(1), Doc("Seconds to wait at the most; the job goes on.")] = None,
) -> Plan:
    """Let the server tell people of kept violations that nobody has been told of yet.

    API source: `POST /api/validation/sendNotifications`.
    """
    if timeout is not None and not watch:
        raise UsageError("--timeout is for --watch", hint="dhis2 validation send --watch --timeout 60")
    return starting.plan(
        "validation/sendNotifications", "tell people of violations", "validation results", "as the templates say",
        watch=watch, timeout=timeout, notes=[starting.NO_WAY_BACK],
    )  # fmt: skip
