import json
import subprocess
import sys
from pathlib import Path

import pytest

from dhis2sh.models import facts
from dhis2sh.surfaces.cli import main as cli

VALUE_TYPES = facts.resources("v42")["dataElements"].properties["valueType"].constants
BAD = [
    ("metdata list dataElements", 2, "did you mean metadata?"),
    ("search malaria", 2, "did you mean metadata search?"),
    ("metadata package instal F", 2, "metadata package has no verb 'instal'\n  try: did you mean install?"),
    ("metadata attribute gett", 2, "metadata attribute has no verb 'gett'\n  try: did you mean get?"),
    ("metadata attribute zz", 2, "try: dhis2 metadata attribute --help"),
    ("data aggregate fech", 2, "data aggregate has no verb 'fech'"),
    ("dev codegen fech", 2, "did you mean fetch?"),
    ("translate imp", 2, "did you mean metadata translate import?"),
    ("package", 2, "did you mean metadata package?"),
    ("metadata lits dataElements", 2, "did you mean list?"),
    (
        "metadata data-elements get bcg doses given",
        2,
        "quote what has spaces: dhis2 metadata data-elements get 'bcg doses given'",
    ),
    ("user inactive 6 months -o json", 2, "quote what has spaces: dhis2 user inactive '6 months' -o json"),
    ("data history BCG doses 202506 Bo CHC", 2, "quote names with spaces: dhis2 data history 'BCG doses given' 202506"),
    ("metadata dataElements get bcg doses", 2, "quote what has spaces: dhis2 metadata data-elements get 'bcg doses'"),
    ("metadata list dataElements malaria -p sandbox", 2, "metadata list dataElements --filter name:ilike:malaria"),
    ("metadata list dataElements mal conf", 2, "metadata list dataElements --filter 'name:ilike:mal conf'"),
    ("metadata graph visualizations tgImGZr1E2I", 2, "try: dhis2 metadata graph tgImGZr1E2I"),
    ("raw patch dataElements/X lp.json", 2, "try: dhis2 raw patch dataElements/X --from lp.json"),
    ("raw post maintenance lp.json --dry-run", 2, "try: dhis2 raw post maintenance --from lp.json --dry-run"),
    ("metadata update dataElements X --short-name B -p sandbox", 2, "--set shortName=B"),
    ("metadata update dataElements X --description=B -p sandbox", 2, "--set description=B"),
    ("datastore set ns key 5", 2, "try: dhis2 datastore set ns key --value 5"),
    (
        "datastore set ns key {a: 1, b: some text}",
        2,
        """dhis2 datastore set ns key --value '{"a": 1, "b": "some text"}'""",
    ),
    ("metadata types bcg", 2, "dhis2 metadata types --help"),
    ("metadata list dataElemnts -p sandbox", 3, "dataElements"),
    ("metadata list dataElements --fitler a -p sandbox", 2, "--filter"),
    ("metadata list dataElements --filter nmae:eq:x -p sandbox", 2, "did you mean name?"),
    ("metadata list dataElements --filter name:ilik:x -p sandbox", 2, "ilike"),
    ("metadata list dataElements --filter name -p sandbox", 2, "name:ilike:bcg"),
    ("metadata list dataElements --page zero -p sandbox", 2, "whole number"),
    ("metadata list dataElements -o jsno -p sandbox", 2, "did you mean json"),
    ("metadata get dataElements a1aaaaaaaaa -p sandbox", 3, "E1005"),
    ("metadata get dataElements nothing -p sandbox", 3, "there are BCG doses given, OPV doses given and Remark"),
    ("metadata list dataElements -p sandbx", 3, "did you mean sandbox?"),
    ("metadata list dataElements", 2, "profile use sandbox"),
    ("sandbox load nothing.json", 2, "no such file"),
    ("sandbox seed --size huge", 2, "small"),
]


