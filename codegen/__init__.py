"""The generator: facts of running servers (`manifests/`) become the package `dhis2_models`, every file of it.

`schemas` and `openapi` distil what a server says of itself into compact manifests; `plan` decides what a version has and
`emit` writes it down; `build` makes the whole tree, or says how it differs. A checkout's tool: it is in no wheel.
"""
