"""Apps: zips looked into before they are sent, the App Hub through the server and beside it, and what undo can bring back."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dhis2sh.client.forms import FileForm
from dhis2sh.dhis2 import app_versions
from dhis2sh.errors import BrokenAnswer, NotFound, Refused, UsageError
from dhis2sh.instance import apps, kept
from dhis2sh.session import Session
from tests.fakes.serve import served
from tests.instance.zips import app
from tests.metadata.calls import call, do, planned

HUB_ID = "0b0a2a1e-0000-4000-8000-000000000001"
OTHER_ID = "0b0a2a1e-0000-4000-8000-000000000002"


def put(name: str, content: bytes) -> str:
    Path(name).write_bytes(content)
    return name


async def versions(s: Session) -> dict[str, str]:
    return {str(row["key"]): str(row["version"]) for row in (await call(s, "apps list")).plain()}


async def test_an_app_is_installed_updated_removed_and_each_taken_back(s: Session):
    put("one.zip", app("My App", "1.0.0"))
    put("two.zip", app("My App", "1.1.0"))
    made = await do(s, "apps add", file="one.zip")
    assert (made.uids, made.created) == (["My-App"], 1)
    plan = await planned(s, "apps add", file="two.zip")
    assert plan.steps[0].words() == "1.0.0 -> 1.1.0, from two.zip"
    assert plan.notes == ["My App: undo installs 1.0.0 from the zip that is kept on this machine"]
    await do(s, "apps add", file="two.zip")
    assert await versions(s) == {"My-App": "1.1.0"}
    assert (await planned(s, "apps add", file="one.zip")).notes[0] == "My App 1.1.0 is newer than 1.0.0"
    await do(s, "undo")
    assert await versions(s) == {"My-App": "1.0.0"}

    plan = await planned(s, "apps remove", names=["my app"])
    assert plan.notes[-1] == "what the app keeps in the data store stays"
    await do(s, "apps remove", names=["my app"])
    assert await versions(s) == {}
    await do(s, "undo")
    assert await versions(s) == {"My-App": "1.0.0"}
    await do(s, "undo", id=1)
    assert await versions(s) == {}


async def test_every_version_of_an_app_goes_into_one_folder(s: Session, monkeypatch: pytest.MonkeyPatch):
    """A server calls it after the zip, cut at its last dot, and fails without one; what is kept here has a name without."""
    called: list[str] = []

    async def send(form: FileForm, client: object, path: str) -> object:
        called.append(form.name)
        return await real(form, client, path)  # type: ignore[arg-type]

    real = FileForm.send
    monkeypatch.setattr(FileForm, "send", send)
    put("app.zip", app("My App", "1.0.0"))
    await do(s, "apps add", file="app.zip")
    await do(s, "apps remove", names=["My-App"])
    await do(s, "undo")
    assert called == ["My-App.zip"] * 2


async def test_a_removal_that_cannot_be_undone_says_so_and_a_zip_helps(s: Session):
    put("one.zip", app("My App", "1.0.0"))
    await do(s, "apps add", file="one.zip")
    for path in kept.files():
        path.unlink()
    plan = await planned(s, "apps remove", names=["My-App"])
    assert plan.notes[0].startswith("My App: undo cannot bring 1.0.0 back")
    with pytest.raises(UsageError, match=r"other\.zip is My-App 2\.0, not what is removed"):
        await planned(s, "apps remove", names=["My-App"], zip=put("other.zip", app("My App", "2.0")))
    plan = await planned(s, "apps remove", names=["My-App"], zip="one.zip")
    assert plan.notes[0] == "My App: undo installs 1.0.0 from the zip that is kept on this machine"
    with pytest.raises(NotFound) as error:
        await planned(s, "apps remove", names=["My-Ap"])
    assert "My-App" in str(error.value.hint)


async def test_an_undo_leaves_what_somebody_has_updated_since(s: Session):
    put("one.zip", app("My App", "1.0.0"))
    await do(s, "apps add", file="one.zip")
    await s.client.apps.install(Path(put("two.zip", app("My App", "2.0.0"))))
    plan = await planned(s, "undo")
    assert plan.blocked is not None
    assert plan.notes == ["My App: somebody has changed it since; --force takes it back all the same"]
    await do(s, "undo", force=True)
    assert await versions(s) == {}


def broken(**files: object) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "/"), text if isinstance(text, str) else json.dumps(text))
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"not a zip", "is no zip that can be read"),
        (app("My App", "1.0.0")[:-40], "is no zip that can be read"),
        (app("My App", "1.0.0").replace(b"<p>My", b"<p>Mi"), "is damaged: index.html"),
        (broken(a=""), "there is no manifest.webapp in it"),
        (broken(**{"a__b__manifest.webapp": {"name": "A", "version": "1"}}), "there is no manifest.webapp in it"),
        (
            broken(**{"a__manifest.webapp": {"name": "A", "version": "1"}, "b__x": ""}),
            "there is no manifest.webapp in it",
        ),
        (broken(**{"manifest.webapp": "{"}), "is no JSON"),
        (broken(**{"manifest.webapp": []}), "is no object"),
        (broken(**{"manifest.webapp": {"name": "A"}}), "has no version"),
        (broken(**{"manifest.webapp": {"version": "1"}}), "has no name"),
        (broken(**{"manifest.webapp": {"name": "!!", "version": "1"}}), "no key can be made"),
        (broken(**{"manifest.webapp": {"name": "A", "version": "1"}, "..__x": "a"}), "would write outside of the app"),
    ],
)
def test_what_is_no_app_is_refused_before_it_is_sent(tmp_path: Path, content: bytes, why: str):
    path = tmp_path / "app.zip"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=why):
        apps.zipped(path)


async def test_an_app_in_place_of_the_servers_own_is_told(s: Session):
    put("maps.zip", app("Maps", "101.0.0", short_name="maps", core_app=True))
    plan = await planned(s, "apps add", file="maps.zip")
    assert plan.notes == [
        "Maps takes the place of the app that the server brings along; removing it brings that one back"
    ]
    await do(s, "apps add", file="maps.zip")
    (row,) = (await call(s, "apps list")).plain()
    assert (row["key"], row["origin"]) == ("maps", "in place of the server's own")


async def test_a_snapshot_is_restored_from_zips(s: Session):
    for name, version in (("My App", "1.0.0"), ("Other App", "3.1")):
        put("app.zip", app(name, version))
        await do(s, "apps add", file="app.zip")
    assert str(await call(s, "apps snapshot", out="apps.yaml")) == "apps.yaml: 2 apps"
    put("app.zip", app("My App", "2.0.0"))
    await do(s, "apps add", file="app.zip")
    put("app.zip", app("New App", "1.0"))
    await do(s, "apps add", file="app.zip")
    await do(s, "apps remove", names=["Other-App"])
    await do(s, "apps restore", file="apps.yaml")
    assert await versions(s) == {"My-App": "1.0.0", "Other-App": "3.1", "New-App": "1.0"}
    await do(s, "apps restore", file="apps.yaml", exact=True)
    assert await versions(s) == {"My-App": "1.0.0", "Other-App": "3.1"}
    await do(s, "undo")
    assert "New-App" in await versions(s)

    await do(s, "apps remove", names=["Other-App"])
    for path in kept.files():
        path.unlink()
    plan = await planned(s, "apps restore", file="apps.yaml")
    assert plan.blocked is not None
    assert "Other App 3.1: no zip beside apps.yaml or kept here" in str(plan.blocked)
    assert (await planned(s, "apps restore", file="apps.yaml", skip_missing=True)).blocked is None
    put("other.zip", app("Other App", "3.1"))
    await do(s, "apps restore", file="apps.yaml")
    assert (await versions(s))["Other-App"] == "3.1"


async def test_a_server_that_reaches_no_hub_says_so_and_what_helps(s: Session):
    """Recorded (inst-apps 10): 503 where the server has no internet."""
    for verb, arguments in (("hub-list", {}), ("update", {"all": True}), ("add", {"hub": "My App"})):
        with pytest.raises(Refused, match="the server does not reach its App Hub") as error:
            await call(s, f"apps {verb}", **arguments)
        assert "--hub-url" in str(error.value.hint)
    with pytest.raises(UsageError, match="no address of an App Hub"):
        await call(s, "apps hub-list", hub_url="ftp://hub")
    with pytest.raises(Refused, match="cannot be reached from this machine"):
        await call(s, "apps hub-list", hub_url="http://127.0.0.1:9")
    assert (await call(s, "apps hub-url"))["baseUrl"] == "https://apps.dhis2.org"
    with pytest.raises(UsageError, match="which apps"):
        await planned(s, "apps update")


class TheHub:
    """An App Hub on loopback with two apps, one a page."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[dict[str, str]] = []
        self.zips = {
            version: app("My App", version, app_hub_id=HUB_ID) for version in ("1.0.0", "1.2.0", "2.0.0", "3.0.0")
        }
        self.stuck = False

    def version(self, number: str, least: str, channel: str = "stable") -> dict[str, Any]:
        return {"id": f"ver-{number}", "version": number, "channel": channel, "minDhisVersion": least, "maxDhisVersion": "",
                "downloadUrl": f"{self.url}/api/v1/apps/download/{number}/app.zip"}  # fmt: skip

    def mine(self) -> list[dict[str, Any]]:
        return [self.version("1.0.0", "2.38"), self.version("1.2.0", "2.40"), self.version("3.0.0", "2.99"),
                self.version("2.0.0", "2.40", "development")]  # fmt: skip

    def apps(self, request: Request) -> Response:
        self.asked.append(dict(request.query_params))
        channels = request.query_params["channels"].split(",")
        mine = {"id": HUB_ID, "name": "My App", "appType": "APP", "developer": {"organisation": "Us"},
                "versions": [one for one in self.mine() if one["channel"] in channels]}  # fmt: skip
        other = {"id": OTHER_ID, "name": "Other", "appType": "APP", "developer": {"name": "Them"},
                 "versions": [self.version("9.0.0", "2.40")]}  # fmt: skip
        page = 1 if self.stuck else int(request.query_params.get("page", 1))
        pager = {"page": page, "pageSize": 1, "pageCount": 2, "total": 2}
        return JSONResponse({"pager": pager, "result": [[mine], [other]][page - 1]})

    def of_app(self, request: Request) -> Response:
        return JSONResponse({"result": self.mine() if request.path_params["id"] == HUB_ID else []})

    def zip(self, request: Request) -> Response:
        return Response(self.zips[request.path_params["version"]], media_type="application/zip")


