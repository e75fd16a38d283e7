"""Documents and files: byte for byte up and down, never over a file, never outside a folder, and back again."""

import stat
from pathlib import Path
from typing import Any

import pytest

from dhis2sh import paths
from dhis2sh.client import envelopes
from dhis2sh.errors import BrokenAnswer, NotFound, Refused, UsageError
from dhis2sh.instance import documents, kept
from dhis2sh.session import Session
from dhis2sh.types import JsonObject, JsonValue
from tests.metadata.calls import call, do, planned

LETTER, PICTURE = "deLetter001", "dePicture01"
CELL: dict[str, Any] = {"data_element": LETTER, "period": "202501", "org_unit": "Clinic A"}
BYTES = bytes(range(256)) * 2000


@pytest.fixture
def letters(s: Session) -> Session:
    """The nation with elements whose values are files, and a set that has them."""
    store = s.sandbox_store()
    types = {LETTER: ("Letter", "FILE_RESOURCE"), PICTURE: ("Picture", "IMAGE")}
    combo = next(iter(store.objects("dataElements").values()))["categoryCombo"]
    elements: list[JsonObject] = [
        {"id": uid, "name": name, "shortName": name, "domainType": "AGGREGATE", "valueType": kind, "aggregationType": "NONE",
         "categoryCombo": combo} for uid, (name, kind) in types.items()
    ]  # fmt: skip
    units: list[JsonValue] = [{"id": uid} for uid in store.objects("organisationUnits")]
    data_set: JsonObject = {
        "id": "dsLetters01", "name": "Letters", "shortName": "Letters", "periodType": "Monthly", "categoryCombo": combo,
        "dataSetElements": [{"dataElement": {"id": LETTER}}, {"dataElement": {"id": PICTURE}}], "organisationUnits": units,
        "sharing": {"public": "rwrw----"},
    }  # fmt: skip
    store.put_objects({"dataElements": elements, "dataSets": [data_set]})
    return s


def file(name: str, content: bytes = b"plan of 2025\n") -> Path:
    path = Path(name)
    path.write_bytes(content)
    return path


async def listed(s: Session) -> list[dict[str, Any]]:
    return (await call(s, "files documents list")).plain()


async def test_a_document_comes_back_byte_for_byte_deleted_or_not(s: Session):
    file("pläne 2025.bin.gz", BYTES)
    made = await do(s, "files documents upload", file="pläne 2025.bin.gz", name="Plans")
    (row,) = await listed(s)
    assert (row["id"], row["bytes"], row["kind"]) == (made.uids[0], len(BYTES), "file")

    found = await call(s, "files documents download", document="Plans", out="copy.gz")
    assert Path("copy.gz").read_bytes() == BYTES, "a file that is packed is not packed once more"
    assert (found.bytes, found.name, found.type) == (len(BYTES), "pläne 2025.bin.gz", "application/gzip")

    plan = await planned(s, "files documents delete", documents_=["Plans"])
    assert plan.notes == ["Plans: its file is kept on this machine first, and undo brings it back"]
    assert (await do(s, "files documents delete", documents_=["Plans"])).deleted == 1
    assert await listed(s) == []
    await do(s, "undo")
    await call(s, "files documents download", document="Plans", out="again.gz")
    assert Path("again.gz").read_bytes() == BYTES
    assert [row["id"] for row in await listed(s)] == made.uids
    await do(s, "undo", id=1)
    assert await listed(s) == []


async def test_a_document_whose_file_is_no_longer_kept_says_so(s: Session):
    file("plan.txt")
    await do(s, "files documents upload", file="plan.txt", name="Plan")
    await do(s, "files documents delete", documents_=["Plan"])
    for path in (paths.data_dir() / "kept").iterdir():
        path.unlink()
    plan = await planned(s, "undo")
    assert plan.notes == ["Plan: not brought back, for its file is not kept on this machine"]
    assert plan.blocked is not None


async def test_links_are_addresses_and_lead_nowhere_here(s: Session):
    await do(s, "files documents upload-url", url="https://example.org/plan.pdf", name="Plan")
    with pytest.raises(UsageError, match=r"a link to https://example\.org/plan\.pdf"):
        await call(s, "files documents download", document="Plan", out="plan.pdf")
    for url in ("no link", "file:///etc/passwd", "https://"):
        with pytest.raises(UsageError, match="is no address"):
            await planned(s, "files documents upload-url", url=url, name="Plan")
    await do(s, "files documents delete", documents_=["Plan"])
    await do(s, "undo")
    assert [row["url"] for row in await listed(s)] == ["https://example.org/plan.pdf"]


