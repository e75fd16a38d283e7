"""Potential duplicates: pairs of tracked entities that somebody marked, and their merge.

API source: `DeduplicationController`, `DefaultDeduplicationService`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from dhis2sh.dhis2.uids import generate_uid
from dhis2sh.sandbox.java.moments import now
from dhis2sh.sandbox.refused import Refused, not_found, not_imitated
from dhis2sh.sandbox.tracker.changes import user_of
from dhis2sh.sandbox.tracker.storage import Tracker

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue

STATUS = ("ALL", "OPEN", "INVALID", "MERGED")


class Duplicates:
    """The potential duplicates of a server.

    Parameters:
        user: who asks.
    """

    def __init__(self, tracker: Tracker, user: JsonObject) -> None:
        self.tracker, self.version = tracker, tracker.store.version
        self.user = user

    def mark(self, sent: JsonObject) -> JsonObject:
        """Make a pair of `original` and `duplicate`; returns it as the answer shows it."""
        for name in ("original", "duplicate"):
            if not sent.get(name):
                raise Refused(400, f"Missing required input property '{name}'", "E1003")
        original, duplicate = str(sent["original"]), str(sent["duplicate"])
        for entity in (original, duplicate):
            row = self.tracker.row("trackedEntity", entity)
            if row is None or row["deleted"]:
                if self.version.minor < 42:
                    raise Refused(404, f"No tracked entity found with id '{entity}'.", "E1005")
                raise not_found("TrackedEntity", entity)
        if original == duplicate:
            raise not_imitated("a tracked entity as its own duplicate")
        known = self.tracker.rows(
            "SELECT 1 FROM potential_duplicate WHERE (original = ?1 AND duplicate = ?2) OR (original = ?2 AND duplicate = ?1)",
            (original, duplicate),
        )
        if known:
            raise Refused(
                409, f"'{original}' and '{duplicate} is already marked as a potential duplicate", "E1004"
            )  # the server forgets the second quote
        uid, moment, who = generate_uid(), now(), json.dumps(user_of(self.user))
        with self.tracker.store.writing() as connection:
            connection.execute(
                "INSERT INTO potential_duplicate (uid, original, duplicate, status, created_at, updated_at, created_by, "
                "updated_by) VALUES (?, ?, ?, 'OPEN', ?, ?, ?, ?)",
                (uid, original, duplicate, moment, moment, who, who),
            )
        return self._made(self._row(uid))

    def get(self, uid: str) -> JsonObject:
        """One pair. Raises `Refused` (404)."""
        return self.shown(self._row(uid))

    def _row(self, uid: str) -> sqlite3.Row:
        rows = self.tracker.rows("SELECT * FROM potential_duplicate WHERE uid = ?", (uid,))
        if not rows:
            if self.version.minor < 42:
                raise Refused(404, f"No potentialDuplicate records found with id '{uid}'.", "E1005")
            raise not_found("PotentialDuplicate", uid)
        return rows[0]

    def rows(self, status: str, entities: Sequence[str], order: str) -> list[sqlite3.Row]:
        """The pairs of a status, or of these tracked entities.

        Parameters:
            order: columns for ORDER BY.
        """
        where, parameters = ["1"], list[str]()
        if status != "ALL":
            where.append("status = ?")
            parameters.append(status)
        if entities:
            marks = ",".join("?" * len(entities))
            where.append(f"(original IN ({marks}) OR duplicate IN ({marks}))")
            parameters += [*entities, *entities]
        return self.tracker.rows(
            f"SELECT * FROM potential_duplicate WHERE {' AND '.join(where)} ORDER BY {order}", parameters
        )

    def shown(self, row: sqlite3.Row) -> JsonObject:
        """A pair as reads show it."""
        sharing: JsonObject = {"users": {}, "userGroups": {}}
        found: JsonObject = {
            "created": row["created_at"], "lastUpdated": row["updated_at"], "original": row["original"],
            "duplicate": row["duplicate"], "lastUpdatedByUserName": json.loads(row["updated_by"])["username"],
            "createdByUserName": json.loads(row["created_by"])["username"], "status": row["status"],
            "sharing": sharing, "translations": [], "id": row["uid"], "attributeValues": [],
        }  # fmt: skip
        if self.version.minor < 43:
            found |= {"favorites": [], "favorite": False}
        if self.version.external:
            sharing["external"] = False
        return found

    def _made(self, row: sqlite3.Row) -> JsonObject:
        """A new pair: until 2.42 its answer says at length who made it."""
        found = self.shown(row)
        if self.version.minor > 42:
            return found
        name = f"{self.user.get('firstName')} {self.user.get('surname')}"
        who: JsonObject = {"id": self.user["id"], "code": self.user.get("code"), "name": name, "displayName": name,
                           "username": self.user.get("username")}  # fmt: skip
        who = {key: value for key, value in who.items() if value is not None}
        sharing: JsonObject = {"owner": self.user["id"], **cast("JsonObject", found["sharing"]), "public": "--------"}
        return {**found, "createdBy": who, "lastUpdatedBy": who, "user": who, "sharing": sharing}

    def judge(self, uid: str, status: str) -> None:
        """Say that a pair is one, or is none."""
        row = self._row(uid)
        if row["status"] == "MERGED":
            raise Refused(400, "Can't update a potential duplicate that is already MERGED", "E1003")
        if status not in {"OPEN", "INVALID"}:
            raise not_imitated(f"a potential duplicate that is set to {status}")
        self._set(uid, status)

    def _set(self, uid: str, status: str) -> None:
        with self.tracker.store.writing() as connection:
            connection.execute(
                "UPDATE potential_duplicate SET status = ?, updated_at = ?, updated_by = ? WHERE uid = ?",
                (status, now(), json.dumps(user_of(self.user)), uid),
            )

    # Merging -----------------------------------------------------------------------------------------------------------

    def merge(self, uid: str, chosen: JsonObject | None) -> None:
        """Take what the duplicate has to the original and delete the duplicate.

        Parameters:
            chosen: of a manual merge: `trackedEntityAttributes`, `enrollments` and `relationships`; None lets the server
                choose, which refuses attributes with two values.
        """
        row = self._row(uid)
        if row["status"] != "OPEN":
            raise not_imitated(f"a merge of what is {row['status']}")
        original, duplicate = cast("str", row["original"]), cast("str", row["duplicate"])
        self._demand_alike(original, duplicate)
        mine, theirs = self._values(original), self._values(duplicate)
        enrollments = self._of("enrollment", "tracked_entity", duplicate)
        links = self._links(duplicate)
        if chosen is None:
            if any(mine[name] != value for name, value in theirs.items() if name in mine):
                can_not = "can not" if self.version.minor < 42 else "cannot"
                raise Refused(409, f"PotentialDuplicate {can_not} be merged automatically: Entities have conflicting values "
                                   "for the same attributes.")  # fmt: skip
            moved = [name for name in theirs if name not in mine]
        else:
            moved = self._chosen(chosen, "trackedEntityAttributes", theirs)
            enrollments, links = (
                self._chosen(chosen, "enrollments", enrollments),
                self._chosen(chosen, "relationships", links),
            )
        with self.tracker.store.writing() as connection:
            self._move(connection, (original, duplicate), moved, enrollments, links)
        self._set(uid, "MERGED")

    def _demand_alike(self, original: str, duplicate: str) -> None:
        """Raise `Refused` where nobody has seen what a server says."""
        found = [self.tracker.row("trackedEntity", entity) for entity in (original, duplicate)]
        if any(row is None or row["deleted"] for row in found):
            raise not_imitated("a merge of tracked entities one of which is deleted")
        if len({row["tracked_entity_type"] for row in found if row}) > 1:
            raise not_imitated("a merge of tracked entities of two types")
        programs = [
            set(self._of("enrollment", "tracked_entity", entity, "program")) for entity in (original, duplicate)
        ]
        if programs[0] & programs[1]:
            raise not_imitated("a merge of tracked entities that are enrolled in one program")

    def _values(self, entity: str) -> dict[str, str]:
        rows = self.tracker.rows("SELECT attribute, value FROM attribute_value WHERE tracked_entity = ?", (entity,))
        return {row["attribute"]: row["value"] for row in rows}

    def _of(self, table: str, column: str, entity: str, shown: str = "uid") -> list[str]:
        rows = self.tracker.rows(f"SELECT {shown} AS x FROM {table} WHERE {column} = ? AND NOT deleted", (entity,))
        return [cast("str", row["x"]) for row in rows]

    def _links(self, entity: str) -> list[str]:
        return [*self._of("relationship", "from_uid", entity), *self._of("relationship", "to_uid", entity)]

    def _chosen(self, chosen: JsonObject, name: str, known: Sequence[str] | dict[str, str]) -> list[str]:
        wanted = cast("JsonValue", chosen.get(name) or [])
        if not isinstance(wanted, list) or any(one not in known for one in wanted):
            raise not_imitated(f"a manual merge whose {name} are not the duplicate's")
        return [str(one) for one in wanted]

    def _move(
        self, connection: sqlite3.Connection, pair: tuple[str, str], attributes: Sequence[str], enrollments: Sequence[str],
        links: Sequence[str],
    ) -> None:  # fmt: skip
        """Move what the original gets and mark the rest, with the duplicate, as deleted."""
        original, duplicate = pair
        moment = now()
        for name in attributes:
            connection.execute(
                "DELETE FROM attribute_value WHERE tracked_entity = ? AND attribute = ?", (original, name)
            )
            connection.execute(
                "UPDATE attribute_value SET tracked_entity = ?, updated_at = ? WHERE tracked_entity = ? AND attribute = ?",
                (original, moment, duplicate, name),
            )
        for uid in enrollments:
            connection.execute("UPDATE enrollment SET tracked_entity = ? WHERE uid = ?", (original, uid))
            connection.execute("UPDATE event SET tracked_entity = ? WHERE enrollment = ?", (original, uid))
            connection.execute(
                "UPDATE OR IGNORE program_owner SET tracked_entity = ?1 WHERE tracked_entity = ?2 AND program = "
                "(SELECT program FROM enrollment WHERE uid = ?3)",
                (original, duplicate, uid),
            )
        for uid in links:
            for column in ("from_uid", "to_uid"):
                connection.execute(
                    f"UPDATE relationship SET {column} = ? WHERE uid = ? AND {column} = ?", (original, uid, duplicate)
                )
        for table, column in (("tracked_entity", "uid"), ("enrollment", "tracked_entity"), ("event", "tracked_entity"),
                              ("relationship", "from_uid"), ("relationship", "to_uid")):  # fmt: skip
            connection.execute(
                f"UPDATE {table} SET deleted = 1, updated_at = ? WHERE {column} = ? AND NOT deleted",
                (moment, duplicate),
            )
