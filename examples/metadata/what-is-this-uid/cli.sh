# What is this UID: its type and name, what uses it, whether it has data.
export DHIS2_PROFILE=sandbox
dhis2 what SZkfUJn9LKu
dhis2 metadata usage SZkfUJn9LKu -o csv

# A code or a unique name does as well.
dhis2 what 'Pentavalent 1st dose' -o json --jq '.used_by[] | "\(.count) \(.type) by \(.paths | join(", "))"'

# Any UID of an export, also of what is only a part of something.
for uid in $(dhis2 metadata export --types dashboards,maps \
        --jq '.dashboards[0].id, .dashboards[0].dashboardItems[0].id, .maps[0].mapViews[0].id'); do
    dhis2 what "$uid"
done
