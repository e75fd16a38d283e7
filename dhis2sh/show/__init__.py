"""How results look: text, HTML, trees, charts, tables, maps.

May import: changes, rows, dhis2, models, the ground.
"""

from dhis2sh.rows import registry


def offer() -> None:
    """Let results find what draws them, and pipelines the sinks that draw; none of it is imported before it is used."""
    registry.offer(stages="dhis2sh.show.sinks", renderers="dhis2sh.show.render")
