"""The generator: facts of running servers (`manifests/`) become the package `dhis2_models`.

`distil` makes manifests from answers of a server, `patches` mends what the server gets wrong about itself, `emit` writes
the code, `build` ties them together. A checkout's tool: it is in no wheel.
"""
