"""What a recorded server answered, with the model that its own OpenAPI description names for it."""

import gzip
import importlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from dhis2sh.models import facts
from dhis2sh.models.base import Model
from tests.shared import shared

_REF = "#/components/schemas/"
_TRANSFORMER = re.compile(r"~|::|\|")  # the three spellings: `children~size`, `children::size`, `children|size`

# The lists of a page of tracker objects, which the description leaves open: class by version
_TRACKER = {
    "trackedEntities": "TrackedEntity",
    "enrollments": "Enrollment",
    "events": "Event",
    "relationships": "Relationship",
}


@dataclass(frozen=True)
class Answer:
    """One JSON object of an answer, and the class that it should be."""

    model: str
    row: dict[str, Any]
    where: str  # for the failure's message: the file, the step and the request


@cache
def recorded(version: str, name: str) -> Any:
    return json.loads(gzip.decompress(shared("real", version, f"{name}.json.gz").read_bytes()))


def model(version: str, name: str) -> type[Model]:
    return getattr(importlib.import_module(f"dhis2_models.{version}"), name)


def exported(version: str = "v42") -> Iterator[Answer]:
    """Every object of the recorded metadata export."""
    table = facts.resources(version)
    for plural, rows in recorded(version, "metadata").items():
        if isinstance(rows, list):
            yield from (Answer(table[plural].model, row, f"metadata {plural} {row.get('id')}") for row in rows)


def tracker_model(version: str, key: str) -> str:
    """The class of a tracker object: `EventInfo` in 2.40, `TrackerEvent` in 2.41 and 2.42, `Event` since."""
    if version == "v40":
        return _TRACKER[key] + "Info"
    return "Event" if key == "events" and version >= "v43" else "Tracker" + _TRACKER[key]


def tracked() -> Iterator[Answer]:
    """Every recorded tracked entity, with its enrollments and events in it, and every single event."""
    for name in ("trackedEntities", "events"):
        for row in recorded("v42", name)[name]:
            yield Answer(tracker_model("v42", name), row, f"{name} {row.get('event') or row.get('trackedEntity')}")


def sent(version: str) -> Iterator[Answer]:
    """Every object of the recorded request bodies that a server took, where its description names the model."""
    for where, exchange in _exchanges(version):
        if exchange["response"]["status"] < 300:
            operation = _operation(version, exchange["method"], exchange["path"])
            schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            yield from _objects(version, schema, exchange["request"]["body"], f"sent by {where}")


def wire(version: str) -> Iterator[Answer]:
    """Every object of the recorded exchanges whose model the server's description names."""
    for where, exchange in _exchanges(version):
        response = exchange["response"]
        if not str(response["content_type"]).startswith("application/json"):
            continue
        if any(_TRANSFORMER.search(value) for key, value in exchange["query"] if key == "fields"):
            continue  # a transformer was asked for: the answer is not of the model's shape
        body = response["body"]
        if isinstance(body, dict) and "httpStatusCode" in body:  # whatever the description says
            yield Answer("WebMessage", body, where)
        elif isinstance(body, dict) and "validationReport" in body:
            yield Answer("TrackerImportReport", body, where)
        elif response["status"] < 400:
            answers = _operation(version, exchange["method"], exchange["path"]).get("responses", {})
            found = answers.get(str(response["status"])) or answers.get("200") or answers.get("201") or {}
            schema = found.get("content", {}).get("application/json", {}).get("schema")
            yield from _objects(version, schema, body, where)


def _exchanges(version: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every recorded exchange, with what a failure calls it."""
    for file in sorted(shared("wire", version).glob("*.jsonl")):
        for line in file.read_text("utf-8").splitlines():
            exchange = json.loads(line)
            request = f"{exchange['method']} {exchange['path']} {exchange['query']}"
            yield f"{file.stem} {exchange['step']}: {request}", exchange


def _operation(version: str, method: str, path: str) -> dict[str, Any]:
    """What the description says of a request; empty where it says nothing."""
    bare = path.removeprefix("/api").removesuffix(".json").strip("/")
    found = (operations for pattern, operations in _paths(version) if pattern.fullmatch(bare))
    return next((operations[method.lower()] for operations in found if method.lower() in operations), {})


@cache
def _paths(version: str) -> list[tuple[re.Pattern[str], Any]]:
    """Paths without parameters first, so that `/dataElements/gist` is not an object with the UID `gist`."""
    rows: list[tuple[int, str, re.Pattern[str], Any]] = []
    for path, operations in recorded(version, "openapi")["paths"].items():
        bare = path.removeprefix("/api").removesuffix(".json").strip("/")
        parts = [re.escape(part) if part[:1] != "{" else "[^/]+" for part in re.split(r"(\{[^}]*\})", bare)]
        rows.append((bare.count("{"), bare, re.compile("".join(parts)), operations))
    return [(pattern, operations) for _, _, pattern, operations in sorted(rows, key=lambda row: row[:2])]


def _objects(version: str, schema: Any, body: Any, where: str) -> Iterator[Answer]:
    if not isinstance(schema, dict):
        return
    name = schema.get("$ref", "").removeprefix(_REF)
    if name in ("Page", "TrackerPage") and isinstance(body, dict):
        for key in _TRACKER.keys() & body.keys():
            yield from (Answer(tracker_model(version, key), row, where) for row in body[key])
    elif name and isinstance(body, dict):
        found = getattr(importlib.import_module(f"dhis2_models.{version}"), name)
        if isinstance(found, type) and issubclass(found, Model):  # not a name for a plain value
            yield Answer(name, body, where)
    elif "items" in schema and isinstance(body, list):
        for item in body:
            yield from _objects(version, schema["items"], item, where)
    elif "properties" in schema and isinstance(body, dict):
        for key, value in body.items():
            yield from _objects(version, schema["properties"].get(key), value, where)