@pytest.mark.parametrize(("line", "code", "says"), BAD, ids=[line for line, _, _ in BAD])
def test_a_mistake_is_answered_with_what_failed_and_what_to_try(
    line: str, code: int, says: str, sandbox_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(line.split()) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err
    assert "Traceback" not in err
    assert len(err.strip().splitlines()) <= 2


def test_standard_output_is_data_and_standard_error_is_talk(
    sandbox_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["metadata", "list", "dataElements", "--fields", "id,nope", "--order", "x", "-o", "json", "-p", "sandbox"]
    assert cli.run(words) == 0
    out, err = capsys.readouterr()
    assert len(json.loads(out)) == 3
    assert "no property 'nope'" in err
    assert "cannot be sorted by 'x'" in err


@pytest.mark.parametrize(
    ("chosen", "begins"),
    [("csv", "id,name\n"), ("tsv", "id\tname\n"), ("md", "| id | name |"), ("ndjson", '{"id"'), ("yaml", "- id:")],
)
def test_every_text_format(chosen: str, begins: str, sandbox_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(f"metadata list dataElements --fields id,name -o {chosen} -p sandbox".split()) == 0
    assert capsys.readouterr().out.replace('"name":', '"name":').startswith(begins)


def test_garbage_is_looked_for_from_when_a_verb_begins(sandbox_home: Path) -> None:
    code = (
        "import atexit, gc, sys\n"
        "from dhis2sh.surfaces.cli.main import main\n"
        "atexit.register(lambda: print(gc.isenabled(), gc.get_freeze_count() > 1000))\n"
        "sys.argv = ['dhis2', *sys.argv[1:]]\n"
        "main()"
    )
    told = [
        subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True).stdout
        for words in (["--version"], ["profile", "list"])
    ]
    assert [text.split()[-2:] for text in told] == [["False", "False"], ["True", "True"]]


def test_jq_filters_the_json(sandbox_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["metadata", "list", "dataElements", "--jq", ".[].displayName", "-p", "sandbox"]) == 0
    assert capsys.readouterr().out == "BCG doses given\nOPV doses given\nRemark\n"
    assert cli.run(["metadata", "list", "dataElements", "--jq", ".[", "-p", "sandbox"]) == 2


def test_out_writes_a_file_in_its_endings_format(sandbox_home: Path) -> None:
    assert (
        cli.run(["metadata", "list", "dataElements", "--fields", "id,name", "--out", "rows.csv", "-p", "sandbox"]) == 0
    )
    assert Path("rows.csv").read_text().splitlines()[0] == "id,name"


def test_data_that_are_not_all_say_so_beside_them(
    country_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(line: str) -> str:
        assert cli.run([*line.split(), "-p", "sandbox"]) == 0
        return capsys.readouterr().err

    assert said("metadata list dataElements -o csv") == "50 of 54 rows; --all for every one\n"
    assert said("metadata list dataElements --jq length") == "50 of 54 rows; --all for every one\n"
    assert said("metadata list dataElements --out some.csv") == "some.csv: 50 of 54 rows; --all for every one\n"
    assert said("metadata list dataElements --all --out all.csv") == "all.csv: 54 rows\n"
    assert said("metadata list dataElements --limit 5 -o csv") == "", "who sets a limit knows"
    assert said("metadata list dataElements") == "", "the table says it itself"


def test_an_export_goes_to_a_file_whole(sandbox_home: Path) -> None:
    assert cli.run(["metadata", "export", "--types", "dataElements", "--out", "export.json", "-p", "sandbox"]) == 0
    assert len(json.loads(Path("export.json").read_text())["dataElements"]) == 3


def test_debug_traces_requests_without_the_password(sandbox_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["system", "whoami", "--debug", "-p", "sandbox"]) == 0
    err = capsys.readouterr().err
    assert "GET http://sandbox/api/me" in err
    assert "district" not in err


def test_destroying_without_a_terminal_prints_the_plan_and_ends_with_2(
    sandbox_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["sandbox", "reset"]) == 2
    assert "plan: empty the sandbox" in capsys.readouterr().err
    assert cli.run(["sandbox", "reset", "--yes"]) == 0
    assert cli.run(["metadata", "count", "dataElements", "-p", "sandbox"]) == 0
    assert capsys.readouterr().out.endswith("0\n")


def test_nothing_listens_there(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DHIS2_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("DHIS2_USERNAME", "admin")
    monkeypatch.setenv("DHIS2_PASSWORD", "s3cret-word")
    monkeypatch.setattr("dhis2sh.client.retry.RetryRule.wait", lambda *_, **__: None)  # no patience
    assert cli.run(["system", "ping"]) == 6
    err = capsys.readouterr().err
    assert "http://127.0.0.1:9: nothing answers" in err
    assert "s3cret-word" not in err


def test_completion_knows_verbs_options_types_and_profiles(capsys: pytest.CaptureFixture[str]) -> None:
    def complete(*words: str) -> list[str]:
        cli.run(["--complete", *words])
        return capsys.readouterr().out.split()

    assert complete("meta") == ["metadata"]
    assert complete("metadata", "l") == ["list", "legend-sets"]
    assert complete("metadata", "viz", "l") == ["list"]
    assert complete("metadata", "data-elements", "create", "--value-type", "") == list(VALUE_TYPES)
    assert "dataElements" in complete("metadata", "list", "dataEl")
    assert complete("metadata", "list", "dataElements", "--fil") == ["--filter"]
    assert complete("metadata", "list", "dataElements", "-p", "sand") == ["sandbox"]
    assert complete("sandbox", "seed", "--size", "s") == ["small"]


def test_u8_verbs_are_found_by_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["verbs", "rename", "many", "objects", "-o", "csv"]) == 0
    assert [line.split(",")[0] for line in capsys.readouterr().out.splitlines()][2] == "metadata rename"
    assert cli.run(["verbs", "xyzzyplugh"]) == 3
    assert (
        capsys.readouterr().err
        == "error: no verb has to do with 'xyzzyplugh'\n  try: objects are found by: dhis2 metadata search xyzzyplugh\n"
    )


@pytest.mark.parametrize("profile", [["-p", "sandbox"], ["--profile=sandbox"]])
@pytest.mark.parametrize("asked", ["-h", "--help", "--version"])
def test_help_and_version_are_there_behind_a_profile_too(
    profile: list[str], asked: str, sandbox_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run([asked]) == 0
    wanted = capsys.readouterr().out
    assert cli.run([*profile, asked]) == 0
    assert capsys.readouterr().out == wanted


@pytest.mark.parametrize("group", ["metadata attribute", "metadata package", "data aggregate", "metadata"])
def test_words_that_are_no_verb_yet_show_their_help_with_a_profile_too(
    group: str, sandbox_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["-p", "sandbox", *group.split()]) == 0
    assert f"Usage: dhis2 {group}" in capsys.readouterr().out
