from pathlib import Path

from dhis2sh.index.names import Hit, NameIndex
from dhis2sh.index.refresh import refresh
from dhis2sh.session import Session

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
