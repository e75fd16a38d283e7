import pytest
from hypothesis import given
from hypothesis import strategies as st

from dhis2sh.dhis2.formulas import BadExpression, Item, describe, evaluate, items, parse

VALUES = {"#{deNumber001}": 6.0, "#{deNumber002}": None, "C{constant001}": 2.0, "#{deText00001}": "yes"}


def value(text: str) -> object:
    return evaluate(parse(text), lambda item: VALUES[item.text])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("-2 ^ 2", -4),
        ("2 ^ -1", 0.5),
        ("7 % 4", 3),
        ("#{deNumber001} / C{constant001}", 3),
        ("#{deNumber001} + #{deNumber002}", None),
        ("if(isNull(#{deNumber002}), 0, #{deNumber002}) + 1", 1),
        ("firstNonNull(#{deNumber002}, #{deNumber001})", 6),
        ("greatest(1, #{deNumber002}, 5)", 5),
        ("#{deText00001} == 'yes' and not (1 > 2)", True),
        ("1 / 0", None),
        ("log10(100)", 2),
    ],
)
def test_an_expression_has_a_value(text: str, expected: object) -> None:
    assert value(text) == expected


def test_vector_functions_take_the_values_of_several_periods() -> None:
    tree = parse("avg(#{deNumber001}) + 1")
    assert evaluate(tree, lambda item: [1.0, 2.0, 3.0]) == 3
    assert evaluate(parse("percentileCont(#{x.y}, 0.25)"), lambda item: [1.0, 2.0, 3.0, 4.0, 5.0]) == 2


def test_items_are_named_with_their_parts_and_modifiers() -> None:
    found = list(items(parse("#{deNumber001.combo000001}.periodOffset(-1) + V{enrollment_count} + [days]")))
    assert found == [
        Item("#", ("deNumber001", "combo000001"), (("periodOffset", (-1.0,)),)),
        Item("V", ("enrollment_count",)),
        Item("days", ()),
    ]


def test_a_description_keeps_the_writing_and_gives_the_names() -> None:
    assert describe("#{deNumber001}  /( 2 )", lambda item: "BCG doses") == "BCG doses  /( 2 )"


@pytest.mark.parametrize("text", ["1 +", "(1", "#{abc", "foo", "1 2", "if(1", ""])
def test_what_is_not_well_formed_is_said(text: str) -> None:
    with pytest.raises(BadExpression):
        parse(text)


@given(st.text(alphabet="0123456789+-*/^%()<>=!&|,. #{}aA\"'", max_size=40))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        tree = parse(text)
    except BadExpression:
        return
    list(items(tree))
