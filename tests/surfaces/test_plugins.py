"""A plugin is a package of its own: installed, its verbs are everywhere; broken, it is named, skipped and harms nothing."""

import json
import os
import shutil
import subprocess
import sys
import time
import tomllib
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from dhis2sh import __version__
from dhis2sh.changes.plan import Plan
from dhis2sh.errors import UsageError
from dhis2sh.session import Session
from dhis2sh.surfaces.cli import main as cli
from dhis2sh.surfaces.ipython import magics
from dhis2sh.surfaces.mcp.tools import Tools
from dhis2sh.verbs import completion, grammar, installed, manifest, plugin_catalogue
from dhis2sh.verbs.declaration import REGISTRY
from dhis2sh.verbs.registry import find, load_domain
from dhis2sh.verbs.run import run
from tests.plugged import forget, install

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "plugin-external"

EVERYWHERE = """
import asyncio, contextlib, io, json
from IPython.core.interactiveshell import InteractiveShell
from dhis2sh.plugin import Consent, Session, run
from dhis2sh.surfaces import mcp
from dhis2sh.surfaces.cli import main as cli
from dhis2sh.surfaces.ipython import magics
from dhis2sh.verbs import completion
from dhis2sh.verbs.registry import find
from dhis2sh.verbs.search import find_verbs

def printed(*words):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = cli.run(list(words))
    return code, out.getvalue()

async def prepared():
    session = Session("sandbox")
    try:
        await session.client.post("organisationUnits", {"id": "ouFacility1", "name": "Ngele", "shortName": "N", "openingDate": "2000-01-01"})
        written = await run(session, find("contacts set"), {"unit": "Ngele", "phone": "+232 76"}, Consent(yes=True))
        return written.updated
    finally:
        await session.aclose()

found = {"help": printed("contacts", "--help")[1], "domains": completion.candidates(["con"]), "words": completion.candidates(["contacts", ""]),
         "options": completion.candidates(["contacts", "list", "--mi"]),
         "search": [str(item.verb["path"]) for item in find_verbs("telephone number of a facility")],
         "written": asyncio.run(prepared())}
shell = InteractiveShell.instance()
runner = magics.load(shell, "sandbox")
rows = lambda text: [(row["id"], row.get("phoneNumber")) for row in json.loads(text)]
tools = mcp.Tools()
found["cli"] = rows(printed("contacts", "list", "--level", "1", "-p", "sandbox", "-o", "json")[1])
found["magic"] = rows(str(runner.line("contacts list --level 1 -o json")))
found["mcp"] = [(row["id"], row.get("phoneNumber")) for row in runner.portal.run(tools.run("contacts list", {"level": 1}, "sandbox", "read"))["result"]]
found["tool"] = tools.search("contacts set")["result"][0]["input"]["required"]
async def called():
    return [(row["id"], row.get("phoneNumber")) async for row in await run(runner.session, find("contacts_list"), {"level": 1})]
found["python"] = runner.portal.run(called())
found["dir"] = dir(runner.namespace()["contacts"])
found["undo"] = printed("undo", "--yes", "-p", "sandbox")[0]
found["after"] = rows(printed("contacts", "list", "--level", "1", "-p", "sandbox", "-o", "json")[1])
print(json.dumps(found))
"""


@pytest.fixture(autouse=True, scope="module")
def _not_measured() -> Iterator[None]:
    """Coverage in the processes that import plugins loads files of its own, which are no plugin's."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("COVERAGE_")]:
            patch.delenv(name)
        yield


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python of its own in which the example is installed, as an installer would leave it; needs no network."""
    folder = tmp_path_factory.mktemp("fresh") / "env"
    venv.create(folder, with_pip=False, symlinks=os.name != "nt")
    site = next(folder.glob("lib/python*/site-packages"))
    ours = [*map(str, (ROOT, ROOT / "generated")), *[path for path in sys.path if path.endswith("site-packages")]]
    (site / "ours.pth").write_text("\n".join(ours) + "\n", "utf-8")
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text("utf-8"))
    shutil.copytree(EXAMPLE / "dhis2_contacts", site / "dhis2_contacts", ignore=shutil.ignore_patterns("__pycache__"))
    points = project["project"]["entry-points"]["dhis2.plugins"]
    install(site, project["project"]["name"], points, {}, project["project"]["dependencies"][0])
    return folder / "bin" / "python"


