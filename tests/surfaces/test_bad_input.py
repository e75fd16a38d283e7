"""Whatever is typed wrong is two lines: what failed and why, and what to try; nothing is printed, nothing is written (R)."""

import shlex
from pathlib import Path

import pytest

from dhis2sh import profiles
from dhis2sh.changes import journal
from dhis2sh.surfaces.cli import main as cli

LINES = r"""
metadata list dataElemnts
metadata list
metadata list dataElements --filter name
metadata list dataElements --filter name:foo:x
metadata list dataElements --filter nme:eq:x
metadata list dataElements --limit x
metadata list dataElements --limit -1
metadata list dataElements --page 0
metadata list dataElements --root-junction XOR
metadata list dataElements -o cvs
metadata list dataElements -o xlsx
metadata list dataElements --jq '.['
metadata list dataElements --out folder
metadata list dataElements --nope
metadata list dataElements extra
metadata list dataElements --filter
metadata get dataElements
metadata get dataElements ''
metadata get dataElements nothing-of-that-name
metadata get nix deNumber001
metadata create dataElements
metadata create dataElements --set name
metadata create dataElements --set =x
metadata create dataElements --set nme=x
metadata create dataElements --set name=x --set valueType=NUMBR
metadata create dataElements --set id=short --set name=a --set shortName=a
metadata create organisationUnits --set name=a --set shortName=a --set openingDate=2020-02-30
metadata create indicators --set name=a --set shortName=a --numerator '#{'
metadata create dataElements --from gone.csv
metadata create dataElements --from folder
metadata create dataElements --from empty.csv
metadata create dataElements --from broken.json
metadata create dataElements --from list.json
metadata create dataElements --from x.doc
metadata create dataElements --from broken.yaml
metadata update dataElements nix --set name=x
metadata update dataElements DE_1 --set a.b.c=1
metadata delete dataElements nix
metadata delete dataElements
metadata rename dataElements --all
metadata patch dataElements DE_1 --patch '{'
metadata patch dataElements DE_1 --patch '[1]'
metadata share dataElements DE_1 --public q
metadata share dataElements DE_1 --group nothing=r
metadata import gone.json
metadata import folder
metadata import broken.json
metadata import list.json
metadata export --types nix
metadata export --with sharing
metadata export --types dataElements --out /nowhere/x.json
metadata diff gone.json gone2.json
metadata diff-profiles nix sandbox
metadata usage nothing-of-that-name
metadata describe nix
metadata search ''
metadata translate import gone.csv
metadata attribute set dataElements DE_1 nix=1
metadata data-element-groups add nix DE_1
metadata organisation-units move Bo --to Bo
metadata organisation-units geometry list.json
metadata validate-expression '#{nix'
metadata sql-views adhoc 'drop table x'
metadata nix
nix
undo 999
undo x
journal show 999
journal prune
journal prune --keep -1
profile use nix
profile add
profile add x --url
profile add x --url nix
profile add 'a b' --url https://a.example.org
profile add ../x --url https://a.example.org
profile add sandbox --url https://a.example.org
profile add x --url https://ann:word@a.example.org
profile add x --url https://a.example.org --auth nix
profile rename nix y
profile remove sandbox
profile login sandbox
profile trust
explain nix
what nothing-of-that-name
sandbox load gone.json
sandbox reset
metadata package plan gone.json
metadata package install list.json
metadata package install values.csv
metadata delete dataElements ''
metadata update dataElements '' --set name=x
metadata clone dataElements '' --name x
names nix
data aggregate get
data aggregate get --data-element nix --period 2025 --org-unit Bo
data aggregate get --data-element DE_1 --period 202513 --org-unit Bo
data aggregate get --data-element DE_1 --period 05/06/2025 --org-unit Bo
data aggregate get --data-element DE_1 --period 2025 --org-unit nix
data aggregate get --data-element DE_1 --start-date 2025-02-30 --end-date 2025-03-01 --org-unit Bo
data aggregate push
data aggregate push gone.csv
data aggregate push folder
data aggregate push empty.csv
data aggregate push broken.json
data aggregate push list.json
data aggregate push x.doc
data aggregate push people.csv
data aggregate push values.csv --strategy nix
data aggregate push values.csv --period nix
data aggregate push words.csv --yes
data aggregate push nowhere.csv --yes
data aggregate set DE_1 202506 Bo
data aggregate set DE_1 nix Bo 1
data aggregate set nix 202506 Bo 1
data aggregate set DE_1 202506 nix 1
data aggregate set DE_1 202506 Bo many
data aggregate delete
data aggregate delete --data-element DE_1
data aggregate diff sandbox nix
data aggregate diff values.csv
data aggregate copy nix --data-element DE_1 --period 2025 --org-unit Bo
data completeness nix --period 202506
data completeness Monthly --period x
data completeness
data complete nix 202506 Bo
data reopen nix 202506 Bo
data nix
analytics query
analytics query dx=DE_1
analytics query dx=nix pe=2025 ou=Bo
analytics query dx=DE_1 pe=20255 ou=Bo
analytics query dx=DE_1 pe=2025 ou=nix
analytics query dx=DE_1 pe=2025 ou=LEVEL-99
analytics query DE_1 2025 Bo
analytics query dx=DE_1 pe=2025 ou=Bo nix=1
analytics nix
jobs nix
sandbox nix
raw get nix
raw get me --param x
raw get 'http://['
raw get me --out /
raw put dataElements/DE_1 --body '{'
raw patch dataElements/DE_1 --from folder
raw delete dataElements/nix --yes
-p nix metadata list dataElements
-p sandbox:../x metadata list dataElements
-p '' system ping
""".strip().splitlines()


