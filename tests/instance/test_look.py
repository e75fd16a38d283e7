"""How an installation looks: set, shown, written to a file, read from one, and taken back."""

import struct
import zlib
from pathlib import Path

import pytest

from dhis2sh.changes.apply import apply_plan
from dhis2sh.errors import NotFound, OutOfDate, UsageError
from dhis2sh.instance import kept
from dhis2sh.session import Session
from dhis2sh.verbs.registry import find
from tests.metadata.calls import YES, call, do, planned


def picture(name: str, width: int = 2, height: int = 1) -> bytes:
    """A PNG file of a colour."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = zlib.compress(b"".join(b"\0" + b"\xff\0\0" * width for _ in range(height)))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    Path(name).write_bytes(content)
    return content


async def looks(s: Session) -> dict[str, object]:
    return {str(row["item"]): row["value"] for row in (await call(s, "customize show")).plain()}


async def test_a_logo_is_set_replaced_and_brought_back(s: Session):
    one, two = picture("one.png"), picture("two.png", 3, 2)
    assert (await looks(s))["logo"] == "the server's own"
    plan = await planned(s, "customize logo", file="one.png")
    assert plan.steps[0].words() == f"the server's own -> 2 x 1 pixels, {len(one)} bytes"
    await do(s, "customize logo", file="one.png")
    await do(s, "customize logo", file="two.png")
    assert await s.client.files.logo("logo_front") == two
    await do(s, "undo")
    assert await s.client.files.logo("logo_front") == one
    assert (await planned(s, "customize logo", file="one.png")).steps == []
    await do(s, "undo", id=1, force=True)
    looked = await looks(s)
    assert (looked["logo"], looked["banner"]) == ("the server's own", "the server's own")


async def test_what_is_kept_goes_with_the_journal_that_names_it(s: Session):
    """A logo that two writes have replaced stays as long as one of them can be taken back."""
    kept_before = len(kept.files())
    picture("one.png")
    picture("two.png", 3, 2)
    for name in ("one.png", "two.png", "one.png", "two.png"):
        await do(s, "customize logo", file=name)
    assert len(kept.files()) == kept_before + 2
    await do(s, "journal prune", keep=2)
    assert len(kept.files()) == kept_before + 2
    await do(s, "journal prune", keep=1)
    await do(s, "undo")
    assert len(kept.files()) == kept_before + 2, "an undo needs what is there now, too"
    await do(s, "journal prune", keep=0)
    assert len(kept.files()) == kept_before


async def test_a_logo_that_somebody_has_changed_since_stays(s: Session):
    picture("one.png")
    await do(s, "customize banner", file="one.png")
    await s.client.files.set_logo("logo_banner", picture("other.png", 9, 9))
    plan = await planned(s, "undo")
    assert plan.notes[0] == "banner: somebody has changed it since; --force takes it back all the same"
    assert plan.blocked is not None
    plan = await planned(s, "undo", force=True)
    await s.client.files.set_logo("logo_banner", picture("third.png", 8, 8))
    with pytest.raises(OutOfDate, match="the banner has changed since the plan was made"):
        await apply_plan(s, find("undo"), plan, YES)


async def test_what_is_no_picture_or_no_text_is_refused_here(s: Session):
    Path("text.png").write_text("no picture")
    Path("empty.css").write_text(" \n")
    Path("bad.css").write_bytes(b"\xff\xfe\xfa")
    for verb, name, why in (
        ("logo", "text.png", "is no PNG picture"), ("style", "empty.css", "is empty"), ("style", "bad.css", "is no text"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=why):
            await planned(s, f"customize {verb}", file=name)
    with pytest.raises(NotFound):
        await planned(s, "customize banner", file="nothing.png")
    for arguments in ({}, {"file": "text.png", "remove": True}):
        with pytest.raises(UsageError, match="a file, or --remove"):
            await planned(s, "customize logo", **arguments)


async def test_a_style_sheet_is_set_and_taken_away(s: Session):
    Path("one.css").write_text("body { color: red }\n")
    await do(s, "customize style", file="one.css")
    assert await s.client.files.style() == "body { color: red }\n"
    await do(s, "customize style", remove=True)
    assert (await looks(s))["style"] == "none of its own"
    await do(s, "undo")
    assert await s.client.files.style() == "body { color: red }\n"
    await do(s, "undo", id=1)
    assert await s.client.files.style() == ""


async def test_only_settings_of_the_look_are_set_and_checked(s: Session):
    await do(s, "customize set", values=["applicationTitle=Ministry", "keyStyle=green/green.css"])
    assert (await looks(s))["applicationTitle"] == "Ministry"
    for value, why in (
        ("maxPasswordLength=3", "is no setting of the look"), ("keyStyle=grey", "is no style of this server"),
        ("startModuleEnableLightweight=perhaps", "neither true nor false"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=why):
            await planned(s, "customize set", values=[value])
    await do(s, "customize set", default=["keyStyle"])
    await do(s, "undo")
    looked = await looks(s)
    assert looked["keyStyle"] == "green/green.css"
    await do(s, "undo", id=1)
    assert (await looks(s))["applicationTitle"] == "DHIS 2"


async def test_a_look_goes_through_a_file_and_back(s: Session):
    content = picture("front.png", 4, 4)
    Path("ours.css").write_text("body { color: red }")
    Path("look.yaml").write_text(
        "settings:\n  applicationTitle: Ministry of Health\n  keyApplicationFooter: Yours\nlogo: front.png\nstyle: ours.css\n"
    )
    before = await looks(s)
    plan = await planned(s, "customize apply", file="look.yaml")
    assert len(plan.steps) == 4
    await do(s, "customize apply", file="look.yaml")
    assert await s.client.files.logo("logo_front") == content
    assert (await planned(s, "customize apply", file="look.yaml")).steps == []

    written = await call(s, "customize show", out="saved.yaml")
    assert [row["file"] for row in written.plain()] == ["saved-logo.png", "saved.css", "saved.yaml"]
    assert (await planned(s, "customize apply", file="saved.yaml")).steps == [], "what was written is what is there"
    with pytest.raises(UsageError, match=r"there already: saved-logo\.png, saved\.css, saved\.yaml"):
        await call(s, "customize show", out="saved.yaml")
    await do(s, "undo")
    assert await looks(s) == before
    await do(s, "customize apply", file="saved.yaml")
    Path("none.yaml").write_text(
        "settings: {applicationTitle: null, keyApplicationFooter: null}\nlogo: null\nstyle: null\n"
    )
    await do(s, "customize apply", file="none.yaml")
    assert await looks(s) == before


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("logo: ../secret.png", "does not lie beside it"),
        ("logo: /etc/hostname", "does not lie beside it"),
        ("style: {a: 1}", "does not lie beside it"),
        ("logo: link.png", "does not lie beside it"),
        ("icon: x.png", "'icon' is no part of a look"),
        ("settings: [a]", "names with their values"),
        ("settings: {applicationTitle: [a]}", "takes a text"),
        ("[]", "is no look"),
        ("settings: {}", "names nothing that is to be"),
    ],
)
async def test_a_file_of_a_look_reads_nothing_else_of_this_machine(s: Session, text: str, why: str):
    Path("../secret.png").write_bytes(picture("x.png"))
    Path("link.png").symlink_to(Path("../secret.png").resolve())
    Path("look.yaml").write_text(text)
    with pytest.raises(UsageError, match=why):
        await planned(s, "customize apply", file="look.yaml")
