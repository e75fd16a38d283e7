"""The embedded DHIS2: Starlette over SQLite, for trying, teaching and testing.

Each room says what it is for and which of the others it may import; `refused` and `versions` stand below the rooms, the
other files above them. Of the rest of dhis2sh only the pure lore, errors and types are imported: a wrong belief of the
client's must not be confirmed by a server that shares it.
"""