@pytest.fixture
def here(sandbox_home: Path) -> Path:
    folder = Path.cwd()
    (folder / "folder").mkdir()
    for name, text in {
        "empty.csv": "",
        "broken.json": '{"a":',
        "list.json": "[1, 2]",
        "people.csv": "first,last\nAnn,Lee\n",
        "values.csv": "dataElement,period,orgUnit,value\nDE_1,202506,Bo,3\n",
        "words.csv": "dataElement,period,orgUnit,value\nDE_1,202506,Bo,many\n",
        "nowhere.csv": "dataElement,period,orgUnit,value\nDE_1,202506,Atlantis,3\n",
        "broken.yaml": "- name: [unclosed",
    }.items():
        (folder / name).write_text(text)
    return folder


def said(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, list[str]]:
    code = cli.run(words)
    out, err = capsys.readouterr()
    return code, out, [line for line in err.splitlines() if line.startswith(("error: ", "  try: "))]


@pytest.mark.parametrize("line", LINES)
def test_a_mistake_is_two_lines(here: Path, capsys: pytest.CaptureFixture[str], line: str) -> None:
    words = shlex.split(line)
    code, out, told = said(words if line.startswith("-p") else ["-p", "sandbox", *words], capsys)
    assert code > (0 if "--out" in line else 1), "1 is for what nobody expects, such as a disk"
    assert (out, len(told)) == ("", 2), told
    assert "fault of dhis2sh" not in told[1]
    assert told[1].removeprefix("  try: ") != f"dhis2 -p sandbox {line}", "the line itself is no advice"
    assert all(entry.outcome in {"refused", "failed"} for entry in journal.of("sandbox").entries()), (
        "nothing was written"
    )


BAD_FILES = {
    "no toml": "x", "no tables": "profiles = 3", "a number for a profile": "[profiles]\na = 1", "an active number": "active = 3",
    "an unknown active one": 'active = "nix"', "no address": "[profiles.a]", "an address that is a number": "[profiles.a]\nurl = 3",
    "an address of a page": '[profiles.a]\nurl = "https://a.example.org/api?x=1"', "a blank in a name": '[profiles."a b"]\nurl = "https://a"',
    "no boolean": '[profiles.a]\nurl = "https://a"\nread_only = "yes"', "less than no patience": '[profiles.a]\nurl = "https://a"\nread_timeout = -1',
    "no connection": '[profiles.a]\nurl = "https://a"\nmax_connections = 0', "no number": '[profiles.a]\nurl = "https://a"\nread_timeout = nan',
    "an unknown sign-in": '[profiles.a]\nurl = "https://a"\nauth = "nix"', "nobody": '[profiles.a]\nurl = "https://a"',
    "a password in the address": '[profiles.a]\nurl = "https://ann:s3cret@a"',
}  # fmt: skip


@pytest.mark.parametrize("text", BAD_FILES.values(), ids=BAD_FILES)
def test_a_profiles_file_that_is_wrong_is_two_lines(home: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    path = profiles.user_file()
    path.parent.mkdir(parents=True)
    path.write_text(text)
    code, out, told = said(["system", "ping"], capsys)
    assert (code in {2, 3}, out, len(told)) == (True, "", 2), told
    assert "s3cret" not in "".join(told)
    assert path.read_text() == text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DHIS2_PROFILE", "nix"), ("DHIS2_URL", "nix"), ("DHIS2_URL", "http://"), ("DHIS2_URL", "http://127.0.0.1:1"),
        ("DHIS2SH_HOME", "/dev/null"), ("DHIS2_PASSWORD", "\udcff"), ("DHIS2_PAT", "a\nb"),
    ],
)  # fmt: skip
def test_an_environment_that_is_wrong_is_two_lines(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    if name.startswith("DHIS2_PA"):
        monkeypatch.setenv("DHIS2_URL", "http://127.0.0.1:1")
        monkeypatch.setenv("DHIS2_USERNAME", "ann")
    monkeypatch.setenv(name, value)
    code, out, told = said([*(["-p", "sandbox"] if name == "DHIS2SH_HOME" else []), "system", "ping"], capsys)
    assert (code != 0, out, len(told), "fault of" in told[1]) == (True, "", 2, False), told


def test_a_folder_that_is_gone_is_no_fault(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = Path("gone").absolute()
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert cli.run(["profile", "list"]) == 0
    assert capsys.readouterr().err == ""
