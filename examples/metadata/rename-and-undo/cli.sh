# Rename many objects, look into the journal, take it back: nothing is left of it. Surface: command line.
export DHIS2_PROFILE=sandbox
whole='del(.. | .lastUpdated?, .lastUpdatedBy?) | del(.system.date)'
dhis2 metadata export --jq "$whole" > before.json

dhis2 metadata rename dataElements --filter name:ilike:malaria --prefix 'EPI - ' --dry-run
dhis2 metadata rename dataElements --filter name:ilike:malaria --prefix 'EPI - ' --yes -o json --jq '{updated}'
dhis2 journal list --limit 1 -o json --jq '.[0] | {title, outcome, done}'
dhis2 undo --yes -o json --jq '{updated}'

dhis2 metadata export --jq "$whole" > after.json
cmp before.json after.json && echo 'the same export, but for when it was saved last and by whom'
