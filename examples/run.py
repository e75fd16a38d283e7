"""Runs every example on a fresh sandbox with the fictional country, and compares what it prints with what is stored.

usage: python examples/run.py [--snapshot] [NAME ...]
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parent
EXPECTED = FOLDER / "expected"
BIN = Path(sys.executable).parent


def commands(path: Path) -> list[list[str]]:
    """What an example runs: a `.sh` is bash, each line of a `.dhis2` goes to the shell, a `.py` is plain Python."""
    if path.suffix == ".sh":
        return [["bash", "-e", str(path)]]
    if path.suffix == ".py":
        return [[sys.executable, str(path)]]
    lines = [line.strip() for line in path.read_text("utf-8").splitlines()]
    return [[str(BIN / "dhis2sh"), "--sandbox", "-c", line] for line in lines if line and not line.startswith("#")]


def output_of(path: Path, environment: dict[str, str]) -> str:
    printed: list[str] = []
    for command in commands(path):
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=120, check=False, stdin=subprocess.DEVNULL
        )
        if done.returncode:
            raise RuntimeError(f"exit {done.returncode}: {done.stderr.strip()[-500:]}")
        printed.append(done.stdout)
    return "".join(printed)


def main(words: list[str]) -> int:
    snapshot = "--snapshot" in words
    names = [word for word in words if not word.startswith("-")]
    failed = 0
    with tempfile.TemporaryDirectory() as home:
        path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "DHIS2SH_HOME": home, "PATH": path, "NO_COLOR": "1"}
        subprocess.run([str(BIN / "dhis2"), "sandbox", "seed"], env=environment, check=True, capture_output=True)
        for example in sorted([*FOLDER.glob("[0-9]*")]):
            if names and example.stem not in names:
                continue
            stored = EXPECTED / f"{example.stem}.txt"
            try:
                printed = output_of(example, environment)
            except (RuntimeError, subprocess.TimeoutExpired) as error:
                print(f"fail  {example.name}  {error}")
                failed += 1
                continue
            if snapshot:
                EXPECTED.mkdir(exist_ok=True)
                stored.write_text(printed, "utf-8")
            same = stored.is_file() and stored.read_text("utf-8") == printed
            failed += not same
            print(
                f"{'pass' if same else 'fail'}  {example.name}"
                + ("" if same else "  standard output differs from the stored one")
            )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
