"""Which files the sandbox's verbs touch: their own, by the tables in it, and no other."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from dhis2sh.sandbox.areas import open_store
from dhis2sh.surfaces.cli import main as cli


def foreign(path: Path) -> bytes:
    """Another program's database."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE patient (id INTEGER)")
        connection.commit()
    return path.read_bytes()


@pytest.mark.parametrize("line", ["status", "seed --yes", "load export.json --yes", "reset --yes"])
def test_t4_no_sandbox_verb_touches_a_file_of_others(home: Path, capsys: pytest.CaptureFixture[str], line: str) -> None:
    Path("export.json").write_text("{}")
    Path("notes.txt").write_text("not a database")
    held = {"clinic.db": foreign(Path("clinic.db")), "notes.txt": b"not a database"}
    before = sorted(path.name for path in Path.cwd().iterdir())

    for name, body in held.items():
        assert cli.run(["sandbox", *line.split(), "--db", name]) == 2, (line, name)
        assert f"{name} is not a sandbox's file: it was left as it is" in capsys.readouterr().err
        assert Path(name).read_bytes() == body
    assert sorted(path.name for path in Path.cwd().iterdir()) == before


def test_t4_status_writes_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["sandbox", "status", "--db", "none.db"]) == 3
    assert "there is no file none.db" in capsys.readouterr().err
    assert not Path("none.db").exists()

    store = open_store(Path("demo.db"), version="2.43")
    store.put_objects({"constants": [{"id": "coOneAndTwo", "name": "One", "value": 1}]})
    store.close()
    before = Path("demo.db").read_bytes()
    assert cli.run(["sandbox", "status", "--db", "demo.db", "-o", "json"]) == 0
    assert '"version": "2.43.' in capsys.readouterr().out
    assert Path("demo.db").read_bytes() == before


def test_a_sandbox_is_filled_and_emptied_without_any_profile(home: Path) -> None:
    for line in ("seed --yes", "reset --yes"):
        assert cli.run(["sandbox", *line.split()]) == 0
