"""The approval state machine: what state data is in, and what may be done to it.

API source: `HibernateDataApprovalStore`, `DataApprovalPermissionsEvaluator` (api-facts h.4 and the recordings).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, cast

from dhis2sh.sandbox.data.model import read_period, reference, references
from dhis2sh.sandbox.java.moments import now
from dhis2sh.sandbox.refused import Refused

if TYPE_CHECKING:
    from dhis2sh.sandbox.data.model import Model
    from dhis2sh.sandbox.data.values import Key
    from dhis2sh.sandbox.store.database import Store
    from dhis2sh.types import JsonObject, JsonValue


class State(StrEnum):
    """The seven states of 2.42."""

    UNAPPROVABLE = "UNAPPROVABLE"
    UNAPPROVED_ABOVE = "UNAPPROVED_ABOVE"
    UNAPPROVED_WAITING = "UNAPPROVED_WAITING"
    UNAPPROVED_READY = "UNAPPROVED_READY"
    APPROVED_ABOVE = "APPROVED_ABOVE"
    APPROVED_HERE = "APPROVED_HERE"
    ACCEPTED_HERE = "ACCEPTED_HERE"


class Selection(NamedTuple):
    """What is approved as one: the data of a workflow, a period, an org unit and an attribute option combo."""

    workflow: str
    period: str
    unit: str
    combo: str


class Level(NamedTuple):
    """An approval level of a workflow; level 1 is the highest."""

    uid: str
    number: int
    unit_level: int


@dataclass(frozen=True, slots=True)
class Approval:
    """One approval that was given."""

    unit: str
    level: str
    accepted: bool
    approved_at: str
    approved_by: str
    accepted_at: str
    accepted_by: str | None


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a selection, with the approval behind it."""

    state: State
    level: Level | None = None
    approval: Approval | None = None


@dataclass(frozen=True, slots=True)
class Approver:
    """Who asks: the authorities, and the org units under which data may be entered."""

    authorities: frozenset[str]
    roots: tuple[str, ...]

    def has(self, authority: str) -> bool:
        """Has the user an authority?"""
        return bool(self.authorities & {"ALL", authority})

    def approves(self, rank: int | None, level: Level | None) -> bool:
        """May a user who stands on a level approve another: his own, or one below it?"""
        if rank is None or level is None:
            return False
        own, lower = self.has("F_APPROVE_DATA"), self.has("F_APPROVE_DATA_LOWER_LEVELS")
        return (own and rank == level.number) or (lower and rank < level.number)

    def accepts(self, rank: int | None, level: Level) -> bool:
        """May a user who stands on a level accept what a lower one approved?"""
        return rank is not None and rank < level.number and self.has("F_ACCEPT_DATA_LOWER_LEVELS")