@pytest.fixture
def hub() -> Iterator[TheHub]:
    the = TheHub()
    routes = [Route("/api/v2/apps", the.apps), Route("/api/v2/apps/{id}/versions", the.of_app),
              Route("/api/v1/apps/download/{version}/app.zip", the.zip)]  # fmt: skip
    with served(Starlette(routes=routes)) as url:
        the.url = url.rstrip("/")
        yield the


async def test_a_hub_that_this_machine_reaches(s: Session, hub: TheHub):
    rows = (await call(s, "apps hub-list", hub_url=f"{hub.url}/api")).plain()
    assert [(row["name"], row["version"], row["installed"]) for row in rows] == [
        ("My App", "1.2.0", None),
        ("Other", "9.0.0", None),
    ]
    assert {asked["page"] for asked in hub.asked} == {"1", "2"}
    rows = (await call(s, "apps hub-list", words=["us"], channel="development", hub_url=hub.url)).plain()
    assert [(row["version"], row["channel"]) for row in rows] == [("2.0.0", "development")]

    await do(s, "apps add", hub="my app", version="1.0.0", hub_url=hub.url)
    assert await versions(s) == {"My-App": "1.0.0"}
    plan = await planned(s, "apps update", all=True, hub_url=hub.url)
    assert plan.steps[0].words() == "1.0.0 -> 1.2.0, from the App Hub"
    await do(s, "apps update", all=True, hub_url=hub.url)
    assert await versions(s) == {"My-App": "1.2.0"}
    assert (await planned(s, "apps update", all=True, hub_url=hub.url)).notes == ["My App 1.2.0: no newer version"]
    assert (await planned(s, "apps add", hub="My App", hub_url=hub.url)).notes == ["My App 1.2.0 is installed already"]
    await do(s, "undo")
    assert await versions(s) == {"My-App": "1.0.0"}

    for path in kept.files():
        path.unlink()
    plan = await planned(s, "apps remove", names=["My-App"], hub_url=hub.url)
    assert plan.notes[0] == "My App: undo takes 1.0.0 from the App Hub"
    await do(s, "apps remove", names=["My-App"], hub_url=hub.url)
    assert kept.files(), "its zip is kept first"


