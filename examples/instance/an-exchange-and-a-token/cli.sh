# What an exchange would send is looked at, sent, and reported; a token for whoever fetches it, made, renewed and deleted.
export DHIS2_PROFILE=sandbox
dhis2 maintenance refresh analytics --watch --yes > /dev/null 2>&1
element=$(dhis2 metadata list dataElements --filter 'name:eq:Penta vials used' -o name)
region=$(dhis2 metadata list organisationUnits --filter name:eq:Tavresk -o name)
cat > exchange.json <<END
{"id": "exVaccines1", "name": "Vaccines to the region",
 "source": {"params": {}, "requests": [{"name": "vials", "dx": ["$element"], "pe": ["202501"], "ou": ["$region"]}]},
 "target": {"type": "INTERNAL", "request": {}}}
END
dhis2 exchange create --from exchange.json --yes > /dev/null
dhis2 exchange list -o csv | cut -d, -f2-5
dhis2 exchange preview 'Vaccines to the region' -o csv | cut -d, -f1,3,4,6
dhis2 exchange run 'Vaccines to the region' --dry-run | grep -v note
dhis2 exchange run 'Vaccines to the region' --yes
dhis2 exchange run 'Vaccines to the region' --yes
dhis2 dev pat create --days 30 --method GET --to token.txt | sed 's/ [a-zA-Z0-9]\{11\}$//'
wc -l < token.txt
dhis2 dev pat rotate "$(dhis2 dev pat list -o name)" --to renewed.txt --yes > /dev/null
dhis2 dev pat list -o csv | cut -d, -f4-5
dhis2 dev pat delete "$(dhis2 dev pat list -o name)" --yes > /dev/null
dhis2 dev pat list
