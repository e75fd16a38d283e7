# Share a program and all that belongs to it with a group, in one go.
export DHIS2_PROFILE=sandbox
dhis2 metadata user-groups create --name 'Field staff' -o json --jq '{created}'
dhis2 metadata share programs 'Pregnancy follow-up' --tree --group 'Field staff=rw/rw' --public r --dry-run \
    -o json --jq '.steps | group_by(.type) | map("\(length) \(.[0].type)"), (map(.[0].name) | sort)'
dhis2 metadata share programs 'Pregnancy follow-up' --tree --group 'Field staff=rw/rw' --public r --yes -o json --jq '{updated}'
dhis2 metadata list programStages --filter program.name:eq:'Pregnancy follow-up' --fields name,sharing \
    --jq '.[] | "\(.name): everybody \(.sharing.public), groups \([.sharing.userGroups[].access])"'

# A second time nothing changes; undo takes the one before back by its number.
dhis2 metadata share programs 'Pregnancy follow-up' --tree --group 'Field staff=rw/rw' --public r --yes -o json --jq '{updated}'
dhis2 undo 2 --yes -o json --jq '{updated}'
