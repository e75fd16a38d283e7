"""Asked which of some words it shall be: an answer that means none of them, or several, is asked again."""

from __future__ import annotations

import io
import sys

import pytest

from dhis2sh.errors import Declined
from dhis2sh.surfaces.terminal import choose

GROUPS = ["new", "COVAC access", "COVAC admin", "Malaria admin"]


def typed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


@pytest.mark.parametrize(
    ("answers", "chosen"),
    [
        ("3\n", "COVAC admin"),
        ("malaria ADMIN\n", "Malaria admin"),
        ("covac ad\n", "COVAC admin"),
        ("n\nno\n3\n", "COVAC admin"),
        ("Malaria admni\nMalaria admin\n", "Malaria admin"),
        ("C\n\nzzz\n9\n0\n2\n", "COVAC access"),
    ],
)
def test_pk1_only_an_answer_that_means_one_is_taken(monkeypatch: pytest.MonkeyPatch, answers: str, chosen: str):
    typed(monkeypatch, answers)
    assert choose("which group?", GROUPS, none=False) == chosen


def test_pk1_a_slip_is_told_the_nearest(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    typed(monkeypatch, "Malaria admni\nC\nzzz\n1\n")
    assert choose("which group?", GROUPS) == "new"
    said = capsys.readouterr().err
    assert "  2  COVAC access\n" in said
    assert "'Malaria admni': did you mean Malaria admin" in said
    assert "'C': which of them: COVAC access, COVAC admin?" in said
    assert "'zzz': none of these" in said


def test_pk1_no_answer_is_none_of_them_or_a_no(monkeypatch: pytest.MonkeyPatch):
    typed(monkeypatch, "\n")
    assert choose("which way?", ["map", "rename", "skip"]) is None
    typed(monkeypatch, "\n")
    with pytest.raises(Declined, match="nothing was written"):
        choose("which group?", GROUPS, none=False)