async def test_what_cannot_be_a_file_is_refused_before_anything_is_sent(s: Session):
    file("empty.txt", b"")
    for name, error in (("empty.txt", UsageError), ("nothing.txt", NotFound), (".", UsageError)):
        with pytest.raises(error):
            await planned(s, "files documents upload", file=name)
    file("run.exe", b"MZ")
    with pytest.raises(Refused, match=r"run\.exe: File type not allowed") as refused:
        await do(s, "files documents upload", file="run.exe")
    assert "pack it into a zip" in str(refused.value.hint)
    for arguments in ({"uid": "../me"}, {"event": "../../me", "data_element": "deLetter001"}):
        with pytest.raises(UsageError, match="is no UID"):
            await call(s, "files resources download", **arguments, out=Path("x"))


async def test_a_download_never_goes_over_a_file_or_out_of_its_folder(s: Session):
    file("plan.txt")
    await do(s, "files documents upload", file="plan.txt", name="Plan")
    with pytest.raises(UsageError, match="is there already"):
        await call(s, "files documents download", document="Plan", out=".")
    Path("plan.txt").write_text("mine")
    await call(s, "files documents download", document="Plan", out=".", overwrite=True)
    assert Path("plan.txt").read_bytes() == b"plan of 2025\n"

    store = s.sandbox_store()
    (uid,) = store.objects("fileResources")
    for name, safe in (("../../evil.sh", "evil.sh"), ("a\\..\\b.txt", "b.txt"), (".bashrc", "bashrc"), ("..", uid)):
        store.put_objects({"fileResources": [{**store.objects("fileResources")[uid], "name": name}]})
        folder = Path("down")
        folder.mkdir()
        found = await call(s, "files documents download", document="Plan", out="down")
        assert [path.name for path in folder.iterdir()] == [safe] == [Path(found.file).name]
        (folder / safe).unlink()
        folder.rmdir()


async def test_other_bytes_than_the_server_keeps_are_no_file(s: Session):
    file("plan.txt")
    await do(s, "files documents upload", file="plan.txt", name="Plan")
    with s.sandbox_store().writing() as connection:
        connection.execute("UPDATE file_content SET content = ?", (b"plan",))
    with pytest.raises(BrokenAnswer, match="4 bytes came, and the server keeps 13 others"):
        await call(s, "files documents download", document="Plan", out="down.txt")
    assert not Path("down.txt").exists()
    with pytest.raises(BrokenAnswer):
        await do(s, "files documents delete", documents_=["Plan"])
    assert len(await listed(s)) == 1, "what cannot be kept is not deleted"


async def test_a_file_is_the_value_of_a_cell_and_the_one_before_comes_back(letters: Session):
    s = letters
    for name, content in (("one.txt", b"one"), ("two.txt", b"two, longer")):
        file(name, content)
        await do(s, "files resources upload", file=name, **CELL)
    found = await call(s, "files resources download", out="now.txt", **CELL)
    assert (Path("now.txt").read_bytes(), found.name) == (b"two, longer", "two.txt")
    await do(s, "undo")
    found = await call(s, "files resources download", out="now.txt", overwrite=True, **CELL)
    assert (Path("now.txt").read_bytes(), found.name) == (b"one", "one.txt")
    await do(s, "undo", id=1, force=True)
    with pytest.raises(NotFound, match="that cell has no value"):
        await call(s, "files resources download", out="x.txt", **CELL)


async def test_a_value_that_somebody_has_changed_since_is_left_alone(letters: Session):
    file("one.txt", b"one")
    await do(letters, "files resources upload", file="one.txt", **CELL)
    await letters.client.files.upload_value(b"three", data_element=LETTER, period="202501", name="3.txt",
                                            org_unit=next(iter(_unit(letters, "Clinic A"))))  # fmt: skip
    plan = await planned(letters, "undo")
    assert plan.blocked is not None
    assert "somebody has changed it since; --force takes it back all the same" in plan.notes[0]


def _unit(s: Session, name: str) -> list[str]:
    return [uid for uid, unit in s.sandbox_store().objects("organisationUnits").items() if unit["name"] == name]


