# What does one server have that the other has not?
export DHIS2_PROFILE=sandbox
dhis2 metadata export 'Mother and child' --deps --with org-units --out package.json
dhis2 -p sandbox:copy metadata import package.json --yes -o json --jq '{created}'
dhis2 metadata diff-profiles sandbox sandbox:copy --types dashboards,indicators -o csv

# The difference is exactly the rest: what the first server has and the package has not. Users, roles and
# jobs do not count, since each server begins with its own.
uids='del(.users, .userRoles, .jobConfigurations) | .[] | arrays | .[].id'
dhis2 metadata export --jq "$uids" | sort > all.txt
dhis2 metadata export 'Mother and child' --deps --with org-units --jq "$uids" | sort > package.txt
dhis2 metadata diff-profiles sandbox sandbox:copy \
    --jq '.[] | select(.change == "removed" and .type != "users" and .type != "userRoles") | .id' | sort > missing.txt
comm -23 all.txt package.txt | cmp - missing.txt && echo 'exactly the rest'
