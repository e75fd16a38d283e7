"""What an import complains about: one problem of one item, with its message and arguments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dhis2sh.sandbox.tracker.imports.bundle import Item
from dhis2sh.sandbox.tracker.imports.codes import message

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue


@dataclass(frozen=True, slots=True)
class Named:
    """An argument that refers to metadata: the message shows its identifier, the arguments how it was sought."""

    identifier: str | None

    def __str__(self) -> str:
        return str(self.identifier or "null")

    def argument(self) -> str:
        """As the server prints it among `args`."""
        return f"MetadataIdentifier(idScheme=UID, identifier={self.identifier}, attributeValue=null)"


@dataclass(frozen=True, slots=True)
class Problem:
    """One error or warning of a report."""

    item: Item
    code: str
    args: tuple[object, ...]

    def error(self, minor: int) -> JsonObject:
        """As a version's report shows an error."""
        shown: list[JsonValue] = [arg.argument() if isinstance(arg, Named) else _argument(arg) for arg in self.args]
        return {"message": self._message(minor), "errorCode": self.code, "trackerType": self.item.type,
                "uid": self.item.uid, "args": shown}  # fmt: skip

    def warning(self, minor: int) -> JsonObject:
        """As a version's report shows a warning."""
        return {"message": self._message(minor), "trackerType": self.item.type, "uid": self.item.uid,
                "warningCode": self.code}  # fmt: skip

    def _message(self, minor: int) -> str:
        text = message(self.code, minor)
        for number, arg in enumerate(self.args):
            text = text.replace(f"{{{number}}}", str(arg))
        return text


def _argument(value: object) -> str:
    """A moment stands in the message with milliseconds and among the arguments in UTC without."""
    text = str(value)
    return f"{text.removesuffix('.000')}Z" if len(text) == 23 and text[10] == "T" else text
