"""Further data elements for the larger sizes: a topic, what is counted, of whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dhis2sh.sandbox.seed.aggregate import add_data_element, add_data_set
from dhis2sh.sandbox.seed.book import refs, uid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dhis2sh.sandbox.seed.book import Book

_TOPICS = (
    "Malaria", "Tuberculosis", "HIV", "Nutrition", "Maternal care", "Newborn care", "Child health", "Surgery",
    "Laboratory", "Pharmacy", "Mental health", "Eye care", "Dental care", "Injuries", "Diabetes", "Hypertension",
    "Cancer", "Leprosy", "Rabies", "Snakebite", "Family planning", "Adolescents", "Blood bank",
    "Radiology", "Sanitation",
)  # fmt: skip
_COUNTS = (
    "cases seen", "cases treated", "cases referred", "deaths", "tests done", "tests positive", "follow-up visits",
    "home visits", "kits given", "kits in stock", "staff trained", "sessions held", "samples sent", "results received",
    "transfers in", "transfers out", "admissions", "discharges", "complications", "recoveries",
)  # fmt: skip
TOPICS = len(_TOPICS)


def data_set_name(topic: int) -> str:
    """The name of a topic's data set."""
    return f"{_TOPICS[topic]} report"


def element_name(number: int) -> str:
    """The name of an extra data element: topics take turns, then counts, then groups of people."""
    rest, topic = divmod(number, TOPICS)
    group, count = divmod(rest, len(_COUNTS))
    return f"{_TOPICS[topic]}: {_COUNTS[count]}, group {group + 1}"


def element_ids(topic: int, count: int) -> list[str]:
    """The UIDs of a topic's data elements when there are `count` extra ones in all."""
    return [uid(f"dataElements/{element_name(number)}") for number in range(topic, count, TOPICS)]


def topics(count: int) -> Iterator[int]:
    """The topics that `count` extra data elements cover."""
    yield from range(min(TOPICS, count))


def add_extra(book: Book, count: int) -> None:
    """Add `count` data elements, a group and a data set for each topic."""
    for number in range(count):
        add_data_element(
            book, element_name(number), f"{element_name(number)[:38]} #{number + 1}", f"DE_X{number + 1:05d}"
        )
    for topic in topics(count):
        members = element_ids(topic, count)
        name = _TOPICS[topic]
        book.add("dataElementGroups", name, shortName=name, code=f"DEG_X{topic + 1:02d}", dataElements=refs(members))
        add_data_set(book, data_set_name(topic), f"{name} report", members, code=f"DS_X{topic + 1:02d}")
