# From a sheet of a clinic to persons with events, who is due, and all of it taken back.
export DHIS2_PROFILE=sandbox
cat > women.csv <<'CSV'
Facility,Given name,Sex of the person,Enrollment date,Incident date,First contact | date,Weeks of pregnancy
OU_F000001,Ana,Female,2025-01-02,2024-10-01,2025-01-02,14
OU_F000001,Bea,Female,2025-01-03,2024-11-01,2025-01-03,nine
CSV
dhis2 data tracker push women.csv --program 'Pregnancy follow-up' --rejected mend.csv --yes > pushed.txt 2>&1 || echo "exit code $?"
grep -o 'row 3: .*' pushed.txt | head -1
sed -i s/nine/9/ mend.csv
dhis2 data tracker push mend.csv --program 'Pregnancy follow-up' --yes -o json --jq '{created}'
dhis2 data tracker list 'Pregnancy follow-up' --filter 'Given name:in:Ana;Bea' --flat -o json --jq '[.[] | {name: .["Given name"], weeks: .["First contact | Weeks of pregnancy"]}]'
dhis2 data tracker count 'Pregnancy follow-up' --filter 'Given name:in:Ana;Bea' -o csv
dhis2 undo --yes -o json --jq '{deleted}'
dhis2 undo --yes -o json --jq '{deleted}'
dhis2 data tracker count 'Pregnancy follow-up' --filter 'Given name:in:Ana;Bea' -o csv
