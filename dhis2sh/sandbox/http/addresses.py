"""Addresses that a server has: where the sandbox has nobody for one, it says so in place of "no such address"."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import cast

from dhis2sh.sandbox.facts import fact
from dhis2sh.sandbox.http.answers import UID
from dhis2sh.sandbox.refused import Refused, not_imitated


@cache
def _patterns() -> Mapping[str, re.Pattern[str]]:
    """By method the addresses that a server's OpenAPI has besides those that all types of metadata share."""
    parts = {"{uid}": UID, "{}": "[^/]+"}
    found: dict[str, re.Pattern[str]] = {}
    for method, addresses in cast("dict[str, list[str]]", fact("addresses")).items():
        texts = [
            "".join(parts.get(piece) or re.escape(piece) for piece in re.split(r"(\{(?:uid)?\})", address))
            for address in addresses
        ]
        found[method] = re.compile("|".join(texts))
    return found


def of_a_server(method: str, path: str) -> bool:
    """Does a server answer here (`/api/metrics`)?"""
    address = path.removeprefix("/api").rstrip("/")
    pattern = _patterns().get(method)
    return address.endswith("/gist.csv") or (pattern is not None and pattern.fullmatch(address) is not None)


def unanswered(no: Refused, method: str, path: str) -> Refused:
    """What to say where nobody answered: 501 for an address that a server has, else the refusal itself.

    Parameters:
        no: what would be said of an address that there is not.
    """
    nobody = no.status == 405 or (no.status == 404 and no.page)
    return not_imitated(f"{method} {path}") if nobody and of_a_server(method, path) else no