def test_the_example_is_on_all_four_surfaces_in_completion_and_in_search(fresh: Path, home: Path) -> None:
    done = subprocess.run([fresh, "-c", EVERYWHERE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["domains"] == ["contacts"]
    assert found["words"] == ["list", "set"]
    assert found["options"] == ["--missing"]
    assert found["search"][0] in {"contacts list", "contacts set"}
    assert "whom to call" in found["help"].lower()
    assert found["written"] == 1
    assert found["cli"] == found["magic"] == found["mcp"] == found["python"] == [["ouFacility1", "+232 76"]]
    assert found["tool"] == ["uid"]
    assert found["dir"] == ["list", "set"]
    assert (found["undo"], found["after"]) == (0, [["ouFacility1", None]])


def test_the_front_door_of_a_fresh_environment_knows_it(fresh: Path) -> None:
    words = [fresh, "-m", "dhis2sh.surfaces.cli.main", "dev", "plugin", "list", "-o", "json"]
    rows = json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    assert [(row["domain"], row["state"], row["verbs"], row["distribution"]) for row in rows] == [
        ("contacts", "ready", 2, "dhis2-contacts")
    ]


GOOD = """
from dhis2sh.plugin import Row, Rows, Session, verb

@verb("{0} stock", effect="read", examples=["dhis2 {0} stock"])
async def stock(s: Session) -> Rows[Row]:
    '''List what is left of everything.'''
    return Rows([{{"left": 3}}])
"""
BROKEN = {
    "raises": ("raise RuntimeError('no\\nlicence')", "RuntimeError: no licence"),
    "unreadable": ("def (:", "SyntaxError"),
    "leaves": ("import sys; sys.exit(3)", "SystemExit: 3"),
    "falls": ("import os; os._exit(7)", "its import ended the process (exit code 7)"),
    "lacking": ("import no_such_module_anywhere", "No module named 'no_such_module_anywhere'"),
    "older": ("from dhis2sh.plugin import gone_since", f"it was written for another dhis2sh than {__version__} (dhis2sh>=9)"),
    "silent": ("print('hello')", "declares no verb of the domain 'silent'"),
    "strange": (GOOD.format("metadata"), "it declares 'metadata stock', and its domain is 'strange'"),
    "metadata": (GOOD.format("metadata"), "dhis2sh has a word of that name itself"),
    "print": (GOOD.format("print"), "`print` is a word of Python's own"),
    "time": (GOOD.format("time"), "`%time` is a magic of IPython's"),
    "where": (GOOD.format("where"), "`where` is a stage of pipelines"),
    "Bad Name": (GOOD.format("bad"), "a domain's name begins with a small letter"),
}  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Distributions: a good one, and every kind of broken one."""
    folder = tmp_path_factory.mktemp("broken") / "site-packages"
    install(folder, "good", {"good": "plug_good"}, {"plug_good.py": "print('noise')\n" + GOOD.format("good")})
    for number, (domain, (source, _)) in enumerate(BROKEN.items()):
        install(folder, f"broken-{number}", {domain: f"plug_{number}"}, {f"plug_{number}.py": source}, "dhis2sh>=9")
    for name in ("first", "second"):
        install(folder, name, {"twice": f"plug_{name}"}, {f"plug_{name}.py": GOOD.format("twice")})
    return folder


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory, site: Path) -> Path:
    """What was found out about them, once for all tests: a cache folder."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DHIS2SH_HOME", str(folder))
        patch.setattr(sys, "path", [str(site), *sys.path])
        patch.setattr(plugin_catalogue, "LONGEST", 300.0)  # a busy machine is no fault of theirs
        forget()
        plugin_catalogue.broken()
        forget()
    return folder / "cache"


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch, home: Path, site: Path, known: Path) -> Iterator[Path]:
    """An environment with all of them, in which each has been tried."""
    shutil.copytree(known, home / "cache")
    monkeypatch.setattr(sys, "path", [str(site), *sys.path])
    forget()
    yield site
    for path in [path for path, verb in REGISTRY.items() if verb.domain not in installed.SHIPPED]:
        del REGISTRY[path]
    for name in [name for name in sys.modules if name.startswith("plug_")]:
        del sys.modules[name]
    monkeypatch.undo()
    forget()


