"""Expressions in words, program rules, SQL views."""

from tests.surfaces.cases import Case

COUNTRY = {"home": "country_home"}
CREATED = ("metadata sql-views refresh 'Data elements by value type' -p sandbox",)
CASES = [
    Case(
        "metadata indicators validate-expression",
        "'#{Live births} / 2'",
        {"expression": "#{Live births} / 2"},
        **COUNTRY,
    ),
    Case(
        "metadata program-indicators validate-expression",
        "'#{Haemoglobin} < 9' --part filter --program PR_PREGNANCY",
        {"expression": "#{Haemoglobin} < 9", "part": "filter", "program": "PR_PREGNANCY"},
        **COUNTRY,
    ),
    Case("metadata validation-rules validate-expression", "'#{DE_001}'", {"expression": "#{DE_001}"}, **COUNTRY),
    Case("metadata predictors validate-expression", "'avg(#{DE_001})'", {"expression": "avg(#{DE_001})"}, **COUNTRY),
    Case("metadata indicators describe-expression", "'Stillbirth rate'", {"uid": "Stillbirth rate"}, **COUNTRY),
    Case("metadata program-indicators describe-expression", "PI_02", {"uid": "PI_02"}, **COUNTRY),
    Case(
        "metadata validation-rules describe-expression",
        "'Births are not more than deliveries'",
        {"uid": "Births are not more than deliveries"},
        **COUNTRY,
    ),
    Case("metadata predictors describe-expression", "zCv4zpILu9O", {"uid": "zCv4zpILu9O"}, **COUNTRY),
    Case("metadata program-rules vars-for", "PR_PREGNANCY", {"program": "PR_PREGNANCY"}, **COUNTRY),
    Case(
        "metadata program-rules validate-expression",
        "'#{apgar} < 4' --program PR_PREGNANCY",
        {"expression": "#{apgar} < 4", "program": "PR_PREGNANCY"},
        **COUNTRY,
    ),
    Case("metadata program-rules where-de-is-used", "Haemoglobin", {"element": "Haemoglobin"}, **COUNTRY),
    Case("metadata program-rules lint", "", **COUNTRY),
    Case(
        "metadata sql-views execute",
        "'Data elements with a word in their name' --var word=birth --filter valuetype:like:INTEGER",
        {
            "view": "Data elements with a word in their name",
            "var": ["word=birth"],
            "filter": ["valuetype:like:INTEGER"],
        },
        **COUNTRY,
    ),
    Case(
        "metadata sql-views execute",
        "'Data elements by value type' --criteria valuetype=BOOLEAN",
        {"view": "Data elements by value type", "criteria": ["valuetype=BOOLEAN"]},
        before=CREATED,
        **COUNTRY,
    ),
]
