"""Runs every example on a sandbox of its own, and compares what it prints with what is stored beside it.

An example is a file in a story's folder, named after its surface: cli.sh, shell.dhis2, notebook.ipynb, agent.py, python.py.
It runs in an empty folder, with the fictional country in the profile `sandbox`. A story with a `real.json` runs once more on
a real export, where one lies beside the checkout, with the names that the file gives in place of the country's.

usage: python examples/run.py [--snapshot] [WORD ...]     only examples whose path has one of the words
"""

import difflib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
REAL = FOLDER.parents[1] / "shared" / "real" / "v42"
BIN = Path(sys.executable).parent
COMMANDS = {".sh": ["bash", "-eu"], ".dhis2": [str(BIN / "dhis2sh"), "--sandbox"], ".py": [sys.executable]}
NOTEBOOK = ".ipynb"
PATIENCE = 600
"""Seconds for one example."""
EACH_TIME = (
    (re.compile(r"\b[\d,]+ bytes"), "N bytes"),
    (re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d UTC"), "DATE UTC"),
    (re.compile(r"^((?: *\")?(?:create|update) \w+ [^\n\[]*)\[\w{11}\]", re.MULTILINE), r"\1[UID]"),
    (re.compile(r"^(create apiToken until )\d{4}-\d\d-\d\d", re.MULTILINE), r"\1DATE"),
)
"""What an output has another one of each time, and what stands for it."""


@dataclass(frozen=True)
class Run:
    """One example on one set of metadata: on the real one, some of its words are others."""

    path: Path
    words: dict[str, str]

    @property
    def name(self) -> str:
        return f"{self.path.relative_to(FOLDER)}{' (real metadata)' if self.words else ''}"

    @property
    def own(self) -> bool:
        """A notebook holds its outputs itself."""
        return self.path.suffix == NOTEBOOK and not self.words

    @property
    def stored(self) -> Path:
        return self.path.parent / "expected" / f"{self.path.stem}{'.real' if self.words else ''}.txt"

    def text(self) -> str:
        text = self.path.read_text("utf-8")
        for word, other in self.words.items():
            text = text.replace(word, other)
        return text

    def expected(self) -> str:
        if self.own:
            return shown(json.loads(self.path.read_text("utf-8"))["cells"])
        return self.stored.read_text("utf-8") if self.stored.is_file() else ""


def runs() -> Iterator[Run]:
    """Every example, the notebooks first since they take longest."""
    packages = {path.parent for path in FOLDER.glob("*/pyproject.toml")}  # a plugin's own, with tests of its own
    found = (path for path in FOLDER.glob("*/*/*") if path.suffix in {*COMMANDS, NOTEBOOK})
    paths = sorted(path for path in found if path.parents[1] not in packages)
    for path in sorted(paths, key=lambda path: path.suffix != NOTEBOOK):
        yield Run(path, {})
        names = path.parent / "real.json"
        if names.is_file():
            yield Run(path, json.loads(names.read_text("utf-8")))


def carry_out(run: Run, database: Path, *, snapshot: bool) -> str:
    """Run an example; gives what it printed, warnings too. Raises `RuntimeError` where it fails."""
    with tempfile.TemporaryDirectory() as folder:
        script, home, work = Path(folder) / run.path.name, Path(folder) / "home", Path(folder) / "work"
        script.write_text(run.text(), "utf-8")
        work.mkdir()
        (home / "data").mkdir(parents=True)
        shutil.copy(database, home / "data" / "sandbox.db")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("DHIS2")}
        environment |= {
            "DHIS2SH_HOME": str(home), "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "NO_COLOR": "1",
            "PYTHONUNBUFFERED": "1",
        }  # fmt: skip
        if run.path.suffix == NOTEBOOK:
            return notebook(script, home, work, environment, run.path if snapshot and run.own else None)
        done = subprocess.run(
            [*COMMANDS[run.path.suffix], str(script)], cwd=work, env=environment, timeout=PATIENCE, check=False, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"exit {done.returncode}: {done.stdout.strip()[-2000:]}")
        return settled(done.stdout, home)


