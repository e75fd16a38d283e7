"""What differs between the server versions that the sandbox can mimic: one table, read where behaviour differs.

Taken from the recordings of running servers; `docs/conformance.md` lists the scores.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from dhis2sh.errors import UsageError


@dataclass(frozen=True, slots=True)
class Version:
    """One version of the server. The values that stand here by default are those of 2.42.

    Parameters:
        number: as `/api/system/info` says it.
        schemas: which facts describe its types.
        external: `sharing.external` and `access.externalize` are shown.
        unreadable: the status for a body that the JSON reader cannot make an object of.
        unreadable_patch: the same for a JSON patch.
        malformed_uid: the status for a path with what is no UID.
        refuses_unknown_order: `order=noSuch:asc` gives 400, else it is ignored.
        refuses_empty_filter: `filter=` gives 400, else it is ignored.
        lenient_parameters: what is no number, yes or no is the default, else 400.
        imports_by_code: `identifier=CODE` works for data elements, else 500.
        gist_always_next: a gist without a total always promises a next page.
        maintenance_says_done: `/api/maintenance/*` answers 200 with a message, else 204.
        idle_progress: the status for the progress of a job that does not run.
        unknown_setting: the status for a system setting that there is not.
        unset_settings: settings without a value and without a default are in no list.
        routes_anywhere: a route may point at any address, else at https only.
        acceptances_apart: acceptances are at `/api/dataAcceptances`, else below `/api/dataApprovals`.
        sorts_by_case: lists without `order` sort their names by character, else without regard to case.
        gist_addresses: what a gist puts before the path of an address.
        typed_responses: answers that start a job say their `responseType`.
        newest_path: the highest number that a path may have after `/api`; by default the version's own.
        pages_with_version: the pager keeps that number; that of the tracker always does.
        flat_tracker_pages: tracker lists name their page beside the pager too, and no page before or after.
        value_authors: a data value of an event says who wrote it, besides who stored it.
        lists_by_gist: plain lists are read by the gist engine where it can (2.44).
        says_strategy: a CREATE of what is there is refused in words about the import's strategy, not its mode.
        names_holders: a refused deletion of a category or a role names what stands in its way, not only its type.
        values_by_accept: data values are written in the format that the request accepts; else only the path's ending counts.
        enrollment_combos: an enrollment has an attribute option combo.
        period_names: period types come with names, by name, all that there are.
        stored_by: what of the tracker says who stored it, besides `createdBy`.
        followup: events have `followup` beside `followUp`.
        translates_unasked: display names follow `locale` without `translate=true`, and a locale is a language tag (`pt-BR`).
        query_alone: lists read by `query` leave every `filter` unheeded.
        cuts_filters: a `filter` is cut at its commas into several.
        one_enrollment: a program with more than one active enrollment cannot be updated (E6000).
        places_geometry: a geometry that is refused is told with its place, as any other value is.
        newer_event_grids: event analytics says when rows were created and completed, names what limits a query as a
            dimension, and the items of an aggregate with their stage (2.43).
        older_entity_grids: tracked entity analytics calls them instances, and names only what is asked for (2.41).
        aligned_cells: cells of HTML grids are aligned, not only their heads.
        itself: how the server calls itself where it is nobody else who acts.
        enrollment_status: reads of the tracker heed `enrollmentStatus`, and of enrollments `status`; before, `programStatus` only.
        nested_complaints: what the JSON reader says of a tracker import comes twice, the second time with its place.
        upserts: an import of data values counts what it creates as updated, and audits it (2.43 has its own importer).
    """

    number: str
    schemas: str
    external: bool = True
    unreadable: int = 500
    unreadable_patch: int = 500
    malformed_uid: int = 405
    refuses_unknown_order: bool = False
    refuses_empty_filter: bool = False
    lenient_parameters: bool = False
    imports_by_code: bool = False
    gist_always_next: bool = False
    maintenance_says_done: bool = False
    idle_progress: int = 500
    unknown_setting: int = 404
    unset_settings: bool = False
    routes_anywhere: bool = False
    acceptances_apart: bool = False
    sorts_by_case: bool = False
    gist_addresses: str = "/api"
    typed_responses: bool = True
    newest_path: int | None = None
    pages_with_version: bool = True
    flat_tracker_pages: bool = False
    value_authors: bool = True
    lists_by_gist: bool = False
    says_strategy: bool = False
    names_holders: bool = True
    values_by_accept: bool = True
    enrollment_combos: bool = False
    period_names: bool = False
    stored_by: tuple[str, ...] = ()
    followup: bool = False
    newer_event_grids: bool = False
    older_entity_grids: bool = False
    aligned_cells: bool = False
    upserts: bool = False
    itself: str = "XXXXXSystem"
    translates_unasked: bool = False
    places_geometry: bool = False
    cuts_filters: bool = True
    query_alone: bool = False
    one_enrollment: bool = False
    enrollment_status: bool = True
    nested_complaints: bool = False

    @property
    def minor(self) -> int:
        """42 of 2.42."""
        return int(self.number.split(".")[1])


_OLD = Version(
    "2.41.9.1", "v41", external=False, malformed_uid=404, refuses_empty_filter=True, lenient_parameters=True,
    imports_by_code=True, idle_progress=200, unknown_setting=409, unset_settings=True, itself="system-process", routes_anywhere=True, acceptances_apart=True,
    sorts_by_case=True, gist_addresses="", typed_responses=False, newest_path=42, flat_tracker_pages=True,
    value_authors=False, stored_by=("trackedEntity", "enrollment", "event"), followup=True,
    translates_unasked=True, cuts_filters=False, query_alone=True, one_enrollment=True, older_entity_grids=True, aligned_cells=True,
    enrollment_status=False, nested_complaints=True,
)  # fmt: skip
_NEW = Version(
    "2.43.1", "v43", external=False, unreadable=409, unreadable_patch=400, refuses_unknown_order=True,
    gist_always_next=True, maintenance_says_done=True, pages_with_version=False, upserts=True,
    says_strategy=True, names_holders=False, values_by_accept=False, enrollment_combos=True, period_names=True,
    places_geometry=True, newer_event_grids=True, aligned_cells=True,
    stored_by=("enrollment", "event"),
)  # fmt: skip
VERSIONS = {
    "2.40": replace(_OLD, number="2.40.12", schemas="v40", external=True),
    "2.41": _OLD,
    "2.42": Version("2.42.5.2", "v42"),
    "2.43": _NEW,
    "2.44": replace(_NEW, number="2.44.0", schemas="v44", lists_by_gist=True, stored_by=()),
}
DEFAULT = "2.42"


def version_of(name: str) -> Version:
    """The version called `2.42`, or of which this is a full number. Raises `UsageError` for another."""
    short = ".".join(name.split(".")[:2])
    if short not in VERSIONS:
        raise UsageError(f"the sandbox cannot mimic DHIS2 {name}", hint=f"choose one of {', '.join(VERSIONS)}")
    return VERSIONS[short]
