# Find anything by words, a code or part of a UID.
dhis2 -p sandbox metadata search malaria
dhis2 -p sandbox metadata count organisationUnits -o json
