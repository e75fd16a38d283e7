# What a type wants: required properties with their kinds.
dhis2 -p sandbox metadata describe dataElements --jq '.[] | select(.required) | "\(.property) \(.type)"'
