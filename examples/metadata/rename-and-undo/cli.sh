# Rename many objects, look into the journal, take it back: nothing is left of it.
export DHIS2_PROFILE=sandbox
dhis2 metadata export --out before.json

dhis2 metadata rename dataElements --filter name:ilike:malaria --prefix 'EPI - ' --dry-run
dhis2 metadata rename dataElements --filter name:ilike:malaria --prefix 'EPI - ' --yes -o json --jq '{updated}'
dhis2 journal list --limit 1 -o json --jq '.[0] | {title, outcome, done}'
dhis2 undo --yes -o json --jq '{updated}'

# The same export, byte for byte, but for when each object was saved last, and by whom.
dhis2 metadata export --out after.json
whole() { sed -E 's/"(lastUpdated|date)":"[^"]*"//g; s/"lastUpdatedBy":\{[^}]*\}//g' "$1"; }
cmp <(whole before.json) <(whole after.json) && echo 'the same'
