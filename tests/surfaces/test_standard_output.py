"""What is printed is all there, or a line says that it is not: on a full disk, into a closed file, into a pipe nobody reads."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from dhis2sh.errors import NotWritten
from dhis2sh.surfaces.standard_output import Lost, Whole

ROOM = 4096
FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
CLI = [sys.executable, "-m", "dhis2sh.surfaces.cli.main"]
SHELL = [sys.executable, "-c", "from dhis2sh.surfaces.ipython.start import main; main()"]
SAID = "error: standard output cannot be written: {}\n  try: make room on the disk, then the same again\n"


def printed(line: list[str], out: int, *, unbuffered: str = "", room: int | None = None) -> tuple[int, str]:
    """The exit code and standard error of a line whose standard output is a file that takes no more than `room` bytes."""

    def small() -> None:
        if room is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    measured = room is None  # what is measured is written into a file when the process ends, which has no room either
    env = {name: value for name, value in os.environ.items() if measured or not name.startswith("COVERAGE_")}
    env["PYTHONUNBUFFERED"] = unbuffered
    done = subprocess.run(line, stdout=out, stderr=subprocess.PIPE, env=env, preexec_fn=small, check=False)
    said = [row for row in done.stderr.decode().splitlines(True) if not row.startswith("note: ")]
    return done.returncode, "".join(said)


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_text_that_is_cut_is_an_error_with_a_code_of_its_own(tmp_path: Path, unbuffered: str) -> None:
    """Without Python's buffer, as in most containers, a cut text ended with 0."""
    with (tmp_path / "out.txt").open("wb") as out:
        script = f"from dhis2sh.surfaces.cli import main; main.front_door = lambda words: 'x' * {3 * ROOM}; main.main()"
        code, err = printed([sys.executable, "-c", script], out.fileno(), unbuffered=unbuffered, room=ROOM)
    assert (tmp_path / "out.txt").stat().st_size == ROOM
    assert (code, err) == (NotWritten.exit_code, SAID.format("File too large"))


@needs_full
@pytest.mark.parametrize(
    ("line", "unbuffered"),
    [
        ([*CLI, "--help"], ""),
        ([*CLI, "--version"], "1"),
        ([*CLI, "-p", "sandbox", "metadata", "list", "--help"], ""),
        ([*CLI, "-p", "sandbox", "profile", "list", "--jq", "."], "1"),
        ([*CLI, "-p", "sandbox", "profile", "list", "-o", "csv"], ""),
        ([*SHELL, "--version"], ""),
    ],
    ids=lambda value: " ".join(value[3:]) if isinstance(value, list) else value,
)
def test_a_full_disk_is_two_lines(home: Path, line: list[str], unbuffered: str) -> None:
    with FULL.open("wb") as out:
        code, err = printed(line, out.fileno(), unbuffered=unbuffered)
    assert (code, err) == (NotWritten.exit_code, SAID.format("No space left on device"))


@needs_full
def test_the_shell_ends_at_the_line_whose_output_is_lost(home: Path, tmp_path: Path) -> None:
    script = tmp_path / "lines.ipy"
    script.write_text(f"print('a', flush=True)\nopen({str(tmp_path / 'never')!r}, 'w').close()\n", "utf-8")
    with FULL.open("wb") as out:
        code, err = printed([*SHELL, "-p", "sandbox", str(script)], out.fileno())
    assert (code, err) == (NotWritten.exit_code, SAID.format("No space left on device"))
    assert not (tmp_path / "never").exists()


def test_a_closed_file_is_said_and_a_closed_pipe_is_not(home: Path) -> None:
    line = " ".join(f"'{word}'" for word in [*CLI, "--version"])
    done = subprocess.run(["sh", "-c", f"{line} >&-"], capture_output=True, text=True, check=False)
    assert (done.returncode, "error: standard output cannot be written: Bad file" in done.stderr) == (9, True)
    for command in ([*CLI, "--help"], [*CLI, "-p", "sandbox", "profile", "list"]):
        reading, writing = os.pipe()
        os.close(reading)
        assert printed(command, writing) == (0, "")
        os.close(writing)


def test_a_pipe_that_does_not_wait_is_waited_for() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    text = os.urandom(1_000_000)
    reader = subprocess.Popen(["wc", "-c"], stdin=reading, stdout=subprocess.PIPE)
    os.close(reading)
    assert Whole(writing).write(text) == len(text)
    os.close(writing)
    assert int(reader.communicate()[0]) == len(text)


@needs_full
def test_standard_error_that_is_lost_does_not_end_the_work() -> None:
    with FULL.open("wb") as full:
        talk, data = Whole(full.fileno(), talk=True), Whole(full.fileno())
        assert talk.write(b"note") == 4
        with pytest.raises(Lost, match="No space left"):
            data.write(b"row")
        assert data.write(b"what Python would say again at the end") > 0
