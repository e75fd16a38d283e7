"""Whatever an error of ours says to people in these tests is in words: no `None`, no empty list, no Python object, no placeholder (O10)."""

import re
from collections.abc import Iterator

import pytest

from dhis2sh.errors import Dhis2Error

NO_WORDS = re.compile(
    r"(?<!['\w-])None\b(?!')|(?<=[:=] )null\b|(?<![.\w])\[\]|\{\}|<(?:class|function|bound|[\w.]+ object)\b"
    r"|dhis2 [^;]*\b(?:TYPE|WORDS)\b"
)


@pytest.fixture(autouse=True)
def in_words(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every error that a test provokes is read; what a server said (it has a code) is the server's."""
    found: list[str] = []
    make = Dhis2Error.__init__

    def read(self: Dhis2Error, message: str, *, hint: str | None = None, code: str | None = None) -> None:
        make(self, message, hint=hint, code=code)
        texts = [hint or "", *([] if code else [str(message)])]
        found.extend(text for text in texts if NO_WORDS.search(text))

    monkeypatch.setattr(Dhis2Error, "__init__", read)
    yield
    assert not found, found
