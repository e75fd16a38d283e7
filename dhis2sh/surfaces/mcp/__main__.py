"""`python -m dhis2sh.surfaces.mcp`."""

from dhis2sh.surfaces.mcp import main

main()
