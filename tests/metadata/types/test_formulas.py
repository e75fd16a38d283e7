"""Indicators, program indicators, validation rules, predictors: made from names, judged, put into words."""

from pathlib import Path
from typing import Any

import pytest

from dhis2sh.changes.plan import Plan, WriteSummary
from dhis2sh.errors import CheckFailed, NotFound, UsageError
from dhis2sh.rows.rows import Rows, to_json
from dhis2sh.session import Session
from tests.metadata.calls import DRY, YES, call
from tests.shared import needs_shared


async def verdict(session: Session, kind: str, expression: str, **more: object) -> dict[str, Any]:
    return to_json(await call(session, f"metadata {kind} validate-expression", expression=expression, **more))  # type: ignore[return-value]


# Names in expressions ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "given", "sent"),
    [
        ("indicators", "#{Pentavalent 1st dose}", "#{SZkfUJn9LKu}"),
        ("indicators", "#{DE_001} / C{Days in a month}", "#{SZkfUJn9LKu} / C{dgbEUTjFImr}"),
        ("indicators", "#{SZkfUJn9LKu} + 1", "#{SZkfUJn9LKu} + 1"),
        ("indicators", "#{Malaria, cases confirmed}", "#{Fop3BrbvBPc}"),  # a server cuts a value at the comma
        ("indicators", "N{Stillbirth rate} + I{Women registered}", "N{kDKFkI8D2Fr} + I{NuIBQy3WOFp}"),
        ("indicators", "R{DS_MONTHLY.REPORTING_RATE}", "R{nWOpnU1PGs9.REPORTING_RATE}"),
        ("indicators", "D{PR_PREGNANCY.Haemoglobin}", "D{cgOIERotBIr.YleMAXIYQPN}"),
        ("predictors", "avg(#{Antenatal 1st visit})", "avg(#{cctjKOTIBk6})"),
        ("program-indicators", "#{Antenatal visit.Haemoglobin}", "#{uELYhky5iih.YleMAXIYQPN}"),
        ("program-indicators", "#{Haemoglobin} + V{event_count}", "#{uELYhky5iih.YleMAXIYQPN} + V{event_count}"),
        ("program-indicators", "d2:condition('#{Smokes}', 1, 2)", "d2:condition('#{hYymGxYRVd3.grBY06sutgS}', 1, 2)"),
        ("program-indicators", "A{TEA_SEX} == 'Female'", "A{S998BvqfbxJ} == 'Female'"),
    ],
)
async def test_names_and_codes_stand_for_uids(country: Session, kind: str, given: str, sent: str):
    found = await verdict(country, kind, given)

    assert found["valid"] is True
    assert found["expression"] == sent


async def test_an_option_combination_is_looked_for_among_those_of_its_element(country: Session):
    combos = "categoryCombo[categoryOptionCombos[id,name]]"
    body = await country.client.get_object("dataElements/SZkfUJn9LKu", {"fields": combos})
    combo: dict[str, Any] = body["categoryCombo"]["categoryOptionCombos"][0]  # type: ignore[index, assignment]

    found = await verdict(country, "indicators", f"#{{Pentavalent 1st dose.{combo['name']}}}")
    assert found["expression"] == f"#{{SZkfUJn9LKu.{combo['id']}}}"
    with pytest.raises(NotFound, match="'Pentavalent 1st dose' is not collected by 'Green'"):
        await verdict(country, "indicators", "#{Pentavalent 1st dose.Green}")


