"""What writes have changed goes into the name index at once: what was just created is offered, what is gone is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from dhis2sh.index.names import Hit, NameIndex

if TYPE_CHECKING:
    from dhis2sh.session import Written


def heed(index: NameIndex, objects: Sequence[Written] | None) -> list[Hit]:
    """Put what has changed into an index; gives what it knows of the objects that are there.

    Parameters:
        index: of the profile that was written to.
        objects: what was written; None where anything may have changed, so that the next refresh reads everything again.
    """
    if objects is None:
        index.distrust()
        return []
    before = index.known([item.uid for item in objects])
    hits = [hit for item in objects if not item.gone and (hit := _hit(item, before.get(item.uid))) is not None]
    index.forget([item.uid for item in objects if item.gone])
    for plural in dict.fromkeys(hit.type for hit in hits):
        index.put(plural, [hit for hit in hits if hit.type == plural])
    return hits


def _hit(item: Written, known: Hit | None) -> Hit | None:
    if known is not None:
        return replace(known, name=item.name or known.name, code=item.code or known.code)
    return Hit(item.uid, item.plural, item.name, item.code) if item.name else None
