"""A notebook on a real kernel: magics, tables, progress in the cell, completion, an interrupt that a server sees."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import nbformat
import pytest
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

from tests.e2e.slow_server import SlowServer

TAKEN_AWAY = {"text/html": "", "text/plain": ""}
"""What stays in a notebook's file of a bar or a sign of life."""

pytestmark = pytest.mark.filterwarnings("ignore")


def test_a_notebook(sandbox_home: Path) -> None:
    cells = [
        "%load_ext dhis2sh",
        "rows = %metadata list organisationUnits -p sandbox | where(name.startswith('K')) | select(id, name)\nrows",
        "%%dhis2\nprofile use sandbox\nmetadata list dataElements\n  | where(valueType == 'TEXT')\n  | select(name)\n  | json",
        "import asyncio\na, b = await asyncio.gather(client.get('me'), client.get('system/info'))\na['username']",
        "metadata get dataElements deNumber001",
        "metadata count?",
        "profile",
    ]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells])
    NotebookClient(book, timeout=60, kernel_name="python3").execute()
    shown = [[item for item in cell.outputs if item.get("data") != TAKEN_AWAY] for cell in book.cells]

    table = shown[1][0]["data"]
    assert '<table class="dhis2sh">' in table["text/html"]
    assert "Kono" in table["text/plain"]
    assert "color:inherit" in table["text/html"], "text is the page's colour, in light and in dark"
    assert "Remark" in str(shown[2][-1])
    assert "admin" in str(shown[3])
    assert "<th>aggregationType</th>" in shown[4][0]["data"]["text/html"]
    assert "\x1b[" not in shown[4][0]["data"]["text/plain"]
    assert "Count the objects of a type" in str(shown[5])
    assert "<profile sandbox" in str(shown[6])


class Kernel:
    """A kernel, and what came back from it."""

    def __init__(self, manager: AsyncKernelManager) -> None:
        self.manager = manager
        self.client = manager.client()

    async def run(self, code: str) -> list[dict]:
        """Run a cell; gives its messages."""
        number = self.client.execute(code)
        return await self.until_idle(number)

    async def until_idle(self, number: str) -> list[dict]:
        found: list[dict] = []
        while True:
            message = await self.client.get_iopub_msg(timeout=60)
            if message["parent_header"].get("msg_id") != number:
                continue
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                return found
            found.append(message)

    async def complete(self, code: str) -> dict:
        """What the kernel offers at the end of a cell."""
        number = self.client.complete(code, len(code))
        while True:
            message = await self.client.get_shell_msg(timeout=60)
            if message["parent_header"].get("msg_id") == number:
                return message["content"]


@pytest.fixture
async def kernel(sandbox_home: Path) -> AsyncIterator[Kernel]:
    manager = AsyncKernelManager(kernel_name="python3")
    await manager.start_kernel(env={**os.environ, "DHIS2SH_HOME": str(sandbox_home)})
    kernel = Kernel(manager)
    kernel.client.start_channels()
    await kernel.client.wait_for_ready(timeout=60)
    yield kernel
    kernel.client.stop_channels()
    await manager.shutdown_kernel(now=True)


async def test_a_kernel_completes_verbs_and_uids_and_shows_progress_in_the_cell(kernel: Kernel) -> None:
    await kernel.run("%load_ext dhis2sh\n%config IPCompleter.use_jedi = False")
    await kernel.run("%profile use sandbox")

    assert (await kernel.complete("metadata li"))["matches"] == ["list"]
    assert (await kernel.complete("%metadata list dataElements | where(valueType == 'NUM"))["matches"] == ["NUMBER"]
    deadline = time.monotonic() + 60
    while not (found := await kernel.complete("metadata get dataElements bcg"))["matches"]:
        assert time.monotonic() < deadline, "the name index did not fill"
        await asyncio.sleep(0.2)
    assert found["matches"] == ["deNumber001"]
    beside = found["metadata"]["_jupyter_types_experimental"][0]["type"]
    assert beside == "BCG doses given  DE_1  dataElements"

    messages = await kernel.run("metadata list dataElements --limit 3 --page-size 1")
    bars = [message for message in messages if message["msg_type"] in {"display_data", "update_display_data"}]
    assert "<progress" in bars[0]["content"]["data"]["text/html"]
    assert bars[-1]["content"]["data"]["text/html"] == "", "the bar is taken away"


async def test_u13_a_notebook_completes_quickly_and_its_tables_are_aligned(kernel: Kernel) -> None:
    await kernel.run("%load_ext dhis2sh\n%profile use sandbox")
    began = time.monotonic()
    found = await kernel.complete("metadata list dataElements | where(")
    took = time.monotonic() - began
    assert "name" in found["matches"]
    assert took < 5, "Jedi is not asked for a line of ours, however slow the machine"
    assert (await kernel.complete("metadata list dataElements | where(pri"))["matches"] == []

    messages = await kernel.run("metadata list dataElements --limit 2")
    pages = [m["content"]["data"]["text/html"] for m in messages if m["msg_type"] == "execute_result"]
    assert "text-align:left!important" in pages[0], "a notebook's own style puts all cells to the right"
    messages = await kernel.run("metadata list dataElements --out rows.csv")
    said = [m["content"] for m in messages if m["msg_type"] == "stream"]
    assert [(item["name"], item["text"]) for item in said] == [("stdout", "rows.csv: 3 rows\n")], "a note is not on red"


async def test_u7_a_slow_server_shows_signs_of_life_in_the_cell_and_few_messages(kernel: Kernel) -> None:
    with SlowServer() as server:
        setting = f"import os; os.environ.update(DHIS2_URL='{server.url}', DHIS2_USERNAME='a', DHIS2_PASSWORD='b')"
        await kernel.run(f"{setting}\n%load_ext dhis2sh")
        number = kernel.client.execute("metadata list dataElements --filter name:eq:slow")
        assert await asyncio.to_thread(server.asked.wait, 60)
        await asyncio.sleep(2.5)
        await kernel.manager.interrupt_kernel()
        messages = await kernel.until_idle(number)
        server.shutdown()
    shown = [m["content"]["data"]["text/plain"] for m in messages if m["msg_type"].endswith("display_data")]
    assert "waiting for an answer" in shown[0]
    assert shown[-1] == "", "it is taken away"
    assert len(shown) <= 5


async def test_an_interrupted_cell_ends_its_request(kernel: Kernel) -> None:
    with SlowServer() as server:
        setting = f"import os; os.environ.update(DHIS2_URL='{server.url}', DHIS2_USERNAME='a', DHIS2_PASSWORD='b')"
        await kernel.run(f"{setting}\n%load_ext dhis2sh")
        for line in ("metadata list dataElements --filter name:eq:slow", "await client.get('slow')"):
            server.asked.clear()
            server.hung_up.clear()
            number = kernel.client.execute(line)
            assert await asyncio.to_thread(server.asked.wait, 60)
            began = time.monotonic()
            await kernel.manager.interrupt_kernel()
            await kernel.until_idle(number)
            assert time.monotonic() - began < 10, "the server would never have answered"
            assert await asyncio.to_thread(server.hung_up.wait, 60)
        server.shutdown()
