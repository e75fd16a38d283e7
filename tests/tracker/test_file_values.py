"""Files that are values of events and of tracked entities, read through them."""

from pathlib import Path

import pytest

from dhis2sh.errors import NotFound, UsageError
from dhis2sh.session import Session
from tests.metadata.calls import call, do


async def test_the_files_of_an_event_and_of_a_person_are_downloaded(s: Session):
    store = s.sandbox_store()
    event, element = store.connection.execute("SELECT event, data_element FROM event_value").fetchone()
    person, attribute = store.connection.execute("SELECT tracked_entity, attribute FROM attribute_value").fetchone()
    uids = [
        (await s.client.files.upload(content, name=f"../{content.decode()}.txt")).created_uid
        for content in (b"a", b"b")
    ]
    with store.writing() as connection:
        connection.execute(
            "UPDATE event_value SET value = ? WHERE event = ? AND data_element = ?", (uids[0], event, element)
        )
        connection.execute(
            "UPDATE attribute_value SET value = ? WHERE tracked_entity = ? AND attribute = ?",
            (uids[1], person, attribute),
        )

    await call(s, "files resources download", event=event, data_element=element, out=".")
    await call(s, "files resources download", tracked_entity=person, attribute=attribute, out=".")
    assert (Path("a.txt").read_bytes(), Path("b.txt").read_bytes()) == (b"a", b"b")

    with pytest.raises(NotFound, match="has no value of deNothing01"):
        await call(s, "files resources download", event=event, data_element="deNothing01", out="x")
    with pytest.raises(UsageError, match="which value"):
        await call(s, "files resources download", event=event, out="x")


async def test_a_value_that_is_no_file_says_so(s: Session):
    event, element = s.sandbox_store().connection.execute("SELECT event, data_element FROM event_value").fetchone()
    with pytest.raises(NotFound, match="is no file"):
        await call(s, "files resources download", event=event, data_element=element, out="x")
    assert not Path("x").exists()


async def test_a_file_becomes_the_value_of_a_person_by_its_uid(s: Session):
    store = s.sandbox_store()
    person, attribute = store.connection.execute("SELECT tracked_entity, attribute FROM attribute_value").fetchone()
    body = store.objects("trackedEntityAttributes")[attribute]
    store.put_objects({"trackedEntityAttributes": [{**body, "valueType": "FILE_RESOURCE", "unique": False}]})
    Path("photo.txt").write_bytes(b"photo")
    made = await do(s, "files resources upload", file="photo.txt")
    await do(s, "data tracker update", uid=person, set=[f"{attribute}={made.uids[0]}"])
    await call(s, "files resources download", tracked_entity=person, attribute=attribute, out="again.txt")
    assert Path("again.txt").read_bytes() == b"photo"
