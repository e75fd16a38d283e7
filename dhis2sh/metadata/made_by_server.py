"""Types whose objects a server makes itself: created, copied or renamed by hand they are refused, or are there twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dhis2sh.errors import UsageError

if TYPE_CHECKING:
    from dhis2sh.models.facts import Resource


@dataclass(frozen=True, slots=True)
class Made:
    """Out of what a server makes them, and the command that has it make them."""

    of: str
    instead: str


MADE_BY_SERVER: Mapping[str, Made] = {
    "categoryOptionCombos": Made(
        "out of the categories of a combination, and names them after their options (E1130, E1134)",
        "dhis2 metadata category-combos regenerate",
    ),
    "oAuth2Authorizations": Made("when somebody signs in", "dhis2 metadata o-auth2-clients list"),
    "oAuth2AuthorizationConsents": Made("when somebody consents", "dhis2 metadata o-auth2-clients list"),
}  # fmt: skip
CHANGED = frozenset({"create", "clone", "rename", "add", "remove"})
"""What nobody can do by hand with such objects."""


def check_by_hand(resource: Resource, word: str) -> None:
    """Raise `UsageError` where objects of a type are not created, copied, renamed or filled by hand.

    Parameters:
        word: `create`, `clone`, `rename`, `add`, `remove`.
    """
    made = MADE_BY_SERVER.get(resource.plural)
    if made is not None and word in CHANGED:
        raise UsageError(f"{word} {resource.plural}: a server makes them itself, {made.of}", hint=made.instead)
