"""`explain`: the last refusal of a server, in words. At the prompt, `explain LINE` shows what a line would send."""

from __future__ import annotations

from typing import cast

from pydantic import BaseModel

from dhis2sh import refusals
from dhis2sh.session import Session
from dhis2sh.types import JsonObject
from dhis2sh.verbs import verb


class Report(BaseModel):
    """One thing that the server found wrong."""

    code: str | None
    message: str
    object: str | None


class Refusal(BaseModel):
    """The last refusal: what failed, each report of the server's, and what to try."""

    error: str | None = None
    message: str = "nothing has been refused yet"
    code: str | None = None
    status: int | None = None
    reports: list[Report] = []
    hint: str | None = None

    def line(self) -> str:
        """What a terminal shows."""
        lines = [f"{self.error}: {self.message}" if self.error else self.message]
        lines += [f"  {report.code}: {report.message}" for report in self.reports]
        return "\n".join([*lines, f"try: {self.hint}"] if self.hint else lines)


@verb("explain", effect="read", examples=["dhis2 explain"])
async def explain(s: Session) -> Refusal:
    """Put the last refusal of a server into words, with every report it gave."""
    from dhis2sh.client.envelopes import error_reports

    kept = refusals.last()
    if kept is None:
        return Refusal()
    envelope = cast("JsonObject | None", kept.pop("envelope"))
    reports = [
        Report(
            code=cast("str | None", item.get("errorCode")),
            message=str(item.get("message") or item.get("value")),
            object=cast("str | None", item.get("uid") or item.get("mainId") or item.get("object")),
        )
        for item in (error_reports(envelope) if envelope else ())
    ]
    return Refusal.model_validate({**kept, "reports": reports})
