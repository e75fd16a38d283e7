# A dashboard with all that it needs goes to a server that has nothing; what that one lacks is exactly the rest.
export DHIS2_PROFILE=sandbox

# Organisation units are left out unless one asks for them, since most servers have theirs. The report says so ...
dhis2 metadata export 'Mother and child' --deps --out without.json

# ... and an import names every reference that leads nowhere, before it writes. sandbox:copy is a second, empty sandbox.
dhis2 -p sandbox:copy metadata import without.json --dry-run -o json \
    --jq '.notes[] | select(startswith("dangling"))' 2> /dev/null || echo "it would be refused: exit code $?"
dhis2 -p sandbox:copy metadata import without.json --yes 2> /dev/null || echo "refused whole: exit code $?"
dhis2 -p sandbox:copy metadata list dashboards -o json

# With them it goes through, and the copy needs nothing that is not there.
dhis2 metadata export 'Mother and child' --deps --with org-units --out whole.json
dhis2 -p sandbox:copy metadata import whole.json --yes -o json --jq '{created, failures}'
dhis2 -p sandbox:copy metadata export 'Mother and child' --deps --with org-units --out again.json

# What the copy lacks is exactly the rest. Users, roles and jobs do not count, since each server begins with its own.
dhis2 metadata diff-profiles sandbox sandbox:copy --types dashboards,indicators -o csv
dhis2 metadata diff-profiles sandbox sandbox:copy \
    --jq '.[] | select(.change == "removed" and .type != "users" and .type != "userRoles") | .id' | sort > missing.txt
uids='del(.users, .userRoles, .jobConfigurations) | .[] | arrays | .[].id'
dhis2 metadata export --jq "$uids" | sort > all.txt
dhis2 -p sandbox:copy metadata export --jq "$uids" | sort > copied.txt
comm -23 all.txt copied.txt | cmp - missing.txt && echo 'exactly the rest'
