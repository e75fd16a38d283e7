"""The order in which the server lists what it keeps in hash tables: it follows from the names alone.

Its JSON reader keeps constants in two, one after the other (Java's HashMap, then Jackson's compact map).
"""

from __future__ import annotations

from collections.abc import Iterable


def _hash(text: str) -> int:
    """Java's `String.hashCode`, as an unsigned number."""
    value = 0
    for letter in text:
        value = (31 * value + ord(letter)) & 0xFFFFFFFF
    return value


def hashed(names: Iterable[str]) -> list[str]:
    """Texts in the order in which Java's `HashMap` or `HashSet` gives them back, those of one bucket as they come."""
    names = list(names)
    size = 16
    while len(names) > 0.75 * size:
        size *= 2
    buckets: list[list[str]] = [[] for _ in range(size)]
    for name in names:
        value = _hash(name)
        buckets[(value ^ value >> 16) & (size - 1)].append(name)
    return [name for bucket in buckets for name in bucket]


def _compact_map(names: list[str]) -> list[str]:
    """Slots by hash, then half as many second choices, then what is spilled."""
    size = 8 if len(names) <= 5 else 16 if len(names) <= 12 else 32
    while len(names) > 12 and size < len(names) + len(names) // 4:
        size *= 2
    first: dict[int, str] = {}
    second: dict[int, str] = {}
    spilled: list[str] = []
    for name in names:
        slot = _hash(name) & (size - 1)
        if slot not in first:
            first[slot] = name
        elif slot >> 1 not in second:
            second[slot >> 1] = name
        else:
            spilled.append(name)
    return [first[at] for at in sorted(first)] + [second[at] for at in sorted(second)] + spilled


def accepted(constants: Iterable[str]) -> str:
    """The constants of an enum as the reader's complaint lists them."""
    return ", ".join(_compact_map(hashed(constants)))
