"""Programs, stages, sections, tracked entity types; formulas from plain options; SQL views."""

from tests.metadata.writes import Writing

COUNTRY = {"home": "country_home"}
WRITES = [
    Writing(
        "metadata programs add-attribute",
        "PR_PREGNANCY TEA_PHONE --mandatory --searchable",
        {"program": "PR_PREGNANCY", "attributes": ["TEA_PHONE"], "mandatory": True, "searchable": True},
        made=True,
        **COUNTRY,
    ),
    Writing(
        "metadata programs remove-attribute",
        "PR_PREGNANCY TEA_PHONE",
        {"program": "PR_PREGNANCY", "attributes": ["TEA_PHONE"]},
        **COUNTRY,
    ),
    Writing(
        "metadata programs add-org-units",
        "PR_SUPERVISION OU_MRV",
        {"program": "PR_SUPERVISION", "org_units": ["OU_MRV"]},
        **COUNTRY,
    ),
    Writing(
        "metadata programs remove-org-units",
        "PR_SUPERVISION OU_F000001",
        {"program": "PR_SUPERVISION", "org_units": ["OU_F000001"]},
        **COUNTRY,
    ),
    Writing(
        "metadata tracked-entity-types add-attribute",
        "'Pregnant woman' TEA_PHONE --mandatory --searchable",
        {"entity_type": "Pregnant woman", "attributes": ["TEA_PHONE"], "mandatory": True, "searchable": True},
        made=True,
        **COUNTRY,
    ),
    Writing(
        "metadata tracked-entity-types remove-attribute",
        "'Pregnant woman' TEA_GIVEN",
        {"entity_type": "Pregnant woman", "attributes": ["TEA_GIVEN"]},
        **COUNTRY,
    ),
    Writing(
        "metadata program-stages add-element",
        "Birth Haemoglobin --compulsory --allow-provided-elsewhere --unset display-in-reports",
        {
            "stage": "Birth",
            "elements": ["Haemoglobin"],
            "compulsory": True,
            "allow_provided_elsewhere": True,
            "unset": ["display-in-reports"],
        },
        made=True,
        **COUNTRY,
    ),
    Writing(
        "metadata program-stages remove-element",
        "'Antenatal visit' Haemoglobin --yes",
        {"stage": "Antenatal visit", "elements": ["Haemoglobin"]},
        **COUNTRY,
    ),
    Writing(
        "metadata program-stages reorder",
        "'Antenatal visit' 'Next appointment' Haemoglobin",
        {"stage": "Antenatal visit", "elements": ["Next appointment", "Haemoglobin"]},
        **COUNTRY,
    ),
    Writing(
        "metadata program-stage-sections add-element",
        "Advice Haemoglobin --yes",
        {"section": "Advice", "elements": ["Haemoglobin"]},
        **COUNTRY,
    ),
    Writing(
        "metadata program-stage-sections remove-element",
        "Advice 'Bed net given'",
        {"section": "Advice", "elements": ["Bed net given"]},
        **COUNTRY,
    ),
    Writing(
        "metadata program-stage-sections reorder",
        "Advice 'Notes of the midwife'",
        {"section": "Advice", "elements": ["Notes of the midwife"]},
        **COUNTRY,
    ),
    Writing(
        "metadata validation-rules create",
        "--name New --left '#{Live births}' --operator '<=' --right '#{DE_010}' --org-unit-level Facility",
        {
            "name": "New",
            "left": "#{Live births}",
            "operator": "<=",
            "right": "#{DE_010}",
            "org_unit_level": ["Facility"],
        },
        made=True,
        **COUNTRY,
    ),
    Writing(
        "metadata predictors create",
        "--name New --generator 'avg(#{DE_008})' --output DE_031 --samples 3",
        {"name": "New", "generator": "avg(#{DE_008})", "output": "DE_031", "samples": 3},
        made=True,
        **COUNTRY,
    ),
    Writing(
        "metadata indicators create",
        "--name New --numerator '#{Live births}' --denominator 1 --indicator-type Number",
        {"name": "New", "numerator": "#{Live births}", "denominator": "1", "indicatorType": "Number"},
        made=True,
        **COUNTRY,
    ),
    Writing(
        "metadata program-indicators create",
        "--name New --program PR_PREGNANCY --expression 'V{event_count}' --filter '#{Haemoglobin} < 9'",
        {
            "name": "New",
            "program": "PR_PREGNANCY",
            "expression": "V{event_count}",
            "filter": "#{Haemoglobin} < 9",
        },
        made=True,
        **COUNTRY,
    ),
    Writing(
        "metadata program-rules add",
        "'Haemoglobin is possible' qzbrBcRDMl9 --yes",
        {"uid": "Haemoglobin is possible", "items": ["qzbrBcRDMl9"]},
        **COUNTRY,
    ),
    Writing(
        "metadata program-rules remove",
        "'Warn of anaemia' qzbrBcRDMl9 --yes",
        {"uid": "Warn of anaemia", "items": ["qzbrBcRDMl9"]},
        **COUNTRY,
    ),
]
