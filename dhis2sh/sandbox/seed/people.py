"""Users, roles and groups, and the small types: options, legends, attributes, constants, SQL views, a map layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dhis2sh.sandbox.seed.book import french, part, ref, refs
from dhis2sh.sandbox.store.fresh import ADMIN

if TYPE_CHECKING:
    from dhis2sh.sandbox.seed.book import Book
    from dhis2sh.sandbox.seed.places import Places

_ROLES = {
    "Administrator": ("ALL",),
    "Data entry": ("F_DATAVALUE_ADD", "F_DATAVALUE_DELETE", "M_dhis-web-dataentry"),
    "Data analyst": ("M_dhis-web-data-visualizer", "M_dhis-web-maps", "F_VISUALIZATION_PUBLIC_ADD"),
}
# (username, first name, surname, role, where: the region's number, or None for the whole country)
_USERS = (
    ("admin", "Ada", "Admin", "Administrator", None),
    ("mara.ostvik", "Mara", "Østvik", "Data entry", 0),
    ("ilu.keshti", "Ilu", "Kešti", "Data entry", 1),
    ("orsa.fenn", "Orsa", "Fenn", "Data analyst", None),
    ("retired.clerk", "Retired", "Clerk", "Data entry", 2),
)
_GROUPS = {
    "Administrators": ("admin",),
    "Data managers": ("admin", "mara.ostvik", "ilu.keshti"),
    "Analysts": ("orsa.fenn",),
}
_OPTION_SETS = {
    "Water sources": (
        ("PIPED", "Piped water"),
        ("BOREHOLE", "Borehole"),
        ("WELL", "Protected well"),
        ("RIVER", "River"),
    ),
    "Sexes": (("F", "Female"), ("M", "Male")),
    "Outcomes of pregnancy": (("LIVE", "Live birth"), ("STILL", "Stillbirth"), ("LOST", "Lost to follow-up")),
    "Yes, no, unknown": (("YES", "Yes"), ("NO", "No"), ("UNKNOWN", "Unknown")),
}
_LEGENDS = {
    "Coverage": (
        (0, 50, "Low", "#d73027"),
        (50, 80, "Medium", "#fee08b"),
        (80, 100, "High", "#1a9850"),
        (100, 1000, "Invalid", "#762a83"),
    ),
    "Monthly numbers": ((0, 10, "Few", "#f7fbff"), (10, 50, "Some", "#6baed6"), (50, 100000, "Many", "#08306b")),
}
_ATTRIBUTE_OWNERS = (
    "program dataElement dataElementGroup indicator indicatorGroup dataSet organisationUnit organisationUnitGroup "
    "organisationUnitGroupSet user userGroup programStage trackedEntityType trackedEntityAttribute categoryOption "
    "categoryOptionGroup document option optionSet legendSet constant programIndicator sqlView categoryOptionCombo "
    "section categoryOptionGroupSet dataElementGroupSet validationRule validationRuleGroup category visualization map "
    "eventReport eventChart relationshipType"
)


def add_people(book: Book, places: Places) -> None:
    """Roles, users (`admin` may do everything, one user is disabled) and user groups."""
    for name, authorities in _ROLES.items():
        nobody: dict[str, object] = {"external": False, "users": {}, "userGroups": {}}
        book.add(
            "userRoles",
            name,
            code=name.replace(" ", "_").upper(),
            description=name,
            authorities=list(authorities),
            restrictions=[],
            sharing=nobody,
        )
    for username, first, surname, role, region in _USERS:
        where = refs([places.root if region is None else places.region_ids[region]])
        more = {"id": ADMIN} if username == "admin" else {"key": username}
        book.add(
            "users",
            f"{first} {surname}",
            **more,
            code=username,
            username=username,
            firstName=first,
            surname=surname,
            email=f"{username}@example.org",
            disabled=username == "retired.clerk",
            externalAuth=False,
            selfRegistered=False,
            invitation=False,
            passwordLastUpdated="2025-01-06T09:30:00.000",
            lastLogin="2025-01-06T09:30:00.000",
            cogsDimensionConstraints=[],
            catDimensionConstraints=[],
            organisationUnits=where,
            dataViewOrganisationUnits=where,
            teiSearchOrganisationUnits=where,
            userRoles=refs(book.ids("userRoles", role)),
        )
        book.objects["users"][-1].pop("translations")
    for name, members in _GROUPS.items():
        users = [ADMIN if username == "admin" else book.id("users", username) for username in members]
        book.add("userGroups", name, code=name.upper().replace(" ", "_"), users=refs(users), managedGroups=[])


def add_options_and_legends(book: Book) -> None:
    """Option sets with their options (one group of options) and legend sets with their legends."""
    for set_name, options in _OPTION_SETS.items():
        members = [
            book.add(
                "options",
                name,
                key=f"{set_name}/{code}",
                code=code,
                sortOrder=order,
                optionSet={"id": ""},
                translations=[],
            )
            for order, (code, name) in enumerate(options, 1)
        ]
        owner = book.add("optionSets", set_name, valueType="TEXT", version=1, options=refs(members))
        for option in book.objects["options"][-len(options) :]:
            option["optionSet"] = {"id": owner}
            option.pop("lastUpdatedBy")
    safe = book.ids("options", "Water sources/PIPED", "Water sources/BOREHOLE")
    water = ref(book.id("optionSets", "Water sources"))
    book.add("optionGroups", "Safe water", shortName="Safe water", optionSet=water, options=refs(safe))
    for set_name, legends in _LEGENDS.items():
        book.add(
            "legendSets",
            set_name,
            symbolizer="color",
            legends=[
                part(
                    f"legends/{set_name}/{name}",
                    name=name,
                    displayName=name,
                    startValue=float(low),
                    endValue=float(high),
                    color=colour,
                )
                for low, high, name, colour in legends
            ],
        )


def add_attributes(book: Book) -> None:
    """Two attributes: one unique, of hospitals (their values are with the units), one of data elements."""
    for code, name, short, owners, unique in (
        ("REGISTRY_ID", "Number in the facility registry", "Registry no.", ("organisationUnit",), True),
        ("REGISTER", "Paper register", "Register", ("dataElement", "indicator"), False),
    ):
        book.add(
            "attributes",
            name,
            key=code,
            code=code,
            shortName=short,
            valueType="TEXT",
            mandatory=False,
            unique=unique,
            objectTypes=["ORGANISATION_UNIT" if owner == "organisationUnit" else _upper(owner) for owner in owners],
            **{f"{owner}Attribute": owner in owners for owner in _ATTRIBUTE_OWNERS.split()},
        )


def _upper(camel: str) -> str:
    return "".join(f"_{letter}" if letter.isupper() else letter for letter in camel).upper()


def add_attribute_values(book: Book) -> None:
    """Values of the attribute of data elements and indicators."""
    register = book.id("attributes", "REGISTER")
    for plural, name, value in (
        ("dataElements", "Live births", "Maternity register, column 7"),
        ("dataElements", "Stillbirths", "Maternity register, column 8"),
        ("indicators", "Stillbirth rate", "Maternity register"),
    ):
        book.get(plural, name)["attributeValues"] = [{"value": value, "attribute": {"id": register}}]


def add_small_types(book: Book) -> None:
    """Constants, the three kinds of SQL view, a map layer of somebody else."""
    book.add("constants", "Days in a month", shortName="Days in month", code="DAYS_IN_MONTH", value=30.4)
    book.add("constants", "Target coverage", shortName="Target", value=95, translations=french("Couverture cible"))
    for name, kind, description, query in (
        (
            "Facilities without coordinates",
            "VIEW",
            "Facilities that maps cannot show.",
            "SELECT uid, name FROM organisationunit WHERE hierarchylevel = 4 AND geometry IS NULL ORDER BY name",
        ),
        (
            "Data elements with a word in their name",
            "QUERY",
            "Wants the variable `word`, as in `var=word:malaria`.",
            "SELECT uid, name, valuetype FROM dataelement WHERE name ILIKE '%${word}%' ORDER BY name",
        ),
        (
            "Data elements by value type",
            "MATERIALIZED_VIEW",
            "Refresh it after changes.",
            "SELECT valuetype, count(*) AS elements FROM dataelement GROUP BY valuetype ORDER BY valuetype",
        ),
    ):
        book.add(
            "sqlViews", name, description=description, sqlQuery=query, type=kind, cacheStrategy="RESPECT_SYSTEM_SETTING"
        )
        book.objects["sqlViews"][-1].pop("translations")
    book.add(
        "externalMapLayers",
        "Example tiles",
        code="EXAMPLE_TILES",
        mapService="XYZ",
        imageFormat="PNG",
        mapLayerPosition="BASEMAP",
        url="https://tiles.example.org/{z}/{x}/{y}.png",
        attribution="Example tiles, drawn from nothing",
    )
