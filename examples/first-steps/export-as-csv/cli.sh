# A list as CSV, with DHIS2's own filters and fields.
dhis2 -p sandbox metadata list dataElements --filter name:ilike:malaria --fields id,code,name --order name:asc -o csv