def notebook(script: Path, home: Path, work: Path, environment: dict[str, str], keep: Path | None) -> str:
    """Run a notebook on a kernel of its own; gives the text of its outputs, and keeps them in the file `keep`."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    book = nbformat.read(script, as_version=4)
    client = NotebookClient(
        book, timeout=PATIENCE, kernel_name="python3", record_timing=False, resources={"metadata": {"path": str(work)}},
        extra_arguments=["--log-level=ERROR"],
    )  # fmt: skip
    try:
        client.execute(env=environment)
    except CellExecutionError as error:
        raise RuntimeError(str(error)[-2000:]) from error
    book = nbformat.reads(settled(nbformat.writes(book), home), as_version=4)
    if keep is not None:
        book.metadata = nbformat.from_dict({"kernelspec": book.metadata["kernelspec"]})
        nbformat.write(book, keep)
    return shown(book.cells)


def settled(text: str, home: Path) -> str:
    """An output without what is another one each time: the folder of files, the bytes of an export, moments, new UIDs."""
    text = text.replace(str(home), "~/dhis2sh")
    for pattern, instead in EACH_TIME:
        text = pattern.sub(instead, text)
    return text


def shown(cells: list[Any]) -> str:
    """The outputs of a notebook as text, cell by cell."""
    texts: list[str] = []
    for number, cell in enumerate(cells, 1):
        for output in cell.get("outputs", []):
            text = output["text"] if output["output_type"] == "stream" else output["data"]["text/plain"]
            texts.append(f"[{number}] {''.join(text).rstrip()}\n" if "".join(text).strip() else "")
    return "".join(texts)


def databases(folder: Path) -> dict[bool, Path]:
    """The sandboxes that examples get a copy of: the fictional country, and the real metadata where it is."""
    made = {False: ["seed"]}
    if REAL.is_dir():
        made[True] = ["load", str(REAL / "metadata.json.gz"), str(REAL / "dataValues.json.gz")]
    for real, words in made.items():
        command = [str(BIN / "dhis2"), "sandbox", *words, "--db", str(folder / f"{real}.db")]
        subprocess.run(command, env=os.environ | {"DHIS2SH_HOME": str(folder)}, check=True, capture_output=True)
    return {real: folder / f"{real}.db" for real in made}


def judged(run: Run, database: Path, *, snapshot: bool) -> str | None:
    """Run an example; None where it prints what is stored, else what is wrong."""
    try:
        found = carry_out(run, database, snapshot=snapshot)
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        return str(error)
    if snapshot and not run.own:
        run.stored.parent.mkdir(exist_ok=True)
        run.stored.write_text(found, "utf-8")
    expected = run.expected()
    lines = difflib.unified_diff(expected.splitlines(), found.splitlines(), "stored", "printed", lineterm="", n=1)
    return None if found == expected else "\n".join(lines)


def main(words: list[str]) -> int:
    """Run the examples that are asked for, two at a time; 1 when one is not as stored."""
    snapshot = "--snapshot" in words
    wanted = [word for word in words if not word.startswith("-")]
    chosen = [run for run in runs() if not wanted or any(word in run.name for word in wanted)]
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
        sandboxes = databases(Path(folder))
        possible = [run for run in chosen if bool(run.words) in sandboxes]
        verdicts = pool.map(lambda run: judged(run, sandboxes[bool(run.words)], snapshot=snapshot), possible)
        wrong = 0
        for run, problem in zip(possible, verdicts, strict=True):
            print(f"pass  {run.name}" if problem is None else f"fail  {run.name}\n{problem}", flush=True)
            wrong += problem is not None
    left_out = len(chosen) - len(possible)
    why = f", {left_out} left out: no real metadata in ../shared beside this checkout" if left_out else ""
    print(f"examples: {len(possible) - wrong} pass, {wrong} fail{why}; {time.monotonic() - begun:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
