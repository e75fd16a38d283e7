"""`exchange`: aggregate data from analytics to another server, or into this one. Their properties are `metadata aggregate-data-exchanges`."""

from __future__ import annotations

from typing import Annotated, cast

from dhis2sh.changes.plan import Plan
from dhis2sh.instance import exchanges
from dhis2sh.rows.rows import Rows, Verbatim
from dhis2sh.session import Session
from dhis2sh.types import JsonValue, Row
from dhis2sh.verbs.declaration import Doc, Refers, verb

UNDOES = exchanges.stays
"""What can be taken back of an exchange: importing it here registers that."""
Exchange = Annotated[str, Doc("The exchange: UID, code or name."), Refers(exchanges.EXCHANGES)]


@verb("exchange list", effect="read", examples=["dhis2 exchange list"])
async def list_(s: Session) -> Rows[Row]:
    """List the exchanges: where each sends its data, and whether that is only checked there.

    API source: `GET /api/aggregateDataExchanges`.
    """
    return Rows(await exchanges.exchanges(s), columns=exchanges.COLUMNS, resource=exchanges.EXCHANGES)


@verb("exchange show", effect="read", examples=["dhis2 exchange show 'To the ministry'"])
async def show(s: Session, exchange: Exchange) -> Verbatim:
    """Show what an exchange asks analytics for and how its target takes it; what it signs in with there is nobody's to see.

    API source: `GET /api/aggregateDataExchanges/{uid}`.
    """
    one = await exchanges.exchange(s, exchange)
    return Verbatim({
        "id": one.uid, "name": one.name, "target": one.target, "strategy": one.strategy, "dryRun": one.dry_run,
        "options": one.options, "requests": cast("JsonValue", [*one.requests]),
    })  # fmt: skip


@verb(
    "exchange preview",
    effect="read",
    examples=["dhis2 exchange preview 'To the ministry'", "%exchange preview 'To the ministry' | where(value == '0')"],
)
async def preview(s: Session, exchange: Exchange) -> Rows[Row]:
    """List the values that an exchange would send now; nothing is sent.

    API source: `GET /api/aggregateDataExchanges/{uid}/sourceDataValueSets`.
    """
    one = await exchanges.exchange(s, exchange)
    return Rows(await exchanges.values(s, one), columns=exchanges.VALUE_COLUMNS)


@verb("exchange run", effect="write", examples=["dhis2 exchange run 'To the ministry' --dry-run"])
async def run(s: Session, exchange: Exchange) -> Plan:
    """Send what an exchange has for its target, and say what became of each of its requests.

    The plan counts the values; what goes into this server's own database is checked by a dry run of its import first.

    API source: `POST /api/aggregateDataExchanges/{uid}/exchange`.
    """
    return await exchanges.plan(s, exchange)
