import pytest

from dhis2sh.client.versions import parse_version
from dhis2sh.errors import NotDhis2, Refused


def test_versions_are_read_and_compared():
    assert parse_version("2.42.5.2").patch == (5, 2)
    assert parse_version("2.44-SNAPSHOT") > parse_version("2.43.1")
    assert parse_version("2.45").newer_than_known
    assert parse_version("2.45").models == "v44"
    assert str(parse_version("2.42.5.2")) == "2.42.5.2"


def test_what_we_cannot_serve():
    with pytest.raises(Refused, match=r"2\.39"):
        parse_version("2.39.1")
    with pytest.raises(NotDhis2):
        parse_version("")
