"""What a 404 sends people to."""

import pytest

from dhis2sh.client.elsewhere import instead_of


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("/api/dataStore/app/nokey", "dhis2 datastore list app  lists its keys"),
        ("/dhis/api/42/dataStore/my%20app/no%2Fkey/metaData", "dhis2 datastore list 'my app'  lists its keys"),
        ("/api/dataStore/nons", "dhis2 datastore list  lists what there is"),
        ("/api/userDataStore/app/nokey", "dhis2 raw get userDataStore/app  lists its keys"),
        ("/api/jobConfigurations/aaaaaaaaaaa", "dhis2 jobs list  lists what there is"),
        ("/api/dataElements/aaaaaaaaaaa", "dhis2 metadata search aaaaaaaaaaa  finds what has that UID, of any type"),
        ("/api/loginConfig/x", "dhis2 metadata search bcg  finds by name, code or part of a UID"),
    ],
)
def test_a_404_sends_people_to_what_is_there(path: str, hint: str):
    assert instead_of(path) == hint