async def test_a_hub_has_not_everything(s: Session, hub: TheHub):
    with pytest.raises(NotFound, match="the App Hub has no app 'Your App'"):
        await planned(s, "apps add", hub="Your App", hub_url=hub.url)
    with pytest.raises(NotFound, match=r"no version 2\.0\.0 of 'My App' in channel stable"):
        await planned(s, "apps add", hub="My App", version="2.0.0", hub_url=hub.url)
    hub.zips["1.2.0"] = b"<html>sign in</html>"
    with pytest.raises(BrokenAnswer, match="is no zip"):
        await planned(s, "apps add", hub="My App", hub_url=hub.url)
    hub.stuck = True
    with pytest.raises(BrokenAnswer, match="it has more"):
        await call(s, "apps hub-list", hub_url=hub.url)


def test_a_folder_around_everything_is_none(tmp_path: Path):
    (tmp_path / "app.zip").write_bytes(broken(**{"a__manifest.webapp": {"name": "A", "version": "1"}, "a__b__x": ""}))
    assert apps.zipped(tmp_path / "app.zip").key == "A"


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("1.9.0", "1.10.0"),
        ("1.0.0-beta.1", "1.0.0"),
        ("v1.0", "1.0.1"),
        ("99", "100.0.0"),
        ("1.0.0-alpha", "1.0.0-beta"),
    ],
)
def test_which_version_is_newer(older: str, newer: str):
    assert app_versions.is_newer(newer, older)
    assert not app_versions.is_newer(older, newer)
    assert not app_versions.is_newer("1.0", "1.0.0")


@pytest.mark.parametrize(
    ("least", "most", "suits"),
    [("2.38", "", True), ("2.42", "2.42", True), ("2.43", None, False), ("2.30", "2.41", False), (None, None, True),
     ("2.42.9", None, False), ("2.40", "2.42.3", False)],
)  # fmt: skip
def test_which_server_a_version_is_for(least: str | None, most: str | None, suits: bool):
    assert app_versions.suits((2, 42, 5, 2), least, most) is suits


def test_the_key_is_made_as_a_server_makes_it():
    assert app_versions.key_of(" My App (v2) ") == "My-App-v2"
    assert app_versions.key_of("data-visualizer") == "data-visualizer"
