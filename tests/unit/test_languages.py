"""What each kind of expression may say, and how a mistake is named."""

import pytest

from dhis2sh.dhis2.languages import LANGUAGES


@pytest.mark.parametrize(
    ("plural", "text"),
    [
        ("indicators", "#{deNumber001} / subExpression(if(#{deNumber002} > 2, 1, 0)) * N{indicator01}"),
        ("validationRules", "greatest(#{deNumber001}, 4) + if(orgUnit.group(groupUid001), 1, 0)"),
        ("predictors", "avg(#{deNumber001}) + 2 * stddev(#{deNumber001})"),
        ("programIndicators", "d2:zpvc(#{stage000001.deNumber001}) / V{event_count} + d2:daysBetween(V{event_date}, PS_EVENTDATE:stage000001)"),
        ("programRules", "d2:round(#{weight}, 2) > 4 && d2:hasValue('weight')"),
    ],
)  # fmt: skip
def test_what_a_language_knows_is_no_mistake(plural: str, text: str) -> None:
    assert list(LANGUAGES[plural].mistakes(text)) == []


@pytest.mark.parametrize(
    ("plural", "text", "says"),
    [
        ("predictors", "AVG(#{deNumber001})", "there is no function 'AVG' here (did you mean avg?)"),
        ("indicators", "avg(#{deNumber001})", "there is no function 'avg' here"),
        ("indicators", "if(#{deNumber001} > 2, 1)", "if takes 3 arguments, not 2"),
        ("indicators", "log()", "log takes 1 to 2 arguments, not 0"),
        ("predictors", "max()", "max takes 1 argument, not 0"),
        ("programRules", "d2:concatenate()", "d2:concatenate takes 1 or more arguments, not 0"),
        ("indicators", "V{event_count}", "V{...} is not known here"),
        ("programIndicators", "I{indicator01}", "I{...} is not known here"),
        ("indicators", "#{deNumber001", "'#{' is not closed"),
        ("indicators", "4 + 'a", "''' is not closed"),
        ("indicators", "#{} + 1", "#{} names nothing"),
        ("indicators", "4 +", "the end is not expected here"),
        ("indicators", "(4", "')' expected, found the end"),
    ],
)
def test_a_mistake_is_named(plural: str, text: str, says: str) -> None:
    assert next(LANGUAGES[plural].mistakes(text)).startswith(says)
