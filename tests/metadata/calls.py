"""Verbs as tests call them: by path, with arguments by name, agreed to or only planned."""

from typing import Any

from dhis2sh.changes.consent import Consent
from dhis2sh.changes.plan import Plan
from dhis2sh.session import Session
from dhis2sh.verbs.registry import find
from dhis2sh.verbs.run import run

YES, DRY = Consent(yes=True), Consent(dry_run=True)


async def call(session: Session, path: str, consent: Consent | None = None, **arguments: object) -> Any:
    """What a verb gives."""
    return await run(session, find(path), arguments, consent)


async def do(session: Session, path: str, consent: Consent = YES, **arguments: object) -> Any:
    """What a verb gives that writes, agreed to."""
    return await call(session, path, consent, **arguments)


async def planned(session: Session, path: str, **arguments: object) -> Plan:
    """The plan of a verb that writes; nothing is written."""
    plan = await call(session, path, DRY, **arguments)
    assert isinstance(plan, Plan)
    return plan
