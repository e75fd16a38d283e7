"""What a picture leaves out, written below it: a picture goes where nobody sees what was said beside it."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from textwrap import wrap

from dhis2sh.words import safe

SIZE, LINE, EDGE = 11, 16, 10
"""Of the letters, from line to line, and from the edge, in pixels."""
WIDE = 6.2
"""Pixels that a letter takes, at the least so that no line is cut."""
_ROOT = re.compile(r"<svg\b[^>]*>")
_SIDE = re.compile(r'\b(width|height)="([0-9.]+)(?:px)?"')


def with_notes(svg: str, notes: Sequence[str], *, ink: str = "#222222", paper: str = "#ffffff") -> str:
    """A picture with lines of text below it; the same where there are none.

    Parameters:
        svg: the picture, whose root says its width and height in pixels.
        notes: what is not drawn, and why.
        ink, paper: the colours of the text and of the ground.
    """
    root = _ROOT.search(svg)
    if not notes or root is None:
        return svg
    sides = {name: float(value) for name, value in _SIDE.findall(root[0])}
    width, height = max(sides.get("width", 300), 300), sides.get("height", 0)
    lines = [line for note in notes for line in wrap(f"({safe(note)})", max(20, int((width - 2 * EDGE) / WIDE)))]
    said = "".join(
        f'<text x="{EDGE}" y="{height + LINE * (at + 1) - 4:g}" font-size="{SIZE}" fill="{ink}">{html.escape(line)}</text>'
        for at, line in enumerate(lines)
    )
    tall = height + LINE * len(lines) + EDGE
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width:g}" height="{tall:g}" viewBox="0 0 {width:g} {tall:g}" '
        f'font-family="Liberation Sans, Noto Sans, DejaVu Sans, Arial, sans-serif">'
        f'<rect width="{width:g}" height="{tall:g}" fill="{paper}"/>{svg}{said}</svg>'
    )
