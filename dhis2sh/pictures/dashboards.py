"""A whole dashboard as one page: every item at its place, with its numbers of today, and nothing loaded from anywhere.

API source: `GET /api/dashboards/{uid}` (recorded: write-visual); the grid is 60 columns wide.
"""

from __future__ import annotations

import html
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dhis2sh.client.limits import gather_bounded
from dhis2sh.client.specs import GRID_WIDTH
from dhis2sh.errors import CheckFailed, Dhis2Error, UsageError
from dhis2sh.metadata.types.visuals.dashboards import BOARDS, FIELDS, HOLDERS, LISTS, SPACER
from dhis2sh.pictures import layers, visuals
from dhis2sh.pictures.definitions import number, objects, one_of, text
from dhis2sh.show.charts import media, vega
from dhis2sh.show.charts.model import Chart
from dhis2sh.show.pivots import Pivot
from dhis2sh.show.thematic import LayeredMap
from dhis2sh.words import counted, listed, safe

if TYPE_CHECKING:
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject

CONCURRENCY = 3
"""Items asked for at once: analytics are the heaviest thing that a server does."""
PAGE_WIDTH, ROW = 1240, 17
"""Pixels of the page, and of a row of the grid."""
HEAD = 62
"""Pixels of an item that its name and the words below it take."""
EVENTS = {"eventVisualization", "eventChart", "eventReport"}
NOT_DRAWN = {
    "MESSAGES": "messages are not drawn", "APP": "an app is not drawn", "REPORTS": "reports",
    "RESOURCES": "resources", "USERS": "users",
}  # fmt: skip
STYLE = """<style>
.board{display:grid;grid-template-columns:repeat(60,minmax(0,1fr));grid-auto-rows:17px;gap:0 6px;max-width:1240px;margin:auto}
.board>section{border:1px solid color-mix(in srgb,CanvasText 22%,transparent);border-radius:6px;padding:8px 10px;margin-bottom:8px;overflow:auto}
.board>section.space{border:0}
.board h2{font-size:14px;margin:0 0 4px}
.board .said,.board .dhis2sh-note{opacity:.75;font-size:12px}
.board svg{max-width:100%;max-height:100%;height:auto;display:block;margin:auto}
.board p{margin:.3em 0}
header{max-width:1240px;margin:0 auto 12px}header h1{font-size:21px;margin:0}
@media (max-width:800px){.board{display:block}.board>section{overflow:visible}}
@media print{.board>section{break-inside:avoid;overflow:visible}}
</style>"""
type Drawn = Chart | Pivot | LayeredMap


