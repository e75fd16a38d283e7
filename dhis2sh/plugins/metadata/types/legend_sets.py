"""`metadata legend-sets create`: classes of values with a colour each, from short options."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated

from dhis2sh.changes.plan import Plan
from dhis2sh.client.specs import Legend, LegendSetSpec
from dhis2sh.errors import UsageError
from dhis2sh.metadata.types.visuals.shown import Name, created
from dhis2sh.session import Session
from dhis2sh.verbs.declaration import Doc, verb
from dhis2sh.words import counted

COLOURS = ("#d7191c", "#fdae61", "#ffffbf", "#a6d96a", "#1a9641")
FORM = "--legend 0:50:#d7191c:Low"


@verb(
    "metadata legend-sets create",
    effect="write",
    examples=[
        "dhis2 metadata legend-sets create --name Coverage --low 0 --high 100 --dry-run",
        "dhis2 metadata legend-sets create --name Cover --legend 0:80:#d7191c:Low --legend 80:120:#1a9641:Good --dry-run",
    ],
)
async def create(
    s: Session,
    *,
    name: Name,
    low: Annotated[float, Doc("The lowest value.")] = 0,
    high: Annotated[float, Doc("The highest value.")] = 100,
    colour: Annotated[list[str], Doc("The colour of each class, #rrggbb; may be repeated.")] = [],
    legend: Annotated[
        list[str], Doc("A class START:END[:COLOUR[:NAME]], instead of equal ones; may be repeated.")
    ] = [],
) -> Plan:
    """Create a legend set: equal classes from low to high, one for each colour, or classes of your own.

    A value belongs to a class from its start up to, but not with, its end. Classes that overlap are
    refused, since nothing says which of them colours a value; a gap between classes is told.

    API source: `POST /api/legendSets`.
    """
    spec = (
        LegendSetSpec(name, _classes(legend, colour or COLOURS))
        if legend
        else LegendSetSpec.equal(name, low, high, colour or COLOURS)
    )
    body = spec.payload(await s.client.version())
    words = (
        f"{counted(len(spec.legends), 'class', 'classes')} from {spec.legends[0].start:g} to {spec.legends[-1].end:g}"
    )
    gaps = [
        f"values from {one.end:g} up to {after.start:g} are in no class"
        for one, after in pairwise(spec.legends)
        if one.end < after.start
    ]
    return await created(s, "legendSets", body, words, gaps)


def _classes(texts: Sequence[str], colours: Sequence[str]) -> list[Legend]:
    """Classes from `START:END[:COLOUR[:NAME]]`, sorted; one without a colour gets the next. Raises `UsageError`."""
    found: list[Legend] = []
    for number, text in enumerate(texts):
        start, end, colour, name = [*(part.strip() for part in text.split(":", 3)), *[""] * 4][:4]
        try:
            found.append(Legend(float(start), float(end), colour or colours[number % len(colours)], name or None))
        except ValueError:
            raise UsageError(f"'{text}' is no class of values", hint=FORM) from None
    return sorted(found, key=lambda legend: (legend.start, legend.end))
