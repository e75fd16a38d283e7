"""Draws rows of percentages as a heat map: a shade beside each number in text, a ground behind it in HTML."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from dhis2sh.rows.cells import cell
from dhis2sh.rows.registry import Renderer, register_renderer
from dhis2sh.rows.rows import Rows
from dhis2sh.show.layout import STYLE, fit, width_of
from dhis2sh.words import BOLD, RESET, safe

if TYPE_CHECKING:
    from dhis2sh.types import JsonValue, Row

NOTHING = "-"
BANDS = (
    (95.0, "█", "#1a9850", 28),
    (80.0, "▓", "#91cf60", 106),
    (50.0, "▒", "#fee08b", 178),
    (0.001, "░", "#fc8d59", 166),
)
"""From which percentage on which shade, which ground in HTML, and which of the 256 colours of terminals."""
LOWEST = ("·", "#d73027", 160)
LEGEND = "█ 95 and more  ▓ 80  ▒ 50  ░ below  · nobody"


class Heat(Rows["Row"]):
    """Rows of which some columns are percentages; everything else is as of `Rows`.

    Parameters:
        items: the rows, plain.
        columns: all columns, in order.
        measured: those of percentages.
    """

    __slots__ = ("measured",)

    def __init__(self, items: Iterable[Row], *, columns: Sequence[str], measured: Sequence[str]) -> None:
        super().__init__(items, columns=columns)
        self.measured = tuple(measured)


def _band(value: JsonValue) -> tuple[str, str, int] | None:
    """Shade, ground and terminal's colour of a percentage; None for none."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    return next((rest for least, *rest in BANDS if value >= least), LOWEST)  # type: ignore[return-value]


def _number(value: JsonValue) -> str:
    return f"{value:.0f}" if isinstance(value, (int, float)) else NOTHING


def _text(heat: Heat, width: int | None, colour: bool) -> str:
    rows = heat.plain()
    if not rows:
        return "no rows"
    named = [name for name in heat.columns if name not in heat.measured and any(row.get(name) for row in rows)]
    sizes = {name: max(width_of(name), *(width_of(cell(row.get(name))) for row in rows)) for name in named}
    head = [fit(name, sizes[name]) for name in named] + [
        fit(name, max(5, width_of(name)), right=True) for name in heat.measured
    ]
    line = "  ".join(head)
    lines = [f"{BOLD}{line}{RESET}" if colour else line]
    for row in rows:
        parts = [fit(safe(cell(row.get(name))), sizes[name]) for name in named]
        parts += [_shaded(row.get(name), max(5, width_of(name)), colour) for name in heat.measured]
        lines.append("  ".join(parts))
    return "\n".join([*lines, LEGEND])


def _shaded(value: JsonValue, size: int, colour: bool) -> str:
    band = _band(value)
    if band is None:
        return fit(NOTHING, size, right=True)
    shade, _, number = band
    text = fit(f"{_number(value)} {shade}", size, right=True)
    return f"\x1b[38;5;{number}m{text}{RESET}" if colour else text


def page(heat: Heat) -> str:
    """The heat map as HTML."""
    shown = [name for name in heat.columns if name in heat.measured or any(row.get(name) for row in heat.plain())]
    head = "".join(f"<th>{html.escape(name)}</th>" for name in shown)
    body = "".join(
        "<tr>" + "".join(_cell(row.get(name), name in heat.measured) for name in shown) + "</tr>"
        for row in heat.plain()
    )
    return f'{STYLE}<table class="dhis2sh"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _cell(value: JsonValue, measured: bool) -> str:
    band = _band(value) if measured else None
    if band is None:
        return f"<td>{html.escape(NOTHING if measured else cell(value))}</td>"
    ground, text = band[1], "#fff" if band[1] in {"#1a9850", "#d73027"} else "#000"
    return f'<td class="number" style="background:{ground};color:{text}">{_number(value)}</td>'


register_renderer(Heat, Renderer(_text, page))
