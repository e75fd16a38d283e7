from pathlib import Path

import pytest

from dhis2sh import index as index_package
from dhis2sh.changes.consent import Consent
from dhis2sh.changes.plan import Plan, PlanStep
from dhis2sh.changes.recording import ByObject
from dhis2sh.index.names import Hit, NameIndex, index_of, offered
from dhis2sh.index.refresh import refresh
from dhis2sh.session import Session
from dhis2sh.verbs.registry import find
from dhis2sh.verbs.run import run

BCG = Hit("s46m5MS0hxu", "dataElements", "BCG doses given", "DE_359706")
BO = Hit("O6uvpzGd5pu", "organisationUnits", "Bo", None)


def test_nothing_is_made_before_the_first_write(tmp_path: Path) -> None:
    index = NameIndex(tmp_path / "names.db")
    assert index.search("bcg") == []
    assert index.count() == 0
    assert not (tmp_path / "names.db").exists()


def test_names_codes_and_parts_of_uids_are_found(tmp_path: Path) -> None:
    index = NameIndex(tmp_path / "names.db")
    index.put("dataElements", [BCG], last_updated="2026-01-01")
    index.put("organisationUnits", [BO], last_updated="2026-01-01")
    assert index.search("doses") == index.search("359706") == index.search("46m5") == [BCG]
    assert index.search("bo") == [BO], "two letters find the beginnings of names"
    assert index.search("doses", types=["organisationUnits"]) == []
    index.close()


def test_words_are_found_in_any_order(tmp_path: Path) -> None:
    index = NameIndex(tmp_path / "names.db")
    stock = Hit("cZnQDuF3IDz", "dataElements", "Stock PHU discarded BCG", "DE_360103")
    index.put("dataElements", [stock, BCG], last_updated="2026-01-01")
    assert index.search("disc bcg") == index.search("bcg phu") == index.search("bc stock") == [stock]
    assert index.search("bcg do xx") == []
    assert index.search("bcg d") == [BCG, stock], "what begins with the text comes first"
    index.close()


def test_a_renamed_object_is_found_once_by_its_new_name(tmp_path: Path) -> None:
    index = NameIndex(tmp_path / "names.db")
    index.put("dataElements", [BCG], last_updated="2026-01-01")
    renamed = Hit(BCG.uid, BCG.type, "BCG given", BCG.code)
    index.put("dataElements", [renamed], last_updated="2026-01-02")
    assert index.search("bcg") == [renamed]
    assert index.search("doses") == []
    index.close()


def test_a_broken_file_is_moved_aside(tmp_path: Path) -> None:
    path = tmp_path / "names.db"
    path.write_bytes(b"this is no database, it is a text of some length" * 50)
    index = NameIndex(path)
    assert index.put("dataElements", [BCG]) == 1
    assert path.with_suffix(".broken").is_file()
    index.close()


async def test_a_refresh_reads_names_and_later_only_changes(session: Session, tmp_path: Path) -> None:
    index = NameIndex(tmp_path / "names.db")
    first = await refresh(index, session.client)
    assert first["dataElements"] == 3
    assert [hit.type for hit in index.search("ngele")] == ["organisationUnits"]
    again = await refresh(index, session.client)
    assert sum(again.values()) <= sum(first.values())
    assert index.count() == sum(first.values())
    index.close()


@pytest.mark.parametrize("text", ["maravelia", "MARAVÉLIA", "Mara lia", "maravélia", "Maravélia"])
def test_u3_accents_and_case_never_matter(tmp_path: Path, text: str) -> None:
    index = NameIndex(tmp_path / "names.db")
    place = Hit("O6uvpzGd5pu", "organisationUnits", "Maravélia")
    index.put("organisationUnits", [place, Hit("O6uvpzGd5px", "organisationUnits", "Élément  Ø")])
    assert index.search(text) == [place]
    assert [hit.name for hit in index.search("element o")] == ["Élément  Ø"]
    index.close()


def test_u3_objects_of_one_name_show_what_they_are_in_and_how_they_are_written(tmp_path: Path) -> None:
    units = [
        Hit("O6uvpzGd5pu", "organisationUnits", "Bo", None, "Sierra Leone"),
        Hit("O6uvpzGd5px", "organisationUnits", "Bo", None, "Kono"),
        Hit("O6uvpzGd5py", "organisationUnits", "B\u00f3", None, "Pujehun"),
        Hit("O6uvpzGd5pz", "organisationUnits", "Kono", None, "Sierra Leone"),
    ]
    notes = [item.note for item in offered(units)]
    assert notes[0] == "Bo  organisationUnits  in Sierra Leone"
    assert notes[1] == "Bo  organisationUnits  in Kono"
    assert notes[2] == "Bó  organisationUnits  in Pujehun"
    assert notes[3] == "Kono  organisationUnits"
    apart = offered([Hit("a", "options", "Yes"), Hit("b", "options", "Yes\u00a0"), Hit("c", "options", "Ye\u0301s")])
    assert [item.note.split("  ")[0] for item in apart] == ["Yes", "Yes<U+00A0>", "Ye<U+0301>s"]


async def test_u2_what_a_write_has_changed_is_offered_at_once_and_what_is_gone_is_not(sandbox_home: Path) -> None:
    session = Session("sandbox")
    session.on_written = index_package.follow
    index = index_of("sandbox", session.profile.url)
    await refresh(index, session.client)

    async def do(path: str, **arguments: object) -> None:
        await run(session, find(path), {"type": "dataElements", **arguments}, Consent(yes=True))

    kept = ["shortName=Zoster", "code=ZO", "valueType=NUMBER", "domainType=AGGREGATE", "aggregationType=SUM"]
    await do("metadata create", set=["name=Zoster doses", *kept])
    (hit,) = index.search("zoster")
    assert (hit.name, hit.code) == ("Zoster doses", "ZO")

    await do("metadata update", uid=hit.uid, set=["name=Varicella"])
    assert index.search("zoster doses") == []
    (hit,) = index.search("varicella")
    assert (hit.name, hit.code) == ("Varicella", "ZO")

    await do("metadata delete", objects=[{"id": hit.uid}])
    assert index.search("varicella") == []
    await session.aclose()
    index.close()


@pytest.mark.parametrize(
    ("plural", "uid", "action", "is_object"),
    [
        ("dataElements", "deStock0001", "create", True),
        ("apiToken", "tkToken0001", "delete", True),
        ("dataElements", "deStock0001", "run", False),
        ("dataValues", "deStock0001.202506.ouClinicA01.HllvX50cXC0", "create", False),
        ("dataValues", "deStock0001", "create", False),
        ("completeDataSetRegistrations", "dsMonthly01.202506.ouClinicA01", "create", False),
        ("dataStore/settings", "deStock0001", "update", False),
        ("trackedEntities", "tePerson001", "update", False),
        ("messageConversations", "mcMessage01", "create", False),
        ("apps", "dashboard", "create", False),
    ],
)
def test_only_objects_of_metadata_that_were_written_are_offered(plural: str, uid: str, action: str, is_object: bool):
    """What a form or a datastore wrote stood first after `what opv0` Tab, and no verb knew its UID."""
    plan = Plan("write", [PlanStep(action, plural, uid=uid, name="OPV0 doses given")], journal=False)
    entry = ByObject(None, plan)
    entry.done([0])
    assert [item.uid for item in entry.written()] == ([uid] if is_object else [])
