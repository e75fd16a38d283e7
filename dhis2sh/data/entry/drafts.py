"""What was entered and not sent yet: a small file for each form, written with every change, found again by the next start."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from dhis2sh import paths
from dhis2sh.errors import Dhis2Error
from dhis2sh.files import parse_json

if TYPE_CHECKING:
    from dhis2sh.data.entry.form import Form, Key
    from dhis2sh.types import JsonObject

PRIVATE = 0o600
"""A draft is read by its writer alone: health data are nobody else's."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What was entered.

    Parameters:
        entered: by field.
        base: what the server had there when it was typed.
        saved: when the file was written.
    """

    entered: dict[Key, str]
    base: dict[Key, str]
    saved: str


def path_of(profile: str, url: str, form: Form) -> Path:
    """Where the draft of a form lies."""
    what = "\n".join([url, form.data_set, form.period, form.unit, form.attribute_combo])
    name = hashlib.sha256(what.encode()).hexdigest()[:20]
    return paths.data_dir() / "drafts" / profile / f"{name}.json"


def read(path: Path) -> Draft | None:
    """A draft, None where there is none. Raises `Dhis2Error` for one that cannot be read: it may hold an hour's work."""
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Dhis2Error(f"the draft {path} cannot be read: {error.strerror}", hint="make it readable") from error
    try:
        body = cast("JsonObject", parse_json(text, str(path)))
        return Draft(_fields(body["entered"]), _fields(body["base"]), str(body["saved"]))
    except (Dhis2Error, KeyError, TypeError, AttributeError, ValueError) as error:
        raise Dhis2Error(f"the draft {path} is no draft of ours: {error}", hint=f"mv {path} {path}.old") from error


def write(path: Path, entered: dict[Key, str], base: dict[Key, str]) -> None:
    """Keep a draft; one without anything goes. Raises `OSError`."""
    import orjson  # start-up: only a form that is open writes drafts

    if not entered:
        path.unlink(missing_ok=True)
        return
    body = {
        "saved": dt.datetime.now().astimezone().isoformat(timespec="seconds"),
        "entered": {".".join(key): text for key, text in entered.items()},
        "base": {".".join(key): base.get(key, "") for key in entered},
    }
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    paths.write_atomic(path, orjson.dumps(body, option=orjson.OPT_INDENT_2).decode(), mode=PRIVATE)


def _fields(body: object) -> dict[Key, str]:
    found: dict[Key, str] = {}
    for name, text in cast("dict[str, object]", body).items():
        element, dot, combo = name.partition(".")
        if not dot or not isinstance(text, str):
            raise ValueError(name)
        found[element, combo] = text
    return found
