"""A chart as a picture: SVG, PNG or a page of HTML, through Vega-Lite without a browser or a network."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING

from dhis2sh import paths
from dhis2sh.errors import MissingExtra, NotWritten, UsageError
from dhis2sh.show.charts import vega
from dhis2sh.show.layout import STYLE
from dhis2sh.show.noted import with_notes
from dhis2sh.words import safe

if TYPE_CHECKING:
    from dhis2sh.show.charts.model import Chart
    from dhis2sh.types import JsonObject

ENDINGS = (".svg", ".png", ".html")
SCALE = 2.0
"""Pixels of a PNG for each of the picture: sharp on paper and on the screens of today."""
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
:root{{color-scheme:light dark}}
body{{font-family:system-ui,"Liberation Sans",Arial,sans-serif;margin:1.5rem;background:Canvas;color:CanvasText}}
svg{{max-width:100%;height:auto}}
</style></head><body>
{body}
</body></html>
"""
"""A page that loads nothing, and takes the colours that its reader has chosen."""


def ending_of(path: Path) -> str:
    """What kind of picture a file is to be. Raises `UsageError` for one that is none."""
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise UsageError(f"{path}: a picture is written as {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}",
                         hint=f"--out {path.stem or 'picture'}.svg")  # fmt: skip
    return ending


def svg(spec: JsonObject) -> str:
    """A specification of Vega-Lite as SVG. Raises `MissingExtra`."""
    return _converter().vegalite_to_svg(spec, allowed_base_urls=[])


def png(spec: JsonObject) -> bytes:
    """The same as PNG. Raises `MissingExtra`."""
    return _converter().vegalite_to_png(spec, scale=SCALE, allowed_base_urls=[])


def png_of_svg(text: str) -> bytes:
    """A drawing of ours as PNG. Raises `MissingExtra`."""
    return _converter().svg_to_png(text, scale=SCALE)


def inline(chart: Chart) -> str:
    """A chart inside a page: it takes the colour of the page's text. Raises `MissingExtra`."""
    return f'<div class="dhis2sh-chart">{svg(vega.spec(chart, ink="currentColor"))}</div>{notes_html(chart.notes)}'


def notes_html(notes: tuple[str, ...] | list[str]) -> str:
    """What is not drawn, below a picture."""
    return "".join(f'{STYLE}<div class="dhis2sh-note">{html.escape(safe(note))}</div>' for note in notes)


def page(title: str, body: str) -> str:
    """A page of its own."""
    return PAGE.format(title=html.escape(safe(title)), body=body)


def save(chart: Chart, path: Path) -> None:
    """Write a chart to a file, by its ending. Raises `UsageError`, `MissingExtra`, `Dhis2Error`."""
    match ending_of(path):
        case ".svg":
            write(path, with_notes(svg(vega.spec(chart)), chart.notes))
        case ".png":
            drawn = vega.spec(chart)
            write(path, png_of_svg(with_notes(svg(drawn), chart.notes)) if chart.notes else png(drawn))
        case _:
            write(path, page(chart.title, inline(chart)))


def write(path: Path, content: str | bytes) -> None:
    """Write a picture under a temporary name, and rename it. Raises `Dhis2Error`."""
    data = content if isinstance(content, bytes) else content.encode()
    try:
        path.expanduser().parent.mkdir(parents=True, exist_ok=True)
        with paths.replacing(path.expanduser()) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        raise NotWritten.of(path, error, elsewhere="choose another file") from error


def altair_chart(chart: Chart) -> object:
    """A chart of Altair's. Raises `MissingExtra`."""
    try:
        import altair  # heavy: an extra
    except ImportError:
        raise MissingExtra("altair", "charts") from None
    return altair.Chart.from_dict(vega.spec(chart), validate=False)


def _converter():
    try:
        import vl_convert  # heavy: an extra, a browser's engine in a library
    except ImportError:
        raise MissingExtra("pictures", "charts") from None
    return vl_convert
