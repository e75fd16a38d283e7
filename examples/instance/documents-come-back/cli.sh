# A document is uploaded, downloaded byte for byte, deleted, and brought back with its file.
export DHIS2_PROFILE=sandbox
seq 1 20000 > plan.csv
dhis2 files documents upload plan.csv --name 'National plan' --yes > /dev/null
dhis2 files documents list -o csv | cut -d, -f2-5
dhis2 files documents download 'National plan' --out again.csv
cmp plan.csv again.csv && echo 'the same'
dhis2 files documents delete 'National plan' --yes > /dev/null
dhis2 files documents list
dhis2 undo --yes > /dev/null
mkdir down
dhis2 files documents download 'National plan' --out down
cmp plan.csv down/plan.csv && echo 'the same'