async def test_files_go_only_where_values_are_files(letters: Session):
    file("one.txt", b"one")
    number = next(body for body in letters.sandbox_store().objects("dataElements").values() if body["valueType"] != "IMAGE"
                  and body["id"] != LETTER)  # fmt: skip
    with pytest.raises(UsageError, match="not files"):
        await planned(letters, "files resources upload", file="one.txt", **{**CELL, "data_element": number["id"]})
    with pytest.raises(UsageError, match="takes pictures"):
        await planned(letters, "files resources upload", file="one.txt", **{**CELL, "data_element": PICTURE})
    with pytest.raises(UsageError, match="which value"):
        await planned(letters, "files resources upload", file="one.txt", data_element=LETTER)
    with pytest.raises(UsageError, match="a UID, or of what it is the value"):
        await call(letters, "files resources download", uid="aaaaaaaaaaa", out="x", **CELL)


async def test_a_file_by_itself_is_there_and_is_an_orphan(s: Session):
    file("photo.txt", b"photo")
    plan = await planned(s, "files resources upload", file="photo.txt", domain="DOCUMENT")
    assert plan.notes == [
        "this cannot be undone: a server deletes no file; what nothing refers to goes by itself within some hours"
    ]
    made = await do(s, "files resources upload", file="photo.txt", domain="DOCUMENT")
    found = await call(s, "files resources get", uid=made.uids[0])
    assert (found["name"], found["contentLength"], found["storageStatus"]) == ("photo.txt", 5, "STORED")
    await call(s, "files resources download", uid=made.uids[0], out="again.txt")
    assert Path("again.txt").read_bytes() == b"photo"
    (row,) = (await call(s, "files orphans")).plain()
    assert (row["id"], row["finding"]) == (made.uids[0], "unassigned: nothing refers to it")


async def test_what_is_kept_is_bounded(s: Session, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(kept, "MOST", 100)
    for number in range(4):
        content = bytes([number]) * 60
        await kept.keep(content, kept.md5_of(content))
        assert kept.read(kept.md5_of(content)) == content
    assert len(list((paths.data_dir() / "kept").iterdir())) == 1
    assert stat.S_IMODE((paths.data_dir() / "kept").stat().st_mode) == 0o700
    assert kept.find("../../../etc/passwd") is None


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("plan.pdf", "plan.pdf"),
        ("/etc/passwd", "passwd"),
        ("C:\\x\\plan.pdf", "plan.pdf"),
        (".ssh", "ssh"),
        ("...", None),
        ("", None),
        ("a\x00b\n.txt", "a_b_.txt"),
        ("gpj\u202e.exe", "gpj_.exe"),
        ("con.txt", "_con.txt"),
        ("a:b?.txt", "a_b_.txt"),
        ("ä" * 300 + ".pdf", "ä" * 98 + ".pdf"),
        ("trailing. ", "trailing"),
    ],
)
def test_a_name_of_somebody_else_is_safe_in_any_folder(name: str, safe: str | None):
    assert paths.safe_name(name) == safe


async def test_a_document_of_before_there_were_file_resources_is_shown_and_deleted(s: Session):
    """Its address is the name of a file in the server's own folder: no UID, and a comma may stand in it."""
    old: JsonObject = {"id": "dcOldPlan01", "name": "Old plan", "url": "plan 1, final.pdf", "external": False}
    s.sandbox_store().put_objects({"documents": [old]})
    (row,) = await listed(s)
    assert (row["kind"], row["bytes"], row["url"]) == ("file", None, "plan 1, final.pdf")
    assert (await documents.one(s, "dcOldPlan01"))["file"] is None
    plan = await planned(s, "files documents delete", documents_=["Old plan"])
    assert "Old plan: its file cannot be read by its sum, so this cannot be undone" in plan.notes
    await do(s, "files documents delete", documents_=["Old plan"])
    assert await listed(s) == []


@pytest.mark.parametrize(
    ("said", "told"),
    [({"contentMd5": "0" * 32}, "has kept others"), ({"contentLength": 1200}, "has kept 1,200 others")],
)
async def test_other_bytes_than_were_sent_are_no_success(
    s: Session, said: JsonObject, told: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(envelopes, "parse", lambda _: {"httpStatus": "Accepted", "response": {"fileResource": said}})
    with pytest.raises(BrokenAnswer, match=rf"13 bytes were sent, and the server {told}"):
        await s.client.files.upload(file("plan.txt"), domain="DOCUMENT")
