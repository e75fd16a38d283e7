"""How long commands take to start, as multiples of an empty Python; and a list against bare httpx."""

import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pexpect

from tests.perf.rows import BIN, Row, cpu, environment, interleaved, ratio, runs

PASS = "x python -c pass"
BARE = """
import httpx, json, os
url = os.environ["DHIS2_URL"] + "/api/organisationUnits?fields=id,displayName&paging=false"
rows = json.loads(httpx.get(url, auth=("admin", "district")).content)["organisationUnits"]
assert len(rows) > 1000
"""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def served(home: str, *filled: str) -> Iterator[dict[str, str]]:
    """A sandbox over TCP with 1,300 organisation units, and the environment of its profile.

    `filled` is what fills it otherwise, such as `load FILE`.
    """
    plain, port = environment(home), free_port()
    words = filled or ("seed", "--size", "medium")
    subprocess.run([str(BIN / "dhis2"), "sandbox", *words], env=plain, check=True, capture_output=True)
    server = subprocess.Popen(
        [str(BIN / "dhis2"), "sandbox", "serve", "--port", str(port)],
        env=plain,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(url, plain)
        yield {**plain, "DHIS2_URL": url, "DHIS2_USERNAME": "admin", "DHIS2_PASSWORD": "district"}
    finally:
        server.terminate()
        server.wait(10)


def wait_for(url: str, plain: dict[str, str]) -> None:
    """Wait until the sandbox answers."""
    asked = {**plain, "DHIS2_URL": url, "DHIS2_USERNAME": "admin", "DHIS2_PASSWORD": "district"}
    for _ in range(50):
        if (
            subprocess.run(
                [str(BIN / "dhis2"), "system", "ping"], env=asked, capture_output=True, check=False
            ).returncode
            == 0
        ):
            return
        time.sleep(0.2)
    raise SystemExit("the sandbox does not answer")


def first_prompt(program: str, prompt: str, settings: dict[str, str]) -> float:
    """CPU seconds of a shell, all its threads, when its first prompt is drawn."""
    child = pexpect.spawn(str(BIN / program), [], env=settings, encoding="utf-8", timeout=60, dimensions=(40, 120))
    try:
        child.expect_exact(prompt)
        return used(child.pid)
    finally:
        child.close(force=True)


def used(pid: int) -> float:
    """CPU seconds that a process has used so far, all its threads, by Linux's clock of that process."""
    return time.clock_gettime((~pid << 3) | 2)


def first_byte(command: list[str], settings: dict[str, str]) -> float:
    """CPU seconds of a command when its first byte of output comes."""
    process = subprocess.Popen(command, env=settings, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    select.select([process.stdout], [], [], 60)
    seconds = used(process.pid)
    process.stdout.close()
    process.kill()
    process.wait()
    return seconds


def rows(quick: bool) -> list[Row]:
    dhis2 = str(BIN / "dhis2")
    with tempfile.TemporaryDirectory() as home, served(home) as settings:
        commands = {
            "python": [sys.executable, "-c", "pass"],
            "dhis2 --help": [dhis2, "--help"],
            "dhis2 --version": [dhis2, "--version"],
            "completion of a verb": [dhis2, "--complete", "metadata", "l"],
            "completion of a type": [dhis2, "--complete", "metadata", "list", "dataEl"],
            "completion of a property": [dhis2, "--complete", "metadata", "list", "dataElements", "--fields", "va"],
            "dhis2 metadata --help": [dhis2, "metadata", "--help"],
            "dhis2 metadata data-elements create --help": [dhis2, "metadata", "data-elements", "create", "--help"],
            "dhis2sh -c pass": [str(BIN / "dhis2sh"), "-c", "pass"],
            "ipython -c pass": [str(BIN / "ipython"), "-c", "pass"],
            "all 1,300 units, dhis2": [dhis2, "metadata", "list", "organisationUnits", "--all", "--fields", "id,displayName", "-o", "json"],
            "all 1,300 units, httpx": [sys.executable, "-c", BARE],
        }  # fmt: skip
        measures = {name: partial(cpu, command, settings) for name, command in commands.items()}
        measures["first byte of a list"] = partial(first_byte, [dhis2, "metadata", "list", "dataElements"], settings)
        measures["ipython at its prompt"] = partial(first_prompt, "ipython", "In [", settings)
        measures["dhis2sh at its prompt"] = partial(first_prompt, "dhis2sh", "environment:admin", settings)
        times = interleaved(measures, runs(quick))
    base = times["python"]
    ipython, bare = times["ipython at its prompt"], times["all 1,300 units, httpx"]
    return [
        ratio("dhis2 --help", times["dhis2 --help"], base, PASS, 2.5),
        ratio("dhis2 --version", times["dhis2 --version"], base, PASS, 2.5),
        ratio("shell completion of a verb", times["completion of a verb"], base, PASS, 2.5),
        ratio("shell completion of a type", times["completion of a type"], base, PASS, 2.5),
        ratio("shell completion of a property", times["completion of a property"], base, PASS),
        ratio("dhis2 metadata --help", times["dhis2 metadata --help"], base, PASS, 3),
        ratio(
            "dhis2 metadata data-elements create --help",
            times["dhis2 metadata data-elements create --help"],
            base,
            PASS,
            3,
        ),
        ratio("dhis2 metadata list dataElements, first byte", times["first byte of a list"], base, PASS, 30),
        ratio("ipython at its first prompt", ipython, base, PASS),
        ratio("dhis2sh at its first prompt", times["dhis2sh at its prompt"], ipython, "x ipython", 1.10),
        ratio("dhis2sh -c pass", times["dhis2sh -c pass"], times["ipython -c pass"], "x ipython -c pass"),
        ratio("1,300 units by dhis2, the process", times["all 1,300 units, dhis2"], bare, "x httpx + json.loads"),
    ]
