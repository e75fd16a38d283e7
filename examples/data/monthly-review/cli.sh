# The review of a month: who has reported, what lies far from the usual, all that looks wrong in one table, marks, completion.
export DHIS2_PROFILE=sandbox
dhis2 data completeness 'Vaccine stock' --period 202502 --by values --level 2 -o csv
dhis2 data completeness 'Vaccine stock' --period 202502 --by values --org-unit Okavéri --missing -o csv --jq '.[].orgUnitName'
dhis2 data outliers --data-set 'Vaccine stock' --period 202509 --org-unit Maravélia --top 3 -o json --jq '.[] | {orgUnitName, value, told}'
dhis2 data review 'Vaccine stock' 202502 --org-unit Okavéri -o csv
dhis2 data followup unmark 'Penta vials at end of month' 202502 'Alidale Clinic' --yes -o json --jq '{updated}'
dhis2 data complete 'Vaccine stock' 202502 'Alidale Clinic' --yes -o json --jq '{created, updated}'
dhis2 undo --yes -o json --jq '{deleted}'
dhis2 undo --yes -o json --jq '{updated}'