@pytest.mark.parametrize(
    ("kind", "expression", "error", "says", "hint"),
    [
        ("indicators", "#{Pentavalant 1st dose}", NotFound, "'Pentavalant 1st dose'", "Pentavalent 1st dose"),
        ("indicators", "#{SZkfUJn9LKx}", CheckFailed, "there is no SZkfUJn9LKx among the dataElements", "data-elements list"),
        ("indicators", "#{kDKFkI8D2Fr}", CheckFailed, "'Stillbirth rate' of indicators", "write N{kDKFkI8D2Fr}"),
        ("indicators", "#{Live births", CheckFailed, "Expression is not well-formed: '#{' is not closed", "codes or names"),
        ("indicators", "#{Live births.}", NotFound, "'Live births.'", "Live births"),
        ("indicators", "#{}", CheckFailed, "#{} names nothing", "codes or names"),
        ("indicators", "  ", UsageError, "the expression is empty", "codes or names"),
        ("predictors", "AVG(#{Live births})", CheckFailed, "no function 'AVG'", "codes or names"),
        ("program-indicators", "#{Birth.Haemoglobin}", NotFound, "no stage has what", "Antenatal visit.Haemoglobin"),
        ("program-indicators", "A{Given nmae}", NotFound, "'Given nmae'", "Given name"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_said_with_what_to_try(
    country: Session, kind: str, expression: str, error: type[Exception], says: str, hint: str
):
    with pytest.raises(error) as raised:
        await verdict(country, kind, expression)

    assert says in str(raised.value)
    assert hint in str(raised.value.hint)  # type: ignore[attr-defined]


async def test_an_element_in_two_stages_wants_its_stage(country: Session):
    stage = "metadata program-stages add-element"
    await call(country, stage, YES, stage="Birth", elements=["Haemoglobin"])

    with pytest.raises(UsageError, match="in several stages") as raised:
        await verdict(country, "program-indicators", "#{Haemoglobin}", program="PR_PREGNANCY")
    assert "#{Birth.Haemoglobin}" in str(raised.value.hint)
    found = await verdict(country, "program-indicators", "#{Birth.Haemoglobin}", program="PR_PREGNANCY")
    assert found["expression"] == "#{ll4N8ayMFYG.YleMAXIYQPN}"


# In words ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "uid", "formula"),
    [
        ("indicators", "IN_STILLBIRTH_RATE", "Stillbirths / (Stillbirths+Live births) * 1000"),
        ("validation-rules", "Births are not more than deliveries", "Live births <= Deliveries in facility"),
        ("predictors", "Antenatal visits, sum of 3 months", "Predicted antenatal visits = sum(Antenatal 1st visit)"),
        ("program-indicators", "Visits with anaemia", "count of Event count where Antenatal visit Haemoglobin < 9"),
    ],
)
async def test_a_formula_is_told_with_names(country: Session, kind: str, uid: str, formula: str):
    rows = await call(country, f"metadata {kind} describe-expression", uid=uid)

    assert isinstance(rows, Rows)
    assert rows[-1].part == "formula"
    assert rows[-1].description == formula


async def test_an_expression_whose_element_is_gone_says_so(country: Session):
    store = country.sandbox_store()
    body = store.get("indicators", "kDKFkI8D2Fr")
    assert body is not None
    store.put_objects({"indicators": [{**body, "numerator": "#{goneElement}"}]})

    rows = await call(country, "metadata indicators describe-expression", uid="kDKFkI8D2Fr")
    assert rows[0].description == "Expression is not well-formed: there is no goneElement among the dataElements"


# create and update ------------------------------------------------------------------------------------------------------


async def test_a_validation_rule_is_made_from_two_expressions_with_names(country: Session):
    made = await call(
        country, "metadata validation-rules create", YES, name="Penta within stock", left="#{Pentavalent 1st dose}",
        operator="<=", right="#{Penta vials used} * 10", periodType="quarterly", org_unit_level=["4", "Region"],
    )  # fmt: skip

    assert isinstance(made, WriteSummary)
    body = await country.client.get_object(f"validationRules/{made.uids[0]}", {"fields": ":owner"})
    assert body["operator"] == "less_than_or_equal_to"
    assert body["periodType"] == "Quarterly"
    assert body["organisationUnitLevels"] == [4, 2]
    left: dict[str, Any] = body["leftSide"]  # type: ignore[assignment]
    assert (left["expression"], left["description"]) == ("#{SZkfUJn9LKu}", "Pentavalent 1st dose")
    assert left["missingValueStrategy"] == "NEVER_SKIP"


async def test_a_predictor_is_made_from_a_generator(country: Session):
    plan = await call(
        country, "metadata predictors create", DRY, name="Average", generator="avg(#{Antenatal 1st visit})",
        output="Predicted antenatal visits", samples=3, skip_test="#{Antenatal 1st visit} > 1000", org_unit_level=["Facility"],
    )  # fmt: skip

    made: dict[str, Any] = plan.steps[0].after
    assert made["generator"]["description"] == "avg(Antenatal 1st visit)"
    assert made["sampleSkipTest"]["expression"] == "#{cctjKOTIBk6} > 1000"
    assert made["organisationUnitLevels"] == [{"id": "IMPtp78wid5"}]
    assert made["shortName"] == "Average"
    assert made["periodType"] == "Monthly"


async def test_indicators_of_a_sheet_may_say_names(country: Session):
    Path("indicators.csv").write_text(
        "name,numerator,denominator,indicatorType,denominatorDescription\n"
        "Births,#{Live births} + #{Stillbirths},1,Number,one\n"
        "Share of stillbirths,#{Stillbirths},#{Live births},Per cent,\n"
    )
    plan = await call(country, "metadata indicators create", DRY, from_=Path("indicators.csv"))

    births, share = (step.after for step in plan.steps)
    assert births["numeratorDescription"] == "Live births + Stillbirths"
    assert births["denominatorDescription"] == "one"
    assert share["denominator"] == "#{hxLqCrCYEY7}"
    assert share["shortName"] == "Share of stillbirths"


async def test_rules_of_a_sheet_may_say_symbols_and_names(country: Session):
    Path("rules.csv").write_text(
        "name,leftSide.expression,operator,rightSide.expression,periodType\n"
        "Births,#{Live births},<=,#{Deliveries in facility},monthly\n"
    )
    plan = await call(country, "metadata validation-rules create", DRY, from_=Path("rules.csv"))

    made = plan.steps[0].after
    assert made["operator"] == "less_than_or_equal_to"
    assert made["leftSide"] == {"expression": "#{hxLqCrCYEY7}", "description": "Live births"}
    assert made["periodType"] == "Monthly"
    assert plan.notes == ["leftSide: Live births; rightSide: Deliveries in facility"]


async def test_a_program_indicator_reads_the_stages_of_its_program(country: Session):
    plan = await call(
        country, "metadata program-indicators create", DRY, name="Small", program="PR_PREGNANCY", expression="V{event_count}",
        filter="#{Weight at birth} < 2500", aggregationType="COUNT",
    )  # fmt: skip

    made = plan.steps[0].after
    assert made["filter"].endswith("} < 2500")
    assert made["filter"].startswith("#{ll4N8ayMFYG.")


async def test_an_update_asks_only_about_what_changes(country: Session):
    plan = await call(
        country, "metadata indicators update", DRY, uid="IN_STILLBIRTH_RATE", numerator="#{Stillbirths} * 2"
    )
    assert set(plan.steps[0].after) == {"numerator"}
    with pytest.raises(CheckFailed, match="the end is not expected here"):
        await call(country, "metadata indicators update", DRY, uid="IN_STILLBIRTH_RATE", numerator="#{Stillbirths} *")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"left": "1", "right": "2", "operator": "=<"}, "operator"),
        ({"left": "1", "right": "2"}, "--left needs --operator"),
        ({"left": "1", "right": "2", "operator": "<", "periodType": "Montly"}, "did you mean Monthly"),
        ({"left": "1", "right": "2", "operator": "<", "org_unit_level": ["Distrikt"]}, "Distrikt"),
    ],
)
async def test_a_rule_that_cannot_be(country: Session, arguments: dict[str, object], says: str):
    with pytest.raises((UsageError, NotFound)) as raised:
        await call(country, "metadata validation-rules create", DRY, name="X", **arguments)
    assert says in f"{raised.value} {raised.value.hint}"


async def test_several_wrong_expressions_of_a_sheet_are_counted(country: Session):
    Path("indicators.csv").write_text(
        "name,numerator,denominator,indicatorType\nA,1 +,1,Number\nB,(2,1,Number\nC,3,1,Number\n"
    )
    with pytest.raises(CheckFailed, match=r"'1 \+': .* \(and 1 more expressions\)"):
        await call(country, "metadata indicators create", DRY, from_=Path("indicators.csv"))


@needs_shared
async def test_the_formulas_of_the_real_metadata_are_told(real_home: Path):
    session = Session("sandbox")
    rows = await call(session, "metadata validation-rules describe-expression", uid="VrBCGInf001")
    assert rows[-1].description == "BCG doses given Fixed, <1y == BCG doses given Outreach, <1y"
    found = await verdict(session, "indicators", "#{BCG doses given.Fixed, <1y}")
    assert found["expression"] == "#{s46m5MS0hxu.Prlt0C1RF0s}"
    plan = await call(session, "metadata indicators update", DRY, uid="BCG Stock PHU", numerator="#{BCG doses given}")
    assert isinstance(plan, Plan)
    assert plan.steps[0].after == {"numerator": "#{s46m5MS0hxu}"}
    await session.aclose()
