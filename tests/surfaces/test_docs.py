"""Every command of the chapters on metadata and of the tutorials runs on the fictional country, in the order of the page."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from dhis2sh.surfaces.cli import main as cli
from dhis2sh.surfaces.ipython import magics
from dhis2sh.verbs import grammar

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [
    DOCS / "metadata.md", DOCS / "tracker.md", DOCS / "apps.md", DOCS / "files.md", DOCS / "customize.md",
    DOCS / "instance-as-code.md",
    *sorted((DOCS / "metadata").glob("*.md")),
    *sorted((DOCS / "tutorials").glob("*.md")),
]  # fmt: skip
BLOCK = re.compile(r"^```(?P<kind>\w+)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\$ (?:\w+=\S+ )*dhis2 (.*)$", re.MULTILINE)
EXIT = re.compile(r"# exit code (\d)")


def test_every_command_that_a_reader_is_shown_is_one() -> None:
    """It parses, with every option; the chapters on metadata run as well."""
    shown = [*DOCS.parent.glob("*.md"), *DOCS.rglob("*.md")]
    lines = [line for page in shown for line in COMMAND.findall(page.read_text("utf-8"))]
    for line in lines:
        words = shlex.split(line.partition(" | ")[0].partition(" > ")[0], comments=True)
        if not words[0].startswith("--"):  # the front door's own: --help, --show-completion
            assert isinstance(grammar.parse(words), (grammar.Invocation, grammar.HelpText)), line
    assert len(lines) > 100


def test_every_promise_of_security_names_tests_that_are_there() -> None:
    page = (DOCS / "security.md").read_text("utf-8")
    tests = "\n".join(path.read_text("utf-8") for path in (DOCS.parent / "tests").rglob("test_*.py"))
    there = set(re.findall(r"def (test_\w+)", tests))
    named = re.findall(r"`(test_\w+)`", page)
    rows = [
        line
        for line in page.splitlines()
        if line.startswith("|") and "---" not in line and not line.startswith("| promise")
    ]
    assert [name for name in named if name not in there] == []
    assert all("`test_" in row for row in rows) and len(rows) > 30


def test_every_page_stands_once_in_the_navigation() -> None:
    listed = sorted(pages(yaml.safe_load((DOCS.parent / "mkdocs.yml").read_text("utf-8"))["nav"]))
    written = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
    assert [page for page in listed if not page.startswith("reference/")] == [
        page for page in written if not page.startswith("reference/")
    ]
    built = [page for page in listed if page.startswith("reference/")]  # by `make docs`, which fails for one too many
    assert len(built) == len(set(built)) > 0


def pages(nav: object) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    else:
        for item in nav.values() if isinstance(nav, dict) else nav:
            yield from pages(item)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_does_what_it_says(
    page: Path, country_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DHIS2_PROFILE", "sandbox")
    ran, out, compared = 0, "", page.parent.name == "tutorials"
    for block in BLOCK.finditer(page.read_text("utf-8")):
        if block["title"]:
            Path(block["title"]).write_text(block["text"], "utf-8")
        for line in block["text"].splitlines() if block["kind"] == "console" else []:
            if not line.startswith("$ dhis2 "):
                assert not compared or " ".join(line.split()) in " ".join(out.split()), f"{line}\n{out}"
                continue
            said = EXIT.search(line)
            expected = {int(said[1])} if said else {0}
            if said and "when" in line:
                expected.add(0)
            code = cli.run(shlex.split(line.removeprefix("$ dhis2 "), comments=True))
            out, err = capsys.readouterr()
            assert code in expected, f"{line}\n{out}{err}"
            ran += 1
    assert ran > 2


def test_the_first_page_has_install_a_picture_ten_minutes_and_versions() -> None:
    page = (DOCS / "index.md").read_text("utf-8")
    heads = re.findall(r"^## (.*)$", page, re.MULTILINE)
    assert heads[:3] == ["Install", "The first ten minutes", "What works on which version"]
    for picture in re.findall(r"\((images/[^#)]+)", page):
        assert (DOCS / picture).is_file()


def test_no_line_of_code_is_cut_on_a_narrow_screen() -> None:
    """The theme would let long lines run out of sight; ours go on below."""
    site = yaml.safe_load((DOCS.parent / "mkdocs.yml").read_text("utf-8"))
    styles = "".join((DOCS / name).read_text("utf-8") for name in site["extra_css"])
    assert re.search(r"pre > code[^{]*\{[^}]*white-space: pre-wrap;[^}]*overflow-wrap: anywhere;", styles, re.DOTALL)


def test_the_first_ten_minutes_do_what_they_say(country_home: Path, notebook: magics.Runner) -> None:
    page = (DOCS / "index.md").read_text("utf-8")
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    lines = [line for kind, text in blocks if not kind for line in text.splitlines()]
    assert len(lines) > 8
    for line in lines:
        outcome = notebook.shell.run_cell(line)
        assert outcome.success and not notebook.failed, line
