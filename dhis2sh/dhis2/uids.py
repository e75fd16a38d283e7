"""UIDs by the server's rule: eleven characters, a letter first, then letters and digits."""

from __future__ import annotations

import random
import re

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ALPHABET = "0123456789" + _LETTERS
_VALID = re.compile(r"[a-zA-Z][a-zA-Z0-9]{10}")
_WITHIN = re.compile(rf"(?<![A-Za-z0-9]){_VALID.pattern}(?![A-Za-z0-9])")


def is_uid(text: str | None) -> bool:
    """Whether a text is a valid UID; `None` is not. Says nothing of whether an object has it.

    API source: `CodeGenerator.java`.
    """
    return text is not None and _VALID.fullmatch(text) is not None


def found_in(text: str) -> list[str]:
    """What may be UIDs within a text: a formula, an item of analytics, an object as JSON."""
    return _WITHIN.findall(text)


def generate_uid(source: random.Random | None = None) -> str:
    """A new UID, every valid one equally likely, without asking the server (`GET /api/system/id`).

    A UID is no secret, so the generator need not be secure; `source` with a seed gives the same UIDs again.

    API source: `CodeGenerator.java`.
    """
    chosen = source or _random
    return chosen.choice(_LETTERS) + "".join(chosen.choices(_ALPHABET, k=10))


# Of the operating system: two processes, or a parent and its fork, never share a state and repeat each other.
_random: random.Random = random.SystemRandom()
