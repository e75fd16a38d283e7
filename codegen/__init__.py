"""The generator: facts of running servers (`manifests/`) become the package `dhis2_models`.

`schemas` makes the compact manifests and `resources.json` from `/api/schemas`; `layout` is how they are written. The
models of issue B come beside them. A checkout's tool: it is in no wheel.
"""