def test_each_broken_plugin_is_named_with_its_reason(broken: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("it was imported a second time"))
    problems = {one.plugin.domain: one.problem for one in plugin_catalogue.broken()}
    for domain, (_, told) in BROKEN.items():
        assert told in problems[domain], domain
    assert "first 1 and second 1 declare it" in problems["twice"]
    assert {*problems} == {*BROKEN, "twice"}


def test_the_whole_one_works_beside_them_and_every_verb_is_still_there(
    broken: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["good", "stock", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out.removeprefix("noise\n")) == [{"left": 3}]
    assert cli.run(["verbs", "-o", "json"]) == 0
    out, err = capsys.readouterr()
    paths = {row["name"] for row in json.loads(out)}
    assert {"good stock", "metadata list"} <= paths
    assert "metadata stock" not in paths
    assert "the plugin 'raises' (broken-0 1) is skipped: RuntimeError: no licence" in err
    assert "metadata list" in {str(verb["path"]) for verb in manifest.all_verbs()}


@pytest.mark.parametrize("domain", ["raises", "falls", "older", "strange", "twice", "print"])
def test_who_asks_for_a_broken_one_is_told_why_in_two_lines(
    domain: str, broken: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run([domain, "stock"]) == 2
    out, err = capsys.readouterr()
    first, second = err.splitlines()
    assert first.startswith(f"error: the plugin '{domain}' (")
    assert second == "  try: dhis2 dev plugin list --again"
    assert out == ""


def test_the_shell_starts_with_them_and_names_them(
    broken: Path, runner: magics.Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    runner.line("good stock")
    domains = runner.namespace()
    assert "strange" in domains
    with pytest.raises(UsageError, match="cannot be used: it declares 'metadata stock'"):
        domains["strange"].stock()
    assert "print" not in domains


def test_agents_find_the_whole_one_and_none_of_the_others(broken: Path) -> None:
    found = [str(row["verb"]) for row in Tools().search("what is left of everything in stock")["result"]]
    assert "good stock" in found
    assert [path for path in found if path.split()[0] in BROKEN and path != "metadata stock"] == [
        path for path in found if path.split()[0] == "metadata"
    ]


def test_a_shipped_domain_keeps_its_verbs_whatever_a_plugin_declares(broken: Path) -> None:
    with pytest.raises(UsageError, match="its domain is 'strange'"):
        load_domain("strange")
    assert "metadata stock" not in REGISTRY
    assert find("metadata list").function.__module__ == "dhis2sh.plugins.metadata.reading"


def test_one_that_never_comes_back_is_given_up_once(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "hangs" / "site-packages"
    install(site, "hangs", {"hangs": "plug_hangs"}, {"plug_hangs.py": "import threading; threading.Event().wait()"})
    monkeypatch.setattr(sys, "path", [str(site), *sys.path])
    monkeypatch.setattr(plugin_catalogue, "LONGEST", 0.2)
    forget()
    try:
        [one] = plugin_catalogue.broken()
        assert one.problem == "its import did not end within 0 s"
        plugin_catalogue._catalogued.cache_clear()
        monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("it was waited for a second time"))
        assert [again.problem for again in plugin_catalogue.broken()] == [one.problem]
        with pytest.raises(UsageError, match="did not end"):
            grammar.parse(["hangs", "stock"])
        assert [again.problem for again in plugin_catalogue.known_broken()] == [one.problem]
    finally:
        forget()


def test_a_tab_does_not_wait_for_a_plugin_that_nobody_knows_yet(
    home: Path, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[list[str]] = []
    monkeypatch.setattr(sys, "path", [str(site), *sys.path])
    monkeypatch.setattr(subprocess, "Popen", lambda words, **_: begun.append(words))
    forget()
    try:
        assert "metadata" in completion.candidates([""])
        assert "good" not in completion.candidates(["go"])
        assert len(begun) == 1, "it is found out for the next time, once"
        assert "plugin_catalogue" in begun[0][-1]
    finally:
        forget()


def test_one_that_was_mended_is_seen_at_once(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "mended" / "site-packages"
    install(
        site,
        "mended",
        {"mended": "plug_mended.verbs"},
        {"plug_mended/__init__.py": "", "plug_mended/verbs.py": "1 / 0"},
    )
    monkeypatch.setattr(sys, "path", [str(site), *sys.path])
    monkeypatch.setattr(plugin_catalogue, "LONGEST", 300.0)
    forget()
    try:
        assert "division by zero" in plugin_catalogue.broken()[0].problem
        (site / "plug_mended" / "verbs.py").write_text(GOOD.format("mended"), "utf-8")
        plugin_catalogue._catalogued.cache_clear()
        assert plugin_catalogue.broken() == []
        assert completion.candidates(["mended", ""]) == ["stock"]
        assert completion.candidates(["mend"]) == ["mended"]
    finally:
        forget()


def test_one_without_change_is_tried_again_after_a_day(
    broken: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = next(row for row in installed.declared() if row.domain == "raises")
    assert plugin_catalogue._kept(one) is not None
    later = time.time() + plugin_catalogue.AGAIN + 60
    monkeypatch.setattr(time, "time", lambda: later)
    assert plugin_catalogue._kept(one) is None


FAILS = GOOD.format("fails").replace('return Rows([{"left": 3}])', "raise KeyError('shelf')")


def test_a_verb_that_fails_is_a_fault_of_its_plugin(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    site = tmp_path / "fails" / "site-packages"
    install(site, "fails", {"fails": "plug_fails"}, {"plug_fails.py": FAILS})
    monkeypatch.setattr(sys, "path", [str(site), *sys.path])
    monkeypatch.setattr(plugin_catalogue, "LONGEST", 300.0)
    forget()
    try:
        assert cli.run(["fails", "stock", "-p", "sandbox"]) == 1
        assert capsys.readouterr().err.splitlines()[0] == (
            "error: the plugin 'fails' failed at fails stock: KeyError: 'shelf'"
        )
    finally:
        REGISTRY.pop("fails stock", None)
        sys.modules.pop("plug_fails", None)
        forget()


async def test_a_new_plugin_is_a_whole_package_whose_test_passes(home: Path, tmp_path: Path) -> None:
    session = Session("sandbox")
    folder = tmp_path / "dhis2-cold-chain"
    from dhis2sh.changes.consent import Consent

    arguments = {"name": "cold-chain", "folder": folder}
    plan = await run(session, find("dev plugin new"), arguments, Consent(dry_run=True))
    assert isinstance(plan, Plan)
    assert not folder.exists()
    await run(session, find("dev plugin new"), arguments, Consent(yes=True))
    with pytest.raises(UsageError, match="there already"):
        await run(session, find("dev plugin new"), arguments, Consent(yes=True))
    project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))
    assert project["project"]["entry-points"]["dhis2.plugins"] == {"cold-chain": "dhis2_cold_chain.verbs"}
    passed = own_tests_of(folder)
    assert "2 passed" in passed


def own_tests_of(folder: Path) -> str:
    """Run a plugin's own tests, as its author would; gives what pytest said."""
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "pyproject.toml", "tests"]
    environment = {**os.environ, "PYTHONPATH": ".", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.parametrize("name", ["metadata", "Stock", "a b", "../x", "print", "class", "time", "where", ""])
async def test_a_new_plugin_has_a_name_of_its_own(name: str, home: Path) -> None:
    with pytest.raises(UsageError, match="no plugin can be called"):
        await run(Session("sandbox"), find("dev plugin new"), {"name": name})


def test_the_tests_of_the_example_pass(home: Path) -> None:
    assert "1 passed" in own_tests_of(EXAMPLE)
