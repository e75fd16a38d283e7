# A saved chart, a pivot table, a map and a whole dashboard drawn from their definitions, without a browser.
export DHIS2_PROFILE=sandbox
dhis2 maintenance refresh analytics --watch --yes > /dev/null 2>&1
dhis2 analytics viz 'Antenatal visits by month' --period 202501..202503 -o json --jq '.categories, [.series[].name]'
dhis2 analytics viz 'Malaria by region and month' --period 202501..202502
dhis2 analytics viz 'Antenatal visits by month' --period 202501..202503 --out visits.svg
dhis2 analytics map Borders --out borders.html
dhis2 analytics dashboard 'Mother and child' --period 2025 --out board.html
grep -o '<section' board.html | wc -l
grep -cE '<script|https?://[^w]' board.html || true
