"""Files, apps and the look of a running server: documents and an app of our own, the footer alone of what everybody sees."""

from __future__ import annotations

from pathlib import Path

import pytest

from dhis2sh.errors import Dhis2Error
from dhis2sh.session import Session
from tests.instance.test_look import picture
from tests.instance.zips import app
from tests.live.acting import alone, or_error, planned, read, taken_back, write
from tests.live.place import PREFIX, Place

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]
BYTES = bytes(range(256)) * 4000


@pytest.mark.verbs(
    "files documents upload", "files documents upload-url", "files documents list", "files documents get",
    "files documents download", "files documents delete", "files resources get", "files resources download", "files orphans",
)  # fmt: skip
def test_documents_live_go_and_come_back(live: Place) -> None:
    async def life(s: Session) -> None:
        name = f"{PREFIX} plan ä"
        Path("plan.pdf.gz").write_bytes(BYTES)
        try:
            await write(s, "files documents upload", file="plan.pdf.gz", name=name)
            await write(s, "files documents upload-url", url="https://example.org/plan.pdf", name=f"{PREFIX} link")
            rows = await read(s, "files documents list", words=[PREFIX])
            assert [(row["kind"], row["bytes"]) for row in rows] in (
                [("link", None), ("file", len(BYTES))], [("link", None), ("file", None)],
            )  # fmt: skip
            found = await read(s, "files documents get", document=name)
            assert found["file"] == "plan.pdf.gz"
            await read(s, "files documents download", document=name, out="again")
            assert Path("again").read_bytes() == BYTES
            await read(s, "files resources get", uid=found["url"])
            await read(s, "files resources download", uid=found["url"], out="once-more")
            assert Path("once-more").read_bytes() == BYTES
            await write(s, "files documents delete", documents_=[row["id"] for row in rows])
            assert await read(s, "files documents list", words=[PREFIX]) == []
            await write(s, "undo")
            await read(s, "files documents download", document=name, out="back")
            assert Path("back").read_bytes() == BYTES
            await or_error(read(s, "files orphans"))
        finally:
            stays = await taken_back(s)
        assert stays == []
        assert await read(s, "files documents list", words=[PREFIX]) == []

    alone(life)


@pytest.mark.verbs("files resources upload")
def test_a_file_by_itself_is_planned(live: Place) -> None:
    """What nothing refers to a server deletes only in its own time: nothing is uploaded here."""

    async def looked_at(s: Session) -> None:
        Path("photo.txt").write_bytes(b"photo")
        plan = await planned(s, "files resources upload", file="photo.txt")
        assert plan.steps[0].uid is not None

    alone(looked_at)


@pytest.mark.verbs(
    "apps list", "apps add", "apps remove", "apps snapshot", "apps restore", "apps update", "apps hub-list", "apps hub-url",
    "apps reload",
)  # fmt: skip
def test_an_app_lives_and_goes(live: Place) -> None:
    async def life(s: Session) -> None:
        key = f"{PREFIX}-app"

        async def version() -> str | None:
            return next((row["version"] for row in await read(s, "apps list") if row["key"] == key), None)

        for number in ("1.0.0", "1.1.0"):
            Path(f"{number}.zip").write_bytes(app(f"{PREFIX} app", number))
        try:
            await write(s, "apps add", file="1.0.0.zip")
            await write(s, "apps add", file="1.1.0.zip")
            assert await version() == "1.1.0"
            await read(s, "apps snapshot", out="apps.yaml")
            await write(s, "undo")
            assert await version() == "1.0.0"
            plan = await planned(s, "apps restore", file="apps.yaml", skip_missing=True)
            assert [(step.uid, step.action) for step in plan.steps] == [(key, "update")]
            await write(s, "apps remove", names=[key])
            assert await version() is None
            await write(s, "undo")
            assert await version() == "1.0.0"
        finally:
            stays = await taken_back(s)
        assert stays == []
        assert await version() is None
        await planned(s, "apps reload")
        await read(s, "apps hub-url")
        for asking in (read(s, "apps hub-list"), planned(s, "apps update", all=True)):
            answer = await or_error(asking)
            assert not isinstance(answer, Dhis2Error) or "App Hub" in answer.message

    alone(life)


@pytest.mark.verbs(
    "customize show", "customize set", "customize apply", "customize style", "customize logo", "customize banner"
)
def test_the_look_is_shown_set_and_set_back(live: Place) -> None:
    """Only the footer is changed: everybody sees the rest, and the picture of a logo nothing deletes."""

    async def life(s: Session) -> None:
        before = await read(s, "customize show")
        picture("logo.png")
        Path("our.css").write_text("body { color: red }")
        Path("look.yaml").write_text(f"settings:\n  keyApplicationFooter: {PREFIX} applied\n")
        try:
            await write(s, "customize set", values=[f"keyApplicationFooter={PREFIX} set"])
            await write(s, "customize apply", file="look.yaml")
            now = {row["item"]: row["value"] for row in await read(s, "customize show")}
            assert now["keyApplicationFooter"] == f"{PREFIX} applied"
            for word, file in (("logo", "logo.png"), ("banner", "logo.png"), ("style", "our.css")):
                assert len((await planned(s, f"customize {word}", file=file)).steps) == 1
        finally:
            stays = await taken_back(s)
        assert stays == []
        assert await read(s, "customize show") == before

    alone(life)
