"""What a server holds before anybody has imported anything: the default category model and one superuser."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from dhis2sh.sandbox.java.moments import now

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject

ADMIN = "M5zQapPyTZI"
SUPERUSER = "yrB6vc5Ip3r"
DEFAULT_CATEGORY_OPTION = "xYerKDKCefk"
DEFAULT_CATEGORY = "GLevLNI9wkl"
DEFAULT_CATEGORY_COMBO = "bjDvmb4bfuf"
DEFAULT_OPTION_COMBO = "HllvX50cXC0"
"""The default category model: what has no categories belongs to it."""


_JOBS = (
    ("DHIS2rocks1", "Housekeeping", "HOUSEKEEPING", "20"),
    ("sHMedQF7VYa", "Credentials expiry alert", "CREDENTIALS_EXPIRY_ALERT", "0 0 2 ? * *"),
    ("BFa3jDsbtdO", "Data statistics", "DATA_STATISTICS", "0 0 2 ? * *"),
    ("D2datatrim8", "Data value trim", "DATA_VALUE_TRIM", "0 0 1 ? * *"),
    ("YvAwAmrqAtN", "Dataset notification", "DATA_SET_NOTIFICATION", "0 0 2 ? * *"),
    ("pd6O228pqr0", "File resource clean up", "FILE_RESOURCE_CLEANUP", "0 0 2 ? * *"),
    ("uwWCT2BMmlq", "Remove expired or used reserved values", "REMOVE_USED_OR_EXPIRED_RESERVED_VALUES", "0 0 2 ? * *"),
    ("vt21671bgno", "System version update check notification", "SYSTEM_VERSION_UPDATE_CHECK", "19 19 5 ? * *"),
    ("fUWM1At1TUx", "User account expiry alert", "ACCOUNT_EXPIRY_ALERT", "0 0 2 ? * *"),
    ("Js3vHn2AVuG", "Validation result notification", "VALIDATION_RESULTS_NOTIFICATION", "0 0 7 ? * *"),
)
"""The jobs of every DHIS2, with the UIDs that they have everywhere: UID, name, type, cron or seconds between runs."""


def fresh_metadata() -> dict[str, list[JsonObject]]:
    """The objects of an empty DHIS2, with the UIDs that every DHIS2 has for them."""
    moment = now()

    def default(uid: str, **more: object) -> JsonObject:
        return {"id": uid, "name": "default", "code": "default", "created": moment, "lastUpdated": moment, **more}  # type: ignore[dict-item]

    jobs = [
        {"id": uid, "name": name, "created": moment, "lastUpdated": moment, "jobType": kind, "enabled": True,
         "jobStatus": "SCHEDULED", "lastExecutedStatus": "NOT_STARTED",
         **({"schedulingType": "FIXED_DELAY", "delay": 20} if when == "20" else
            {"schedulingType": "CRON", "cronExpression": when})}
        for uid, name, kind, when in _JOBS
    ]  # fmt: skip
    return {
        "jobConfigurations": cast("list[JsonObject]", jobs),
        "categoryOptions": [default(DEFAULT_CATEGORY_OPTION, shortName="default")],
        "categories": [
            default(
                DEFAULT_CATEGORY,
                shortName="default",
                dataDimensionType="DISAGGREGATION",
                dataDimension=False,
                categoryOptions=[{"id": DEFAULT_CATEGORY_OPTION}],
            )
        ],
        "categoryCombos": [
            default(DEFAULT_CATEGORY_COMBO, dataDimensionType="DISAGGREGATION", categories=[{"id": DEFAULT_CATEGORY}])
        ],
        "categoryOptionCombos": [
            default(DEFAULT_OPTION_COMBO, categoryCombo={"id": DEFAULT_CATEGORY_COMBO}, categoryOptions=[{"id": DEFAULT_CATEGORY_OPTION}])
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
