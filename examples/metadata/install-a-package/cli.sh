# Packages of older versions are installed side by side into a server that is in use and into an empty one, and taken back.
export DHIS2_PROFILE=sandbox

# Three small packages as they were made for DHIS2 2.36: an account, old sharing, charts of old, a placeholder.
cat > nutrition.json <<'END'
{"package": {"name": "NUT_AGG", "version": "1.0.0", "DHIS2Version": "2.36.1"},
 "users": [{"id": "usPackage01", "firstName": "Admin", "surname": "WHO"}],
 "userGroups": [{"id": "ugNutAdmin1", "name": "Nutrition admin", "users": [{"id": "usPackage01"}]}],
 "categoryCombos": [{"id": "bjDvmb4bfuf", "name": "default", "code": "default"}],
 "dataElements": [{"id": "deNutScreen", "name": "NUT - Children screened", "shortName": "Screened", "valueType": "NUMBER",
   "domainType": "AGGREGATE", "aggregationType": "SUM", "categoryCombo": {"id": "bjDvmb4bfuf"}, "publicAccess": "r-------",
   "userGroupAccesses": [{"id": "ugNutAdmin1", "access": "rw------"}, {"id": "ugElsewher1", "access": "rw------"}]}]}
END
cat > charts.json <<'END'
{"package": {"name": "NUT_DSH", "version": "1.0.0", "DHIS2Version": "2.36.1"},
 "dataElements": [{"id": "deNutScreen", "name": "NUT - Children screened", "shortName": "Screened", "valueType": "NUMBER",
   "domainType": "AGGREGATE", "aggregationType": "SUM", "categoryCombo": {"id": "bjDvmb4bfuf"}}],
 "visualizations": [{"id": "viNutScreen", "name": "NUT - Screened", "type": "COLUMN", "legendDisplayStyle": "FILL",
   "relativePeriods": {"last12Months": true}, "organisationUnits": [{"id": "<OU_ROOT_UID>"}],
   "dataDimensionItems": [{"dataDimensionItemType": "DATA_ELEMENT", "dataElement": {"id": "deNutScreen"}}]}]}
END
cat > person.json <<'END'
{"package": {"name": "NUT_TRK", "version": "1.0.0", "DHIS2Version": "2.40.5"},
 "trackedEntityTypes": [{"id": "teNutChild1", "name": "Child in nutrition programme"}]}
END

# What would happen: what was adapted to this version, what is left out, what is to be done afterwards.
dhis2 metadata package plan nutrition.json
dhis2 metadata package plan person.json -o json --jq '.adapted[] | "\(.type).\(.property) \(.how)"'

# A placeholder is for a person to decide, and the command that decides it is in the report. Until then nothing is written.
dhis2 metadata package plan charts.json -o json --jq '.decide[].about'
dhis2 metadata package install charts.json --yes 2> /dev/null || echo "nothing was written: exit code $?"

# One yes, one undo each, in the server that is in use and in an empty one (sandbox:copy).
for profile in sandbox sandbox:copy; do
    dhis2 -p $profile metadata export --out before.json > /dev/null
    dhis2 -p $profile metadata package install nutrition.json --yes
    dhis2 -p $profile metadata package install charts.json --drop-dangling --yes
    dhis2 -p $profile metadata package install person.json --yes
    dhis2 -p $profile metadata get visualizations viNutScreen --fields rawPeriods,legend -o json
    for package in person charts nutrition; do dhis2 -p $profile undo --yes -o json --jq '.deleted'; done
    dhis2 -p $profile metadata export --out after.json > /dev/null
    dhis2 metadata diff before.json after.json --check && echo "$profile is as it was"
done
