"""What a killed process has left of its coverage is taken away before all of it is combined."""

from pathlib import Path

import pytest
from coverage import CoverageData

from tests.measuring import unmeasured, without_halves


def test_half_a_file_is_taken_away_and_a_whole_one_is_not(tmp_path: Path) -> None:
    whole = tmp_path / ".coverage.whole"
    data = CoverageData(str(whole))
    data.add_arcs({f"module{number}.py": {(line, line + 1) for line in range(400)} for number in range(60)})
    data.write()
    data.close()
    body = whole.read_bytes()
    halves = {
        "cut": body[: len(body) // 2],
        "empty": b"",
        "text": b"no database",
        "zeros": body[:4096] + bytes(len(body) - 4096),
    }
    for name, left in halves.items():
        (tmp_path / f".coverage.{name}").write_bytes(left)
    assert [path.name for path in without_halves(tmp_path)] == sorted(f".coverage.{name}" for name in halves)
    assert [path.name for path in tmp_path.glob(".coverage.*")] == [whole.name]
    assert whole.read_bytes() == body


def test_a_process_that_will_be_killed_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COVERAGE_PROCESS_CONFIG", "{}")
    assert unmeasured(MORE="1").items() >= {("MORE", "1")}
    assert "COVERAGE_PROCESS_CONFIG" not in unmeasured()
