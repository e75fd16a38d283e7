import gc

import orjson
import pytest

from dhis2sh.client.parsing import parsed


@pytest.mark.parametrize("looks", [True, False])
def test_garbage_is_looked_for_afterwards_where_it_was_before(looks: bool, monkeypatch: pytest.MonkeyPatch):
    """Of a shell that is starting Python looks for none: it does not begin to because an answer came."""
    before = gc.isenabled()
    meanwhile: list[bool] = []

    def loads(data: bytes) -> object:
        meanwhile.append(gc.isenabled())
        if data == b"{":
            raise orjson.JSONDecodeError("unexpected end of data", "{", 1)
        return {}

    monkeypatch.setattr(orjson, "loads", loads)
    try:
        (gc.enable if looks else gc.disable)()
        assert parsed(b"{}") == {}
        assert gc.isenabled() is looks
        with pytest.raises(orjson.JSONDecodeError):
            parsed(b"{")
        assert gc.isenabled() is looks
    finally:
        (gc.enable if before else gc.disable)()
    assert meanwhile == [False, False]
