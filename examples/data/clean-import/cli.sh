# From a clinic's spreadsheet to a clean import: what is wrong is refused with its reason, mended, pushed and taken back.
export DHIS2_PROFILE=sandbox
cat > stock.csv <<'CSV'
Facility;Penta vials received;Penta vials used;Penta vials at end of month
Alidale Clinic;100;40;60
Alileigh Clinic;12;n/a;7
Isaristow Clinic;50;twenty;30
CSV
dhis2 data aggregate push stock.csv --period 202602 --rejected mend.csv --dry-run || echo "exit code $?"
dhis2 data aggregate push stock.csv --period 202602 --rejected mend.csv --yes > pushed.txt 2>&1 || echo "exit code $?"
cut -d, -f2,4,5,11,13- mend.csv
sed -i s/twenty,/20,/ mend.csv
dhis2 data aggregate push mend.csv --yes -o json --jq '{created}'
dhis2 data aggregate get --data-set 'Vaccine stock' --period 202602 --org-unit Okavéri --children -o json --jq length
dhis2 undo --yes -o json --jq '{deleted}'
dhis2 undo --yes -o json --jq '{deleted}'
dhis2 data aggregate get --data-set 'Vaccine stock' --period 202602 --org-unit 'Maravélia' --children -o json --jq length