class Approvals:
    """Reads and changes approvals.

    Parameters:
        store: the database.
        model: the metadata.
        acceptance: whether the system setting asks for acceptance before the next level approves.
    """

    def __init__(self, store: Store, model: Model, *, acceptance: bool = False) -> None:
        self.store, self.model, self.acceptance = store, model, acceptance
        self._levels: dict[str, list[Level]] = {}

    def levels(self, workflow: str) -> list[Level]:
        """A workflow's levels, the highest first."""
        if workflow not in self._levels:
            found: list[Level] = []
            for uid in references(self.model.body("dataApprovalWorkflows", workflow), "dataApprovalLevels"):
                body = self.model.body("dataApprovalLevels", uid)
                found.append(
                    Level(
                        uid, int(cast("int", body.get("level") or 1)), int(cast("int", body.get("orgUnitLevel") or 1))
                    )
                )
            self._levels[workflow] = sorted(found, key=lambda level: level.number)
        return self._levels[workflow]

    def data_sets(self, workflow: str) -> list[str]:
        """The data sets whose data a workflow is about."""
        return self.store.inverse("dataSets", "workflow").get(workflow, [])

    def assigned(self, workflow: str) -> set[str]:
        """The org units that collect data of a workflow."""
        return {unit for uid in self.data_sets(workflow) for unit in self.model.units_of.get(uid, ())}

    def own_level(self, workflow: str, unit: str) -> Level | None:
        """The level on which an org unit approves, None when its level in the hierarchy has none."""
        unit_level = self.model.level(unit)
        return next((level for level in self.levels(workflow) if level.unit_level == unit_level), None)

    def given(self, selection: Selection) -> list[Approval]:
        """The approvals on the path of an org unit, the highest first."""
        path = self.model.path(selection.unit)
        marks = ",".join("?" * len(path))
        rows = self.store.connection.execute(
            "SELECT org_unit, level, accepted, approved_at, approved_by, accepted_at, accepted_by FROM approval "
            f"WHERE workflow = ? AND period = ? AND attribute_option_combo = ? AND org_unit IN ({marks})",
            (selection.workflow, selection.period, selection.combo, *path),
        )
        found = [Approval(row[0], row[1], bool(row[2]), *row[3:]) for row in rows]
        return sorted(found, key=lambda approval: path.index(approval.unit))

    def status(self, selection: Selection) -> Status:
        """The state of a selection."""
        levels = {level.uid: level for level in self.levels(selection.workflow)}
        given = self.given(selection)
        if given:
            highest = given[0]
            level = levels.get(highest.level)
            if highest.unit != selection.unit:
                return Status(State.APPROVED_ABOVE, level, highest)
            return Status(State.ACCEPTED_HERE if highest.accepted else State.APPROVED_HERE, level, highest)
        own = self.own_level(selection.workflow, selection.unit)
        units = self.assigned(selection.workflow)
        if own is None:
            depth = self.model.level(selection.unit)
            above = any(level.unit_level < depth for level in levels.values())
            return Status(State.UNAPPROVED_ABOVE if above and units else State.UNAPPROVABLE)
        if not units or not any(unit in units for unit in self.model.subtree(selection.unit)):
            return Status(State.UNAPPROVABLE)
        ready = self._ready(selection, own, units)
        return Status(State.UNAPPROVED_READY if ready else State.UNAPPROVED_WAITING)

    def _ready(self, selection: Selection, own: Level, units: set[str]) -> bool:
        """Is everything on the next lower level below an org unit approved, and accepted where that is asked?"""
        below = [level for level in self.levels(selection.workflow) if level.unit_level > own.unit_level]
        if not below:
            return True
        lower = below[0]
        rows = self.store.connection.execute(
            "SELECT org_unit, accepted FROM approval WHERE workflow = ? AND period = ? AND attribute_option_combo = ? "
            "AND level = ?",
            (selection.workflow, selection.period, selection.combo, lower.uid),
        )
        done = {unit for unit, accepted in rows if accepted or not self.acceptance}
        waiting = {
            path[lower.unit_level - 1]
            for unit in units
            if len(path := self.model.path(unit)) >= lower.unit_level and selection.unit in path
        }
        return waiting <= done

    def permissions(self, selection: Selection, status: Status, who: Approver) -> JsonObject:
        """What a user may do with a selection."""
        state, levels = status.state, self.levels(selection.workflow)
        own = self.own_level(selection.workflow, selection.unit)
        rank = self._rank(selection, who)
        here = state in {State.APPROVED_HERE, State.ACCEPTED_HERE}
        given = status.level
        above = None
        if given is not None:
            above = next((level for level in reversed(levels) if level.number < given.number), None)
        settled = state is State.ACCEPTED_HERE or not self.acceptance
        approves = (state is State.UNAPPROVED_READY and who.approves(rank, own)) or (
            above is not None and settled and who.approves(rank, above)
        )
        accepts = self.acceptance and given is not None and who.accepts(rank, given)
        return {
            "mayApprove": approves,
            "mayUnapprove": here and who.approves(rank, given),
            "mayAccept": accepts and state is State.APPROVED_HERE and above is not None,
            "mayUnaccept": accepts and state is State.ACCEPTED_HERE,
            "mayReadData": True,
        }

    def _rank(self, selection: Selection, who: Approver) -> int | None:
        """The number of the level on which a user stands above an org unit, None where none of the user's units is."""
        path, found = self.model.path(selection.unit), list[int]()
        for root in who.roots:
            if root not in path:
                continue
            depth = path.index(root) + 1
            found += [level.number for level in self.levels(selection.workflow) if level.unit_level >= depth][:1]
        return min(found, default=None)

    # Changes -------------------------------------------------------------------------------------------------------

    def approve(self, selections: Iterable[Selection], user: JsonObject, who: Approver) -> None:
        """Approve selections; those that are approved already stay so. Raises `Refused`."""
        for selection in selections:
            status = self.status(selection)
            if status.approval is not None:
                continue
            own = self.own_level(selection.workflow, selection.unit)
            if own is None or not self.permissions(selection, status, who)["mayApprove"]:
                raise Refused(409)
            moment = now()
            with self.store.writing() as connection:
                connection.execute(
                    "INSERT INTO approval VALUES (?, ?, ?, ?, ?, 0, ?, ?, ?, NULL)",
                    (*selection, own.uid, moment, cast("str", user["id"]), moment),
                )
            self._audit(selection, own.uid, "APPROVE", user)

    def unapprove(self, selections: Iterable[Selection], user: JsonObject, who: Approver) -> None:
        """Take approvals back. Raises `Refused` for what is not approved, or approved above."""
        for selection in selections:
            status = self.status(selection)
            if status.approval is None or not self.permissions(selection, status, who)["mayUnapprove"]:
                raise Refused(409)
            with self.store.writing() as connection:
                connection.execute(
                    "DELETE FROM approval WHERE workflow = ? AND period = ? AND org_unit = ? "
                    "AND attribute_option_combo = ? AND level = ?",
                    (*selection, status.approval.level),
                )
            self._audit(selection, status.approval.level, "UNAPPROVE", user)

    def accept(
        self, selections: Iterable[Selection], user: JsonObject, who: Approver, *, accepted: bool = True
    ) -> None:
        """Accept approvals, or take the acceptance back. Raises `Refused`."""
        wanted = "mayAccept" if accepted else "mayUnaccept"
        for selection in selections:
            status = self.status(selection)
            already = status.state is (State.ACCEPTED_HERE if accepted else State.APPROVED_HERE)
            if status.approval is None or already:
                if status.approval is None:
                    raise Refused(409)
                continue
            if not self.permissions(selection, status, who)[wanted]:
                raise Refused(409)
            with self.store.writing() as connection:
                connection.execute(
                    "UPDATE approval SET accepted = ?, accepted_at = ?, accepted_by = ? WHERE workflow = ? "
                    "AND period = ? AND org_unit = ? AND attribute_option_combo = ? AND level = ?",
                    (accepted, now(), user["id"] if accepted else None, *selection, status.approval.level),  # type: ignore[arg-type]
                )
            self._audit(selection, status.approval.level, "ACCEPT" if accepted else "UNACCEPT", user)

    def _audit(self, selection: Selection, level: str, action: str, user: JsonObject) -> None:
        with self.store.writing() as connection:
            connection.execute(
                "INSERT INTO approval_audit (workflow, period, org_unit, attribute_option_combo, level, action, "
                "created, creator) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*selection, level, action, now(), cast("str", user["id"])),
            )


def is_approved(store: Store, model: Model, data_set: Mapping[str, JsonValue], key: Key) -> bool:
    """Is the data of a data set that a value belongs to approved, here or above?"""
    workflow = reference(data_set, "workflow")
    period = read_period(key.period)
    if workflow is None or period is None:
        return False
    path = model.path(key.org_unit)
    marks = ",".join("?" * len(path))
    rows = store.connection.execute(
        "SELECT DISTINCT period FROM approval WHERE workflow = ? AND attribute_option_combo = ? "
        f"AND org_unit IN ({marks})",
        (workflow, key.attribute_option_combo, *path),
    )
    approved = [found for row in rows if (found := read_period(row[0]))]
    return any(item.start <= period.start and period.end <= item.end for item in approved)
