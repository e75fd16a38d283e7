"""Makes docs/images/shell-dark.svg and shell-light.svg from a running shell: the screen of a pseudo-terminal, drawn cell by cell.

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
GROUNDS = {"dark": ("#1e1e1e", "#d4d4d4"), "light": ("#ffffff", "#1f2328")}
"""The ground and the text of a terminal, as VS Code and GitHub have them."""
COLOURS = {
    "dark": {
        "black": "#1e1e1e", "red": "#f48771", "green": "#7bd88f", "brown": "#e5c07b", "blue": "#6cb6ff",
        "magenta": "#c792ea", "cyan": "#5ccfe6", "white": "#d4d4d4",
    },
    "light": {
        "black": "#1f2328", "red": "#a40e26", "green": "#116329", "brown": "#7d4e00", "blue": "#0550ae",
        "magenta": "#6639ba", "cyan": "#0b5e78", "white": "#57606a",
    },
}  # fmt: skip
"""The eight colours that a terminal brings; what the program asks for by number stays as it is."""


def session(shell: Terminal) -> None:
    """What is typed for the picture."""
    shell.see("sandbox:admin>")
    shell.see("names, just now")
    shell.settle(1)
    for line in (
        "metadata list dataElements | where('malaria' in name.lower()) | select(id, name, valueType)",
        "metadata list indicators --filter nmae:ilike:anc",
        "metadata rename dataElements --filter name:like:Malaria --prefix 'HIV ' --dry-run",
    ):
        shell.press(line)
        shell.settle(0.5)
        shell.press("enter")
        shell.settle(1.5)
    shell.press("metadata data-elements get mal", "tab")
    shell.settle(1.5)
    shell.press("down", "down")
    shell.settle(0.5)


def svg(shell: Terminal, look: str) -> str:
    """The screen as SVG: a rectangle under each coloured stretch, a text on each.

    Parameters:
        look: `dark` or `light`.
    """
    ground = GROUNDS[look][0]
    wide, high = COLUMNS * WIDTH + 2 * MARGIN, ROWS * HEIGHT + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:.0f} {high:.0f}" width="{wide:.0f}" height="{high:.0f}">',
        "<title>dhis2sh in a terminal</title>",
        "<style>text{white-space:pre}</style>",  # browsers no longer heed xml:space, and would stretch what is left
        f'<rect width="100%" height="100%" rx="8" fill="{ground}"/>',
        '<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, \'DejaVu Sans Mono\', monospace" font-size="14">',
    ]
    for row in range(ROWS):
        for column, text, fore, back, bold in stretches(shell, row, look):
            x, y, size = MARGIN + column * WIDTH, MARGIN + row * HEIGHT, len(text) * WIDTH
            if back != ground:
                parts.append(f'<rect x="{x:.1f}" y="{y}" width="{size:.1f}" height="{HEIGHT}" fill="{back}"/>')
            if text.strip():
                weight = ' font-weight="bold"' if bold else ""
                shown = html.escape(text)
                parts.append(
                    f'<text x="{x:.1f}" y="{y + BASELINE}" fill="{fore}"{weight} textLength="{size:.1f}">{shown}</text>'
                )
    return "\n".join([*parts, "</g>", "</svg>", ""])


def stretches(shell: Terminal, row: int, look: str) -> Iterator[tuple[int, str, str, str, bool]]:
    """Stretches of a row that look alike: where, text, colour of text and ground, bold."""
    cells = [shell.screen.buffer[row][column] for column in range(COLUMNS)]

    ground, text = GROUNDS[look]

    def seen(pair: tuple[int, object]) -> tuple[str, str, bool]:
        cell = cells[pair[0]]
        fore, back = colour(cell.fg, text, look), colour(cell.bg, ground, look)
        return (back, fore, cell.bold) if cell.reverse else (fore, back, cell.bold)

    for (fore, back, bold), group in groupby(enumerate(cells), key=seen):
        members = [number for number, _ in group]
        yield members[0], "".join(cells[number].data or " " for number in members), fore, back, bold


def colour(name: str, default: str, look: str) -> str:
    """A colour of pyte's as SVG has it."""
    if name == "default":
        return default
    return COLOURS[look].get(name.removeprefix("bright")) or f"#{name}"


def main() -> int:
    """Write the pictures, dark and light."""
    load = ["load", sys.argv[1]] if len(sys.argv) > 1 else ["seed"]
    for look in GROUNDS:
        with tempfile.TemporaryDirectory() as home:
            settings = {"DHIS2SH_HOME": home, "DHIS2SH_GROUND": look}
            environment = {**os.environ, **settings}
            subprocess.run([str(BIN / "dhis2"), "sandbox", *load], env=environment, check=True)  # noqa: S603
            shell = Terminal("dhis2sh", "--sandbox", environment=settings, columns=COLUMNS, rows=ROWS, cwd=home)
            try:
                session(shell)
                (ROOT / "docs" / "images" / f"shell-{look}.svg").write_text(svg(shell, look), "utf-8")
            finally:
                shell.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
