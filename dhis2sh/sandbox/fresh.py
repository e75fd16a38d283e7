"""What a server holds before anybody has imported anything: the default category model and one superuser."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject

ADMIN = "M5zQapPyTZI"
SUPERUSER = "yrB6vc5Ip3r"


def now() -> str:
    """The current time as DHIS2 writes it."""
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]


def fresh_metadata() -> dict[str, list[JsonObject]]:
    """The objects of an empty DHIS2, with the UIDs that every DHIS2 has for them."""
    moment = now()

    def default(uid: str, **more: object) -> JsonObject:
        return {"id": uid, "name": "default", "code": "default", "created": moment, "lastUpdated": moment, **more}  # type: ignore[dict-item]

    return {
        "categoryOptions": [default("xYerKDKCefk", shortName="default")],
        "categories": [
            default(
                "GLevLNI9wkl",
                shortName="default",
                dataDimensionType="DISAGGREGATION",
                categoryOptions=[{"id": "xYerKDKCefk"}],
            )
        ],
        "categoryCombos": [
            default("bjDvmb4bfuf", dataDimensionType="DISAGGREGATION", categories=[{"id": "GLevLNI9wkl"}])
        ],
        "categoryOptionCombos": [
            default("HllvX50cXC0", categoryCombo={"id": "bjDvmb4bfuf"}, categoryOptions=[{"id": "xYerKDKCefk"}])
        ],
        "userRoles": [
            {"id": SUPERUSER, "name": "Superuser", "code": "Superuser", "created": moment, "lastUpdated": moment,
             "authorities": ["ALL"]}
        ],
        "users": [
            {"id": ADMIN, "name": "admin admin", "code": "admin", "username": "admin", "firstName": "admin",
             "surname": "admin", "created": moment, "lastUpdated": moment, "disabled": False,
             "userRoles": [{"id": SUPERUSER}], "organisationUnits": []}
        ],
    }  # fmt: skip
