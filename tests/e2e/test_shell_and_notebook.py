"""The shell in a pseudo-terminal and a notebook on a real kernel, as a user meets them."""

import os
import sys
import time
from pathlib import Path

import nbformat
import pexpect
import pytest
from nbclient import NotebookClient

BIN = Path(sys.executable).parent


@pytest.fixture
def shell(sandbox_home: Path):
    environment = {**os.environ, "PROMPT_TOOLKIT_NO_CPR": "1", "TERM": "xterm", "DHIS2SH_HOME": str(sandbox_home)}
    child = pexpect.spawn(
        str(BIN / "dhis2sh"), ["--sandbox"], env=environment, encoding="utf-8", timeout=40, dimensions=(40, 120)
    )
    child.expect("sandbox:admin")
    yield child
    child.close(force=True)


def test_a_session_at_the_prompt(shell: pexpect.spawn) -> None:
    shell.send("metadata list dataElements | where(valueType == 'TEXT') | select(id, name)\r")
    shell.expect("deText00001  Remark")

    shell.send("metadata list dataElements --filter nmae:eq:x\r")
    shell.expect("did you mean name")

    shell.send("(await client.get('system/info'))['version']\r")
    shell.expect("2.42.5.2")

    shell.send("print('go' + 'ing'); __import__('time').sleep(30)\r")
    shell.expect("going")
    shell.sendintr()
    shell.expect("KeyboardInterrupt")

    shell.send("profile use sandbox\r")
    shell.expect("is active in")

    shell.expect("sandbox:admin")
    time.sleep(1)
    shell.send("\x04")
    shell.expect(pexpect.EOF)


@pytest.mark.filterwarnings("ignore")
def test_a_notebook(sandbox_home: Path) -> None:
    cells = [
        "%load_ext dhis2sh",
        "rows = %metadata list organisationUnits -p sandbox | where(level == 2) | select(id, name) | sort(name)\nrows",
        "%%dhis2\nprofile use sandbox\nmetadata count dataElements -o json",
        "import asyncio\na, b = await asyncio.gather(client.get('me'), client.get('system/info'))\na['username']",
    ]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells])
    NotebookClient(book, timeout=60, kernel_name="python3").execute()

    table = book.cells[1].outputs[0]["data"]
    assert "<table" in table["text/html"]
    assert "Kono" in table["text/plain"]
    assert any('"count": 3' in str(output) for output in book.cells[2].outputs)
    assert "admin" in str(book.cells[3].outputs)
