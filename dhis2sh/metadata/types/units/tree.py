"""The hierarchy as a tree that fits on a screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from pydantic import BaseModel

from dhis2sh.errors import NotFound
from dhis2sh.metadata.types.units.holdings import UNITS
from dhis2sh.session import Session
from dhis2sh.show import trees
from dhis2sh.types import Row
from dhis2sh.words import counted

if TYPE_CHECKING:
    from dhis2sh.client.requests import Param

FITTING = 40
"""A tree without `--depth` goes as deep as this many lines show, and one level at the least."""
DEEPEST = 20


class Branch(BaseModel):
    """A unit with the units below it; those of a folded branch are only counted."""

    id: str
    name: str
    level: int
    below: int
    children: list[Branch] = []

    def tree(self) -> trees.Branch:
        """The units as a tree, with how much of it is folded."""
        drawn, shown = _drawn(self), _drawn_units(self)
        if shown < self.below:
            drawn.foot = f"({shown:,} of {counted(self.below, 'unit')} below; --depth {_depth(self) + 1} shows more)"
        return drawn

    def line(self) -> str:
        """The tree as text."""
        return trees.text(self.tree())


def _drawn(branch: Branch) -> trees.Branch:
    folded = f"({branch.below:,} below)" if branch.below and not branch.children else ""
    uid = f"[{branch.id}]" if branch.id else ""
    children = [_drawn(child) for child in branch.children]
    return trees.Branch(branch.name, aside="  ".join(part for part in (uid, folded) if part), children=children)


def _drawn_units(branch: Branch) -> int:
    return sum(1 + _drawn_units(child) for child in branch.children)


def _depth(branch: Branch) -> int:
    return max((1 + _depth(child) for child in branch.children), default=0)


async def tree_of(s: Session, unit: str | None, depth: int | None) -> Branch:
    """The hierarchy from a unit on, or from the top.

    Parameters:
        unit: its UID.
        depth: how many levels below it; as many as fit on a screen without it.

    Raises `NotFound` where there is no unit.
    """
    params: dict[str, Param] = {"fields": "id,displayName,level,path", "paging": False, "order": "displayName:iasc"}
    if unit is not None:
        params["filter"] = f"path:like:{unit}"
    rows = (await s.client.list_page(UNITS, params)).rows
    tops, children = _arranged(rows, unit)
    if not tops:
        where = f" {unit}" if unit else "s"
        raise NotFound(f"there is no organisation unit{where}", hint="dhis2 metadata list organisationUnits")
    sizes = _sizes(rows)
    levels = depth or _fitting([str(row["id"]) for row in tops], children)
    drawn = [_branch(row, children, sizes, levels) for row in tops]
    return drawn[0] if len(drawn) == 1 else Branch(
        id="", name="organisation units", level=0, below=len(rows), children=drawn
    )  # fmt: skip


def _arranged(rows: Sequence[Row], unit: str | None) -> tuple[list[Row], dict[str, list[Row]]]:
    """The units that a tree begins at, and the units right below each one by UID."""
    children: dict[str, list[Row]] = {}
    known = {str(row["id"]) for row in rows}
    tops: list[Row] = []
    for row in rows:
        above = str(row.get("path") or "").strip("/").split("/")[:-1]
        if row["id"] == unit or (unit is None and (not above or above[-1] not in known)):
            tops.append(row)
        elif above:
            children.setdefault(above[-1], []).append(row)
    return tops, children


def _sizes(rows: Sequence[Row]) -> dict[str, int]:
    """How many units are below each one."""
    sizes: dict[str, int] = {}
    for row in rows:
        for above in str(row.get("path") or "").strip("/").split("/")[:-1]:
            sizes[above] = sizes.get(above, 0) + 1
    return sizes


def _fitting(ring: list[str], children: Mapping[str, Sequence[Row]]) -> int:
    """How many whole levels below the top fit on a screen; one at the least."""
    lines, depth = len(ring), 0
    while ring and depth < DEEPEST:
        ring = [str(child["id"]) for uid in ring for child in children.get(uid, ())]
        lines += len(ring)
        if depth and (lines > FITTING or not ring):
            break
        depth += 1
    return depth


def _branch(row: Row, children: Mapping[str, Sequence[Row]], sizes: Mapping[str, int], depth: int) -> Branch:
    uid = str(row["id"])
    return Branch(
        id=uid, name=str(row.get("displayName")), level=cast("int", row.get("level") or 0), below=sizes.get(uid, 0),
        children=[_branch(child, children, sizes, depth - 1) for child in children.get(uid, ())] if depth else [],
    )  # fmt: skip
