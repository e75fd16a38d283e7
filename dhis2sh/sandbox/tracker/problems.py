"""What an import complains about: one problem of one item, with its message and arguments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dhis2sh.sandbox.tracker.bundle import Item
from dhis2sh.sandbox.tracker.codes import MESSAGES

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue


@dataclass(frozen=True, slots=True)
class Named:
    """An argument that refers to metadata: the message shows its identifier, the arguments how it was sought."""

    identifier: str | None

    def __str__(self) -> str:
        return str(self.identifier or "")

    def argument(self) -> str:
        """As the server prints it among `args`."""
        return f"MetadataIdentifier(idScheme=UID, identifier={self.identifier}, attributeValue=null)"


@dataclass(frozen=True, slots=True)
class Problem:
    """One error or warning of a report."""

    item: Item
    code: str
    args: tuple[object, ...]

    def body(self) -> JsonObject:
        """As the report shows it."""
        message = MESSAGES[self.code]
        for number, arg in enumerate(self.args):
            message = message.replace(f"{{{number}}}", str(arg))
        shown: list[JsonValue] = [arg.argument() if isinstance(arg, Named) else _argument(arg) for arg in self.args]
        return {"message": message, "errorCode": self.code, "trackerType": self.item.type, "uid": self.item.uid,
                "args": shown}  # fmt: skip


def _argument(value: object) -> str:
    """A moment stands in the message with milliseconds and among the arguments in UTC without."""
    text = str(value)
    return f"{text.removesuffix('.000')}Z" if len(text) == 23 and text[10] == "T" else text
