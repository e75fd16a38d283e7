"""Reads `multipart/form-data` with the standard library: an upload is small here, and no package is worth it."""

from __future__ import annotations

from dataclasses import dataclass
from email.parser import BytesParser
from email.policy import HTTP


@dataclass(frozen=True, slots=True)
class Part:
    """One field of a form.

    Parameters:
        name: of the field.
        filename: None for a plain field.
        content_type: as the client says.
    """

    name: str
    filename: str | None
    content_type: str
    content: bytes


def read_form(content_type: str, raw: bytes) -> dict[str, Part]:
    """The fields of a form by name; empty when the body is no form."""
    if not content_type.startswith("multipart/form-data"):
        return {}
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    message = BytesParser(policy=HTTP).parsebytes(head + raw)
    found: dict[str, Part] = {}
    for part in message.iter_parts() if message.is_multipart() else ():
        name = part.get_param("name", header="content-disposition")
        payload = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(payload, bytes):
            found[name] = Part(name, part.get_filename(), part.get_content_type(), payload)
    return found
