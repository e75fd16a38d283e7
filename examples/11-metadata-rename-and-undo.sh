# Rename many objects, look into the journal, take it back. Surface: command line.
alias_=$(mktemp -d)
dhis2 -p sandbox metadata export --types dataElements --out "$alias_/before.json" > /dev/null
dhis2 -p sandbox metadata rename dataElements --filter name:ilike:malaria --prefix 'EPI - ' --dry-run
dhis2 -p sandbox metadata rename dataElements --filter name:ilike:malaria --prefix 'EPI - ' --yes
dhis2 -p sandbox journal list --limit 1 -o json --jq '.[0] | {title, outcome, done}'
dhis2 -p sandbox undo --yes
dhis2 -p sandbox metadata export --types dataElements --out "$alias_/after.json" > /dev/null
python - "$alias_" <<'PYTHON'
import json, sys
from pathlib import Path

def whole(name):
    rows = json.loads((Path(sys.argv[1]) / name).read_text())["dataElements"]
    return [{k: v for k, v in row.items() if k not in ("lastUpdated", "lastUpdatedBy")} for row in rows]

print("the same export:", whole("before.json") == whole("after.json"))
PYTHON
