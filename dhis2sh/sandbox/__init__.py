"""The embedded DHIS2: Starlette over SQLite, for trying, teaching and testing; it shares no belief with the client.

Each room in here says what it is for and which of the others it may import; `refused` and `versions` stand below the rooms,
the other files above them. A wrong belief of the client's must not be confirmed by a server that shares it.

May import: dhis2, models, the ground.
"""
