"""`what`: what a UID is, in a few lines: type, name, where it is used, whether it has data."""

from __future__ import annotations

from dhis2sh.metadata.identity import Identity, identify
from dhis2sh.metadata.parameters import AnyObject
from dhis2sh.session import Session
from dhis2sh.verbs.declaration import verb


@verb("what", effect="read", examples=["dhis2 what s46m5MS0hxu", "%what 'Child Health'"])
async def what(s: Session, uid: AnyObject) -> Identity:
    """Say what a UID is: type, name, telling properties, where it is used, and whether it has data.

    API source: `GET /api/metadata` with filters, `GET /api/identifiableObjects/{uid}`, `GET /api/dataValueSets`.
    """
    return await identify(s, uid)
