# A dashboard with all that it needs goes to a server that has nothing.
export DHIS2_PROFILE=sandbox

# Organisation units are left out unless one asks for them, since most servers have theirs. The report says so ...
dhis2 metadata export 'Mother and child' --deps --out without.json

# ... and an import names every reference that leads nowhere, before it writes. sandbox:copy is a second, empty sandbox.
dhis2 -p sandbox:copy metadata import without.json --dry-run -o json --jq '.notes[] | select(startswith("dangling"))'
dhis2 -p sandbox:copy metadata import without.json --yes 2> /dev/null || echo "refused whole: exit code $?"
dhis2 -p sandbox:copy metadata list dashboards -o json

# With them it goes through, and the copy needs nothing that is not there.
dhis2 metadata export 'Mother and child' --deps --with org-units --out whole.json
dhis2 -p sandbox:copy metadata import whole.json --yes -o json --jq '{created, failures}'
dhis2 -p sandbox:copy metadata export 'Mother and child' --deps --with org-units --out again.json
