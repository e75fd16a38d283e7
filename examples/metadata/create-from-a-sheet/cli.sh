# Data elements and a group from sheets: columns by header, references by name.
export DHIS2_PROFILE=sandbox
cat > elements.csv <<'CSV'
value-type;Short name;name;domainType;aggregation type;categoryCombo
NUMBER;MMR1;Measles and rubella 1st dose;AGGREGATE;SUM;default
NUMBER;MMR2;Measles and rubella 2nd dose;AGGREGATE;SUM;default
CSV
dhis2 metadata data-elements create --from elements.csv --yes -o json --jq '{created}'
dhis2 metadata data-element-groups create --name MMR --short-name MMR -o json --jq '{created}'
dhis2 metadata data-element-groups add MMR 'Measles and rubella 1st dose' 'Measles and rubella 2nd dose' -o json --jq '{updated}'
dhis2 metadata data-element-groups members MMR -o csv --jq '.[].name'