@dataclass(frozen=True, slots=True)
class Place:
    """Where an item stands on the grid."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a dashboard.

    Parameters:
        place: where it stands.
        type: in DHIS2's words.
        name: of what it shows.
        drawn: what it looks like; None for texts and for what is not drawn.
        words: the text of a text, or why it is not drawn.
        failed: it is of a kind that is drawn, and was not.
    """

    place: Place
    type: str
    name: str
    drawn: Drawn | None = None
    words: str = ""
    failed: bool = False

    def to_json(self) -> JsonObject:
        """The item as numbers."""
        found: JsonObject = {"type": self.type, "name": self.name}
        if self.drawn is not None:
            return found | self.drawn.to_json()
        return found | {"notDrawn" if self.type != "TEXT" else "text": self.words}


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard with its numbers.

    Parameters:
        uid, name, description: as the server has them.
        items: in the order in which they are read.
        file: where it was written.
    """

    uid: str
    name: str
    description: str
    items: tuple[Item, ...]
    file: str | None = None

    def to_json(self) -> JsonObject:
        """What is on it; the numbers of its items only where it was not written to a file."""
        found: JsonObject = {"id": self.uid, "name": self.name, "drawn": self._count(), "notDrawn": [*self._lacking()]}
        if self.file is not None:
            return found | {"file": self.file}
        return {**found, "items": [item.to_json() for item in self.items]}

    def _count(self) -> int:
        return sum(1 for item in self.items if item.drawn is not None or item.type == "TEXT")

    def _lacking(self) -> list[str]:
        return [f"{item.name}: {item.words}" for item in self.items if item.drawn is None and item.type != "TEXT"]

    def __repr__(self) -> str:
        if self.file is not None:
            reasons: dict[str, list[str]] = {}
            for item in self.items:
                if item.drawn is None and item.type != "TEXT":
                    reasons.setdefault(item.words, []).append(safe(item.name))
            lacking = [f"  not drawn: {listed(names)}: {safe(why)}" for why, names in reasons.items()]
            return "\n".join([f"{safe(self.name)}: {self.file}, {counted(self._count(), 'item')} drawn", *lacking])
        parts = [f"{safe(item.name)}\n{item.drawn!r}" if item.drawn is not None else f"{safe(item.name)}: {safe(item.words)}"
                 for item in self.items]  # fmt: skip
        return "\n\n".join([safe(self.name), *parts])

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>" if self.file is not None else self.body()

    def body(self) -> str:
        """The dashboard as HTML."""
        lines = [f"<h1>{html.escape(safe(self.name))}</h1>"]
        if self.description:
            lines.append(f"<p>{html.escape(safe(self.description))}</p>")
        return f'{STYLE}<header>{"".join(lines)}</header><div class="board">{"".join(map(_section, self.items))}</div>'


async def board_of(
    s: Session, uid: str, *, periods: Sequence[str] = (), places: Sequence[str] = (), out: Path | None = None
) -> Board:
    """A dashboard with the numbers of today; what cannot be drawn says so in its place.

    Parameters:
        uid: of the dashboard.
        periods, places: in place of each item's own.
        out: an `.html` file to write it to.

    Raises `UsageError` for a file of another kind, `MissingExtra`, `Dhis2Error` for a file that cannot be written, and `CheckFailed`
    with the board where the page is written and something on it could not be drawn.
    """
    if out is not None and out.suffix.lower() != ".html":
        raise UsageError(f"{out}: a dashboard is written as .html", hint=f"--out {out.stem or 'report'}.html")
    body = await s.client.get_object(f"{BOARDS}/{uid}", {"fields": f"{FIELDS},displayDescription"})
    held = objects(body.get("dashboardItems"))
    found: dict[int, Item] = {}
    drawing = (_item(s, at, item, periods, places) for at, item in enumerate(held))
    async for at, item in gather_bounded(drawing, CONCURRENCY):
        found[at] = item
        s.person.progress("draw items", len(found), len(held))
    items = sorted(found.values(), key=lambda item: (item.place.y, item.place.x))
    if not periods and (count := sum("says no period" in item.words for item in items)):
        s.person.note(f"{counted(count, 'item')} said no period: --period 2025 gives one to all")
    board = Board(uid, text(body, "displayName"), text(body, "displayDescription"), tuple(items))
    if out is not None:
        media.write(out, media.page(board.name, board.body()))
        board = replace(board, file=str(out))
        if failed := [item for item in board.items if item.failed]:
            names = listed([item.name for item in failed])
            raise CheckFailed(
                f"{len(failed):,} of {counted(len(board.items), 'item')} not drawn: {names}", findings=board,
                hint="--period 2025 gives one to all" if any("says no period" in item.words for item in failed)
                else f"the page with what is there: {out}",
            )  # fmt: skip
    return board


async def _item(
    s: Session, at: int, item: JsonObject, periods: Sequence[str], places: Sequence[str]
) -> tuple[int, Item]:
    place = Place(
        int(number(item.get("x")) or 0), int(number(item.get("y")) or 0),
        min(int(number(item.get("width")) or 29), GRID_WIDTH), max(1, int(number(item.get("height")) or 20)),
    )  # fmt: skip
    kind = text(item, "type")
    holder = next((name for name in HOLDERS if isinstance(item.get(name), dict)), "")
    if holder:
        held = one_of(item, holder)
        name = text(held, "displayName") or text(held, "id")
        return at, await _drawn(Item(place, kind, name), _drawing(s, holder, text(held, "id"), periods, places))
    if kind == "TEXT":
        said = text(item, "text")
        return at, Item(
            place, "TEXT", "text" if said != SPACER else "empty space", words=said if said != SPACER else ""
        )
    named = [text(one, "displayName") or text(one, "id") for name in LISTS for one in objects(item.get(name))]
    words = f"{NOT_DRAWN.get(kind, kind)}: {', '.join(named)}" if named else NOT_DRAWN.get(kind, "is not drawn")
    return at, Item(place, kind, text(item, "appKey") or kind.lower() or "item", words=words)


def _drawing(
    s: Session, holder: str, uid: str, periods: Sequence[str], places: Sequence[str]
) -> Callable[[], Awaitable[Drawn]]:
    async def of_map() -> Drawn:
        return (await layers.map_of(s, uid, periods=periods, places=places)).drawn

    async def of_visual() -> Drawn:
        plural = "eventVisualizations" if holder in EVENTS else "visualizations"
        return (await visuals.picture(s, uid, plural=plural, periods=periods, units=places)).drawn

    return of_map if holder == "map" else of_visual


async def _drawn(item: Item, drawing: Callable[[], Awaitable[Drawn]]) -> Item:
    try:
        return replace(item, drawn=await drawing())
    except Dhis2Error as error:
        code = f" ({error.code})" if getattr(error, "code", None) else ""
        message = error.message.removeprefix(f"'{item.name}' ")
        return replace(item, words=f"{message}{code}", failed=True)


def _section(item: Item) -> str:
    """An item as a part of the page."""
    place = item.place
    where = f"grid-column:{place.x + 1}/span {place.width};grid-row:{place.y + 1}/span {place.height}"
    if item.type == "TEXT":
        kind = "" if item.words else ' class="space"'
        return f'<section{kind} style="{where}">{_rich(item.words)}</section>'
    head = f"<h2>{html.escape(safe(item.name))}</h2>"
    if item.drawn is None:
        return f'<section style="{where}">{head}<p class="said">{html.escape(safe(item.words))}</p></section>'
    return f'<section style="{where}">{head}{_picture(item.drawn, place)}</section>'


def _picture(drawn: Drawn, place: Place) -> str:
    """What an item looks like, as large as its place."""
    width, height = PAGE_WIDTH * place.width // GRID_WIDTH - 34, place.height * ROW - HEAD
    match drawn:
        case Chart():
            inside = replace(drawn, title="")
            spec = vega.spec(inside, ink="currentColor", width=max(180, width), height=max(120, height), fit=True)
            said = f'<div class="said">{html.escape(safe(drawn.subtitle))}</div>' if drawn.subtitle else ""
            return f"{said}{media.svg(spec)}{media.notes_html(drawn.notes)}"
        case Pivot():
            return replace(drawn, title="").html()
        case _:
            bare = replace(drawn, title="", subtitle="")
            notes = media.notes_html(drawn.notes)
            return bare.svg("currentColor", "none", max(200, width - 200), max(120, height - 20)) + notes


_BOLD = re.compile(r"\*(\S(?:[^*\n]*\S)?)\*")
_ITALIC = re.compile(r"(?<![\w/])_(\S(?:[^_\n]*\S)?)_(?!\w)")


def _rich(words: str) -> str:
    """A text of the dashboard: paragraphs, *bold* and _italic_; an address stays text, so that the page leads nowhere."""
    escaped = html.escape(words)
    marked = _ITALIC.sub(r"<i>\1</i>", _BOLD.sub(r"<b>\1</b>", escaped))
    return "".join(f"<p>{part.replace('\n', '<br>')}</p>" for part in re.split(r"\n\s*\n", marked) if part.strip())
