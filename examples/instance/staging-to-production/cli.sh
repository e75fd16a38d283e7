# Staging to production: an instance as files, with git between the two. sandbox:production is a second, empty sandbox.
export DHIS2_PROFILE=sandbox GIT_AUTHOR_NAME=me GIT_AUTHOR_EMAIL=me@example.org GIT_COMMITTER_NAME=me GIT_COMMITTER_EMAIL=me@example.org
commit() { git -C country add . && git -C country commit -qm "$1"; }

dhis2 instance pull country -o json --jq '{directory, removed, same, dataElements: .files.dataElements}'
git -C country init -q && commit 'As it is'
dhis2 -p sandbox:production instance apply country --yes -o json --jq '{deleted, failures}'
dhis2 -p sandbox:production instance diff country --check

# Somebody changes staging. A pull writes what is new, and git shows it.
dhis2 metadata update dataElements 'Measles-rubella 1st dose' --set description='First dose' --yes -o json --jq '{updated}'
dhis2 instance pull country -o json --jq '{written, removed}'
git -C country diff -U0 | grep '^[-+] *[a-z]'
commit 'Measles: the first dose'

# In production: what would change (exit code 8 for whoever only checks), the change, and back.
dhis2 -p sandbox:production instance diff country -o json --jq '.[] | {change, name, property, before, after}'
dhis2 -p sandbox:production instance diff country --check -o json --jq length || echo "exit code $?"
dhis2 -p sandbox:production instance apply country --yes -o json --jq '{created, updated, deleted}'
dhis2 -p sandbox:production instance diff country --check
dhis2 -p sandbox:production undo --yes -o json --jq '{updated}'

# A slip in a file is told with its line, before anything is sent.
sed -i 's/^valueType: /valuType: /' country/metadata/dataElements/measles-rubella-1st-dose.*.yaml
dhis2 -p sandbox:production instance apply country --yes || echo "exit code $?"
