"""A saved visualization as a picture or a table, wherever it is to be seen: at the prompt, in a notebook, in a file."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dhis2sh.errors import UsageError
from dhis2sh.pictures import charts, definitions, outliers, pivots
from dhis2sh.rows.registry import Renderer, register_renderer
from dhis2sh.show.charts import media
from dhis2sh.show.charts.model import Chart
from dhis2sh.show.pivots import Pivot

if TYPE_CHECKING:
    from dhis2sh.pictures.definitions import Definition
    from dhis2sh.rows.rows import Rows
    from dhis2sh.session import Session
    from dhis2sh.types import JsonObject, Row

TABLES = {"PIVOT_TABLE", "OUTLIER_TABLE"}


@dataclass(frozen=True, slots=True)
class Visual:
    """A visualization with its numbers.

    Parameters:
        uid, name, type: as the server has them.
        drawn: what it looks like.
        file: where it was written.
    """

    uid: str
    name: str
    type: str
    drawn: Chart | Pivot
    file: str | None = None

    def to_json(self) -> JsonObject:
        """The visualization as numbers."""
        found: JsonObject = {"id": self.uid, "name": self.name, "type": self.type, **self.drawn.to_json()}
        return found | ({"file": self.file} if self.file else {})

    def as_rows(self) -> Rows[Row]:
        """The numbers that it shows, as rows."""
        return self.drawn.numbers_behind().rows()

    def __repr__(self) -> str:
        if self.file is None:
            return repr(self.drawn)
        notes = "".join(f"\n({note})" for note in self.drawn.notes)
        return f"{self.name}: {self.file}{notes}"

    def html(self) -> str:
        """The picture inside a page."""
        return f"<pre>{self!r}</pre>" if self.file else self.drawn.html()

    def _repr_html_(self) -> str:
        return self.html()


def _text(visual: Visual, width: int | None, colour: bool) -> str:
    """As much of a table as the screen has room for; all of it where no screen is."""
    if visual.file is not None or not isinstance(visual.drawn, Pivot):
        return repr(visual)
    return visual.drawn.text(None if width == 0 else width or shutil.get_terminal_size().columns)


register_renderer(Visual, Renderer(_text, Visual.html))


async def drawn(s: Session, found: Definition) -> Chart | Pivot:
    """What a definition looks like, with data asked for now.

    Raises `UsageError` for what is not drawn, with the sentence that says so; `Refused`.
    """
    match found.type:
        case "PIVOT_TABLE":
            return await pivots.pivot_of(s, found)
        case "OUTLIER_TABLE":
            return await outliers.table_of(s, found)
        case "LINE_LIST":
            raise UsageError(
                f"'{found.name}' is a line list, which has a row for each event and is not drawn",
                hint="dhis2 analytics events --help",
            )
        case _:
            return await charts.chart_of(s, found)


async def picture(
    s: Session,
    uid: str,
    *,
    plural: str = "visualizations",
    periods: Sequence[str] = (),
    units: Sequence[str] = (),
    out: Path | None = None,
) -> Visual:
    """A saved visualization as it looks today.

    Parameters:
        uid: of the visualization.
        plural: `visualizations` or `eventVisualizations`.
        periods, units: in place of its own.
        out: a file to write it to: `.svg`, `.png` or `.html`, tables `.html`; the numbers of either `.csv`.

    Raises `UsageError` for what it lacks, what is not drawn and a file of another kind; `Refused`, `MissingExtra`.
    """
    if out is not None and out.suffix.lower() != ".csv":
        media.ending_of(out)
    found = await definitions.read(s, uid, plural=plural, periods=periods, units=units)
    if out is not None:
        _check_ending(found, out)
    shown = await drawn(s, found)
    if out is not None:
        save(shown, out)
    return Visual(found.uid, found.name, found.type, shown, str(out) if out is not None else None)


def _check_ending(found: Definition, out: Path) -> None:
    """Refuse a file that a type has none of before any data is asked for."""
    table = found.type in TABLES
    if table and out.suffix.lower() not in {".html", ".csv"}:
        raise UsageError(f"'{found.name}' is a table, which is written as .html or .csv", hint=f"--out {out.stem}.html")


def save(shown: Chart | Pivot, out: Path) -> None:
    """Write a chart or a table to a file, by its ending. Raises `MissingExtra`, `Dhis2Error`."""
    if out.suffix.lower() == ".csv":
        media.write(out, shown.numbers_behind().csv())
    elif isinstance(shown, Chart):
        media.save(shown, out)
    else:
        media.write(out, media.page(shown.title, shown.html()))
