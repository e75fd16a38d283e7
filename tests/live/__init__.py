"""The tables of cases of the sandbox's tests, asked of a running server: `make test-live`.

What they need is put there under UIDs that begin with `PREFIX`, and taken away again, also when they are interrupted; what
a killed run has left is taken away by `python -m pytest -m live --clean`. Nothing else of the server is written.
"""
