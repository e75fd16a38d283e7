"""Sheets of children, and what the clinics hold of them."""

import csv
import json
from pathlib import Path

from dhis2sh.session import Session
from dhis2sh.types import Row
from tests.metadata.calls import call

SHEET = """Facility,Given name,Family name,Sex,Enrollment date,Birth | occurredAt,Birth | Weight,Visit #1 | date,Visit #1 | Weight,Visit #2 | date,Visit #2 | Weight
Clinic A,Dora,Dunn,female,2025-03-01,2025-03-01,3.1,2025-04-01,4,2025-05-01,5
Clinic B,Eli,Estvale,Male,2025-03-02,,,,,,
"""


def write(text: str | object, name: str = "persons.csv") -> Path:
    path = Path(name)
    path.write_text(text if isinstance(text, str) else json.dumps(text), "utf-8")
    return path


async def people(s: Session) -> dict[str, Row]:
    stream = await call(s, "data tracker list", program="Children", flat_=True)
    return {str(row["Given name"]): row for row in (await stream.collect()).plain()}


async def exported(s: Session) -> list[Row]:
    """All that there is, without what the server's clock says."""
    stream = await call(s, "data tracker export", program="Children")
    return sorted((await stream.collect()).plain(), key=lambda row: str(row["trackedEntity"]))


async def flat_sheet(s: Session, name: str = "flat.csv") -> list[Row]:
    """What `list --flat` writes of the children, as a sheet."""
    rows = (await (await call(s, "data tracker list", program="Children", flat_=True)).collect()).plain()
    save(rows, name)
    return rows


def save(rows: list[Row], name: str = "flat.csv") -> Path:
    with Path(name).open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return Path(name)
