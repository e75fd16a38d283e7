"""Says how charts look, to whoever shows results."""

from __future__ import annotations

from dhis2sh.rows.registry import Renderer, register_renderer
from dhis2sh.show.charts.model import Chart


def _text(chart: Chart, width: int | None, colour: bool) -> str:
    from dhis2sh.show.charts import terminal  # start-up: most results are no charts

    return terminal.text(chart, width or None)


def _html(chart: Chart) -> str:
    from dhis2sh.show.charts import media  # start-up: as above

    return media.inline(chart)


register_renderer(Chart, Renderer(_text, _html))
