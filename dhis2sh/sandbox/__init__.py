"""The embedded DHIS2: Starlette over SQLite, for trying, teaching and testing.

The rooms lie in layers and each says what it may import; `tests/sandbox/test_rooms.py` holds them to it. Of the rest of
dhis2sh the sandbox imports the pure lore, errors and types, nothing else: a wrong belief of the client's must not be
confirmed by a server that shares it.
"""
