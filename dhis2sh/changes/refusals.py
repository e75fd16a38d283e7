"""Refusals of a server: the last one, kept for `explain` in another process too, and what error codes mean in words."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from dhis2sh import paths
from dhis2sh.errors import Dhis2Error, PartlyDone, Refused
from dhis2sh.redact import redact

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject

NAMES = "$names"
"""Under this an envelope may have the names of objects that the server does not have, by UID, for `explain`."""
UID = re.compile(r"(?<![\w-])[a-zA-Z][a-zA-Z0-9]{10}(?![\w-])")
"""What may be a UID inside a text; a word of eleven letters may be one too."""


@dataclass(frozen=True, slots=True)
class Advice:
    """What a code means, and what to do: a command, or a sentence where there is none. `{uid}` and `{type}` are the object's."""

    means: str
    next: str


ADVICE: Mapping[str, Advice] = {
    "E3000": Advice("you may not create objects of this type", "dhis2 system whoami  shows your authorities"),
    "E3001": Advice("you may not change this object", "its owner shares it: dhis2 metadata share {type} {uid}"),
    "E3002": Advice("you may not delete this object", "its owner shares it: dhis2 metadata share {type} {uid}"),
    "E3010": Advice("an access string in its sharing is malformed", "it has eight characters, such as rw------"),
    "E3011": Advice("its type has no data sharing", "leave the data bits out: rw------ instead of rwrw----"),
    "E3012": Advice("you may not see an object that it refers to", "have that object shared with you"),
    "E4000": Advice("a property that the server wants is missing", "dhis2 metadata describe {type}  marks what is required"),
    "E4001": Advice("a text is too long", "shorten it: dhis2 metadata describe {type}  shows the greatest length"),
    "E4002": Advice("a text is too short or too long", "dhis2 metadata describe {type}  shows its lengths"),
    "E4004": Advice("a web address is malformed", "it begins with http:// or https://"),
    "E4009": Advice("an attribute's value must be unique and another object has it", "dhis2 metadata attribute find"),
    "E4010": Advice("an attribute is not meant for this type", "switch it on for the type: dhis2 metadata attributes update"),
    "E4011": Advice("a mandatory attribute has no value", "dhis2 metadata attribute set {type}"),
    "E4014": Advice("a UID is malformed", "a UID is a letter and ten letters or digits"),
    "E4015": Advice("it refers to an object that does not exist", "dhis2 metadata search  finds the right one"),
    "E4023": Advice("two properties exclude each other", "leave one of them out"),
    "E4027": Advice("a value is not valid for its property", "dhis2 metadata describe {type}  lists the values"),
    "E4028": Advice("the option set has that option already", "dhis2 metadata options find"),
    "E4030": Advice(
        "it cannot be deleted while other objects or data need it",
        "dhis2 metadata usage {uid}  lists what holds it; change or delete that first",
    ),
    "E5000": Advice("an object with this UID exists already", "--strategy create-and-update changes it instead"),
    "E5001": Advice("there is no object with this UID to change or delete", "--strategy create-and-update creates it"),
    "E5002": Advice(
        "it refers to an object that is neither in the bundle nor on the server",
        "export it again with --deps --with org-units,sharing; or import with --drop-dangling",
    ),
    "E5003": Advice(
        "another object has its unique name or code",
        "choose another one; of a bundle: dhis2 metadata merge-bundle FILE  says whose it is, and what settles it",
    ),
    "E5004": Advice("its UID occurs twice in the bundle", "take one of the two out"),
    "E5005": Advice("two objects of the bundle share what must be unique", "rename one of the two"),
    "E5006": Advice("a list belongs to the other object", "import the object that owns the list"),
    "E5007": Advice("a list refers to the same object twice", "take one of the two out"),
    "E5008": Advice("you may not read an object that it refers to", "have that object shared with you"),
    "E6012": Advice("an attribute is not meant for this type", "switch it on for the type: dhis2 metadata attributes update"),
    "E6023": Advice("this type cannot be imported as metadata", "leave it out: --types"),
    "E1120": Advice("data has been entered that the change would hide", "keep the option, or delete the data first"),
    "E1121": Advice("a value type cannot change once there is data", "create another data element"),
    "E1134": Advice("only code, attributes and approval of an option combo may change", "change its category combo"),
    "E2005": Advice("a duration is none", "a number and d, h, m or s: 30d"),
    "E7143": Advice(
        "a unit, a level or a group of `ou` is none",
        "dhis2 metadata list organisationUnitLevels  has the levels: LEVEL-2, or one by its name as LEVEL-District",
    ),
    "E7144": Advice(
        "the analytics tables were never built", "dhis2 maintenance refresh analytics --watch  builds them"
    ),
    "E7005": Advice("a cron expression is none", "six fields, seconds first: 0 0 2 * * ?"),
}  # fmt: skip
"""By the code of the server; a code that is not here is left in the server's own words.

API source: api-facts b.3.
"""


def advice(code: str | None, *, uid: str | None = None, type: str | None = None) -> Advice | None:
    """What a code means and what to do about one object; None for a code that nobody has written about."""
    found = ADVICE.get(code or "")
    if found is None:
        return None
    return Advice(found.means, found.next.replace("{uid}", uid or "UID").replace("{type}", type or "TYPE"))


def uids_in(text: str) -> list[str]:
    """What may be UIDs in a text."""
    return list(dict.fromkeys(UID.findall(text)))


def named(text: str, names: Mapping[str, str]) -> str:
    """A server's text with the name put beside each UID that has one and comes without it (`on object Sex [UID]` has it).

    Parameters:
        names: what people call an object, by UID.
    """
    for uid in uids_in(text):
        name = names.get(uid)
        if name and name not in text.replace(uid, "") and not re.search(rf"on object [^\[\]]+ \[{uid}\]", text):
            text = text.replace(f"[{uid}]", uid, 1).replace(uid, f"'{name}' [{uid}]", 1)
    return text


def keep(error: Dhis2Error, profile: str | None = None) -> None:
    """Remember a server's refusal, its whole envelope with it, secrets taken out.

    Parameters:
        error: the refusal; profile: whose server refused.
    """
    kept: JsonObject = {
        "error": type(error).__name__,
        "message": error.message,
        "code": error.code,
        "hint": error.hint,
        "status": error.status if isinstance(error, Refused) else None,
        "profile": profile,
        "envelope": _envelope(error),
    }
    paths.write_quietly(_file(), redact(json.dumps(kept, ensure_ascii=False)))


def _envelope(error: Dhis2Error) -> JsonObject | None:
    """The server's whole answer; of a write that was done in part, that of its summary."""
    holder = error.summary if isinstance(error, PartlyDone) else error
    return getattr(holder, "envelope", None)


def last() -> JsonObject | None:
    """What was kept last, or None."""
    try:
        kept = json.loads(_file().read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return cast("JsonObject", kept) if isinstance(kept, dict) else None


def _file() -> Path:
    return paths.data_dir() / "last-refusal.json"
