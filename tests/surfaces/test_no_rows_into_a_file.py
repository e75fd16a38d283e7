"""Nothing that was asked for takes the place of a file that holds something."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from dhis2sh.errors import NotFound
from dhis2sh.rows.rows import Rows
from dhis2sh.rows.stream import Stream
from dhis2sh.surfaces.cli import main as cli
from dhis2sh.verbs.piping import compile_tail

HELD = "name,value\nOPV0,12\n"
STREAMED = ["metadata", "list", "dataElements", "--all", "--filter", "name:eq:Nothing is called so"]
READ = ["metadata", "list", "dataElements", "--filter", "name:eq:Nothing is called so"]


@pytest.mark.parametrize("line", [STREAMED, READ])
@pytest.mark.parametrize("ending", ["csv", "tsv", "json", "ndjson", "yaml", "md", "xlsx"])
def test_a_file_stays_where_there_are_no_rows(
    sandbox_home: Path, capsys: pytest.CaptureFixture[str], line: list[str], ending: str
):
    path = Path(f"kept.{ending}")
    path.write_text(HELD, "utf-8")
    assert cli.run([*line, "-p", "sandbox", "--out", str(path)]) == NotFound.exit_code
    assert path.read_text("utf-8") == HELD
    assert f"there are no rows, and {path} is left as it was" in capsys.readouterr().err


@pytest.mark.parametrize("ending", ["csv", "json", "xlsx"])
@pytest.mark.parametrize("streamed", [False, True])
async def test_a_pipeline_leaves_it_too(tmp_path: Path, ending: str, *, streamed: bool):
    async def none() -> AsyncGenerator[list[dict[str, object]]]:
        yield []

    path = tmp_path / f"kept.{ending}"
    path.write_text(HELD, "utf-8")
    rows: Any = Stream(none(), columns=["name"]) if streamed else Rows([], columns=["name"])
    with pytest.raises(NotFound, match="left as it was"):
        await compile_tail(f"{ending}({str(path)!r})", names={}).run(rows, {})
    assert path.read_text("utf-8") == HELD


@pytest.mark.parametrize("ending", ["csv", "json"])
def test_no_rows_are_written_where_no_row_was(sandbox_home: Path, ending: str):
    """A job that runs each night and finds nothing ends well, the second time as the first."""
    for _ in range(2):
        assert cli.run([*STREAMED, "-p", "sandbox", "--out", f"new.{ending}"]) == 0
