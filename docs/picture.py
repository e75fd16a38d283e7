"""Makes docs/images/shell.svg from a running shell: the screen of a pseudo-terminal, drawn cell by cell.

    .venv/bin/python docs/picture.py [METADATA.json.gz]

Without a file the sandbox holds the fictional country.
"""

import html
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.terminal import BIN, Terminal  # noqa: E402  (the checkout must be on the path first)

COLUMNS, ROWS = 112, 25
WIDTH, HEIGHT, MARGIN, BASELINE = 8.4, 18, 14, 13
GROUND, TEXT = "#1b1e24", "#d5d9e0"
COLOURS = {
    "black": "#1b1e24", "red": "#ff6b6b", "green": "#7bd88f", "brown": "#e5c07b", "yellow": "#e5c07b", "blue": "#6cb6ff",
    "magenta": "#c792ea", "cyan": "#5ccfe6", "white": "#d5d9e0", "brightblack": "#7f8793", "brightred": "#ff8f8f",
    "brightgreen": "#a3e6b0", "brightbrown": "#f2d79b", "brightyellow": "#f2d79b", "brightblue": "#9ccbff",
    "brightmagenta": "#d9b3f2", "brightcyan": "#94e2f0", "brightwhite": "#ffffff",
}  # fmt: skip
"""A palette that reads on a dark ground; what the program asked for by number stays as it is."""
DARK_TEXT = {
    "008000": "#7bd88f",
    "0000ff": "#6cb6ff",
    "af00ff": "#c792ea",
    "008700": "#7bd88f",
    "687822": "#c3d07a",
    "880000": "#ff9e64",
}


def session(shell: Terminal) -> None:
    """What is typed for the picture."""
    shell.see("sandbox:admin>")
    shell.see("names, just now")
    shell.settle(1)
    for line in (
        "metadata list dataElements | where('malaria' in name.lower()) | select(id, name, valueType)",
        "metadata count organisationUnits",
        "metadata list indicators --filter nmae:ilike:anc",
    ):
        shell.press(line)
        shell.settle(0.5)
        shell.press("enter")
        shell.settle(1.5)
    shell.press("metadata data-elements get mal", "tab")
    shell.settle(1.5)
    shell.press("down", "down")
    shell.settle(0.5)


def svg(shell: Terminal) -> str:
    """The screen as SVG: a rectangle under each coloured stretch, a text on each."""
    wide, high = COLUMNS * WIDTH + 2 * MARGIN, ROWS * HEIGHT + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:.0f} {high:.0f}" width="{wide:.0f}" height="{high:.0f}">',
        "<title>dhis2sh in a terminal</title>",
        "<style>text{white-space:pre}</style>",  # browsers no longer heed xml:space, and would stretch what is left
        f'<rect width="100%" height="100%" rx="8" fill="{GROUND}"/>',
        '<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, \'DejaVu Sans Mono\', monospace" font-size="14">',
    ]
    for row in range(ROWS):
        for column, text, fore, back, bold in stretches(shell, row):
            x, y, size = MARGIN + column * WIDTH, MARGIN + row * HEIGHT, len(text) * WIDTH
            if back != GROUND:
                parts.append(f'<rect x="{x:.1f}" y="{y}" width="{size:.1f}" height="{HEIGHT}" fill="{back}"/>')
            if text.strip():
                weight = ' font-weight="bold"' if bold else ""
                shown = html.escape(text)
                parts.append(
                    f'<text x="{x:.1f}" y="{y + BASELINE}" fill="{fore}"{weight} textLength="{size:.1f}">{shown}</text>'
                )
    return "\n".join([*parts, "</g>", "</svg>", ""])


def stretches(shell: Terminal, row: int) -> Iterator[tuple[int, str, str, str, bool]]:
    """Stretches of a row that look alike: where, text, colour of text and ground, bold."""
    cells = [shell.screen.buffer[row][column] for column in range(COLUMNS)]

    def look(pair: tuple[int, object]) -> tuple[str, str, bool]:
        cell = cells[pair[0]]
        fore, back = colour(cell.fg, TEXT), colour(cell.bg, GROUND)
        return (back, fore, cell.bold) if cell.reverse else (fore, back, cell.bold)

    for (fore, back, bold), group in groupby(enumerate(cells), key=look):
        members = [number for number, _ in group]
        yield members[0], "".join(cells[number].data or " " for number in members), fore, back, bold


def colour(name: str, default: str) -> str:
    """A colour of pyte's as SVG has it."""
    if name == "default":
        return default
    return COLOURS.get(name) or DARK_TEXT.get(name) or f"#{name}"


def main() -> int:
    """Write the picture."""
    with tempfile.TemporaryDirectory() as home:
        settings = {"DHIS2SH_HOME": home, "COLORTERM": "truecolor"}
        load = ["load", sys.argv[1]] if len(sys.argv) > 1 else ["seed"]
        environment = {**os.environ, **settings}
        subprocess.run([str(BIN / "dhis2"), "sandbox", *load], env=environment, check=True)  # noqa: S603
        shell = Terminal("dhis2sh", "--sandbox", environment=settings, columns=COLUMNS, rows=ROWS, cwd=home)
        try:
            session(shell)
            (ROOT / "docs" / "images" / "shell.svg").write_text(svg(shell), "utf-8")
        finally:
            shell.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
