"""What facilities report: categories, data elements, data sets, and what is computed from them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from dhis2sh.sandbox.seed.book import french, part, ref, refs, shared_with, uid
from dhis2sh.sandbox.store.fresh import (
    DEFAULT_CATEGORY,
    DEFAULT_CATEGORY_COMBO,
    DEFAULT_CATEGORY_OPTION,
    DEFAULT_OPTION_COMBO,
)

if TYPE_CHECKING:
    from dhis2sh.sandbox.seed.book import Book

WATER = ("PIPED", "BOREHOLE", "WELL", "RIVER")


@dataclass(frozen=True, slots=True)
class Element:
    """A data element that facilities report. `mean` is usual for a month; `choices` are no numbers."""

    name: str
    short: str
    data_set: str
    section: str = ""
    combo: str = "default"
    type: str = "INTEGER_ZERO_OR_POSITIVE"
    aggregation: str = "SUM"
    mean: float = 0.0
    choices: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The UID."""
        return uid(f"dataElements/{self.name}")


_UNDER5, _AGE_SEX = "Age under five", "Age and sex"
MONTHLY, STOCK, WEEKLY = "Health facility monthly report", "Vaccine stock", "Weekly disease surveillance"
FINANCE = "Facility finance"

ELEMENTS = (
    Element("Pentavalent 1st dose", "Penta 1", MONTHLY, "Child immunisation", _UNDER5, mean=24),
    Element("Pentavalent 3rd dose", "Penta 3", MONTHLY, "Child immunisation", _UNDER5, mean=20),
    Element("Measles-rubella 1st dose", "MR 1", MONTHLY, "Child immunisation", _UNDER5, mean=19),
    Element("Tuberculosis vaccine at birth", "TB vaccine", MONTHLY, "Child immunisation", _UNDER5, mean=26),
    Element("Malaria cases tested", "Malaria tested", MONTHLY, "Outpatients", _AGE_SEX, mean=16),
    Element("Malaria cases confirmed", "Malaria conf", MONTHLY, "Outpatients", _AGE_SEX, mean=8),
    Element("Outpatient visits", "OPD visits", MONTHLY, "Outpatients", _AGE_SEX, mean=45),
    Element("Antenatal 1st visit", "ANC 1", MONTHLY, "Maternal health", mean=30),
    Element("Antenatal 4th visit", "ANC 4", MONTHLY, "Maternal health", mean=19),
    Element("Deliveries in facility", "Deliveries", MONTHLY, "Maternal health", mean=17),
    Element("Live births", "Live births", MONTHLY, "Maternal health", mean=16),
    Element("Stillbirths", "Stillbirths", MONTHLY, "Maternal health", mean=0.6),
    Element(
        "Average birth weight",
        "Birth weight",
        MONTHLY,
        "Maternal health",
        type="NUMBER",
        aggregation="AVERAGE",
        mean=3100,
    ),
    Element("Bed occupancy", "Bed occupancy", MONTHLY, "Facility", type="PERCENTAGE", aggregation="AVERAGE", mean=48),
    Element("Staff on duty", "Staff", MONTHLY, "Facility", type="INTEGER_POSITIVE", aggregation="AVERAGE", mean=9),
    Element("Main water source", "Water source", MONTHLY, "Facility", type="TEXT", aggregation="NONE", choices=WATER),
    Element(
        "Cold chain working",
        "Cold chain",
        MONTHLY,
        "Facility",
        type="BOOLEAN",
        aggregation="NONE",
        choices=("true", "true", "false"),
    ),
    Element(
        "Date of last supervision",
        "Supervised on",
        MONTHLY,
        "Facility",
        type="DATE",
        aggregation="NONE",
        choices=("{year}-01-14", "{year}-03-02", "{year}-06-19"),
    ),
    Element(
        "Remarks of the facility",
        "Remarks",
        MONTHLY,
        "Facility",
        type="LONG_TEXT",
        aggregation="NONE",
        choices=("Nothing to report", "Generator broken; Łukasz’s bridge flooded", "Réunion du comité"),
    ),
    Element(
        "Population under 1 year", "Pop < 1", MONTHLY, "Facility", type="INTEGER_POSITIVE", aggregation="LAST", mean=560
    ),
    Element("Penta vials received", "Vials received", STOCK, mean=60),
    Element("Penta vials used", "Vials used", STOCK, mean=42),
    Element("Penta vials at end of month", "Vials at end", STOCK, type="INTEGER", aggregation="LAST", mean=35),
    Element("Fridge temperature", "Fridge °C", STOCK, type="NUMBER", aggregation="AVERAGE", mean=5),
    Element("Suspected measles cases", "Measles suspected", WEEKLY, mean=1.4),
    Element("Suspected cholera cases", "Cholera suspected", WEEKLY, mean=0.7),
    Element("Acute watery diarrhoea cases", "AWD cases", WEEKLY, mean=5),
    Element("Fever cases", "Fever cases", WEEKLY, mean=14),
    Element("Running costs", "Running costs", FINANCE, type="NUMBER", mean=900),
)

# (name, short name, value type): not reported, but kept in the dictionary.
OTHER_ELEMENTS = (
    ("Malaria, cases confirmed", "Malaria confirmed", "INTEGER_ZERO_OR_POSITIVE"),  # a near duplicate, in no group
    ("Predicted antenatal visits", "ANC predicted", "NUMBER"),
    ("Number of beds", "Beds", "INTEGER_POSITIVE"),
    ("Ambulance available", "Ambulance", "TRUE_ONLY"),
    ("Facility web page", "Web page", "URL"),
    ("Opening time", "Opening time", "TIME"),
    ("Share of stock expired", "Share expired", "UNIT_INTERVAL"),
    ("Position of the ambulance", "Ambulance at", "COORDINATE"),
    ("Scanned report", "Scanned report", "FILE_RESOURCE"),
)
_CATEGORIES = {
    "Age group": ("DISAGGREGATION", "Âge", ("0-4 years", "5-14 years", "15 years and over")),
    "Sex": ("DISAGGREGATION", "Sexe", ("Female", "Male")),
    "Age of child": ("DISAGGREGATION", "Âge de l’enfant", ("Under 1 year", "1-4 years")),
    "Funding source": ("ATTRIBUTE", "Source de financement", ("Ministry", "Donor", "Community")),
}
_COMBOS = {_AGE_SEX: ("Age group", "Sex"), _UNDER5: ("Age of child",), "Funding": ("Funding source",)}


def option_combos(combo: str) -> list[str]:
    """The UIDs of the category option combos of a category combo, in the order of its options."""
    return [uid(f"categoryOptionCombos/{combo}/{', '.join(options)}") for options in _cells(combo)] or [
        DEFAULT_OPTION_COMBO
    ]


def _cells(combo: str) -> list[tuple[str, ...]]:
    categories = _COMBOS.get(combo)
    return list(product(*(_CATEGORIES[name][2] for name in categories))) if categories else []


def add_categories(book: Book) -> None:
    """The default category model with its fixed UIDs, and four categories with every combination of their options."""
    _add_default_categories(book)
    for name, (dimension, translated, options) in _CATEGORIES.items():
        for option in options:
            code = f"CO_{option.upper().replace(' ', '_')}"
            book.add("categoryOptions", option, shortName=option, code=code, organisationUnits=[])
        members = refs(book.ids("categoryOptions", *options))
        book.add(
            "categories",
            name,
            shortName=name,
            dataDimensionType=dimension,
            dataDimension=True,
            categoryOptions=members,
            translations=french(translated),
        )
    for name, categories in _COMBOS.items():
        dimension = _CATEGORIES[categories[0]][0]
        owned = refs(book.ids("categories", *categories))
        combo = book.add("categoryCombos", name, dataDimensionType=dimension, skipTotal=False, categories=owned)
        for options in _cells(name):
            label = ", ".join(options)
            members = refs(book.ids("categoryOptions", *options))
            book.add(
                "categoryOptionCombos",
                label,
                key=f"{name}/{label}",
                categoryCombo=ref(combo),
                categoryOptions=members,
                ignoreApproval=False,
            )
    book.add(
        "categoryOptionGroups",
        "Outside funding",
        shortName="Outside funding",
        dataDimensionType="ATTRIBUTE",
        categoryOptions=refs(book.ids("categoryOptions", "Donor", "Community")),
    )
    book.add(
        "categoryOptionGroupSets",
        "Origin of funding",
        shortName="Origin of funding",
        dataDimensionType="ATTRIBUTE",
        dataDimension=True,
        categoryOptionGroups=refs(book.ids("categoryOptionGroups", "Outside funding")),
    )


def _add_default_categories(book: Book) -> None:
    kind = {"dataDimensionType": "DISAGGREGATION"}
    book.add(
        "categoryOptions",
        "default",
        id=DEFAULT_CATEGORY_OPTION,
        code="default",
        shortName="default",
        organisationUnits=[],
    )
    owned = refs([DEFAULT_CATEGORY_OPTION])
    book.add(
        "categories",
        "default",
        id=DEFAULT_CATEGORY,
        code="default",
        shortName="default",
        dataDimension=False,
        categoryOptions=owned,
        **kind,
    )
    book.add(
        "categoryCombos",
        "default",
        id=DEFAULT_CATEGORY_COMBO,
        code="default",
        categories=refs([DEFAULT_CATEGORY]),
        skipTotal=False,
        **kind,
    )
    book.add(
        "categoryOptionCombos",
        "default",
        id=DEFAULT_OPTION_COMBO,
        code="default",
        categoryCombo=ref(DEFAULT_CATEGORY_COMBO),
        categoryOptions=owned,
        ignoreApproval=False,
    )


def add_data_element(book: Book, name: str, short: str, code: str, **more: object) -> str:
    """One data element with the defaults of a number that is summed up."""
    properties: dict[str, object] = {
        "shortName": short,
        "code": code,
        "aggregationType": "SUM",
        "valueType": "INTEGER_ZERO_OR_POSITIVE",
        "domainType": "AGGREGATE",
        "aggregationLevels": [],
        "zeroIsSignificant": False,
        "legendSets": [],
        "categoryCombo": ref(DEFAULT_CATEGORY_COMBO),
    }
    return book.add("dataElements", name, **(properties | more))


def add_data_elements(book: Book) -> None:
    """The data elements, their groups and their group set. One is in no group, on purpose."""
    for at, element in enumerate(ELEMENTS):
        more: dict[str, object] = {
            "aggregationType": element.aggregation,
            "valueType": element.type,
            "categoryCombo": ref(book.id("categoryCombos", element.combo)),
            "zeroIsSignificant": element.mean < 2 and not element.choices,
            "description": f"{element.name}, as the facility's register has it.",
        }
        if element.choices == WATER:
            more["optionSet"] = ref(book.id("optionSets", "Water sources"))
        if element.name == "Pentavalent 3rd dose":
            more |= {"legendSets": refs([book.id("legendSets", "Coverage")]), "formName": "Third dose (Penta)"}
            more["translations"] = french("Pentavalent, troisième dose", "Penta 3e dose")
        add_data_element(book, element.name, element.short, f"DE_{at + 1:03d}", **more)
    for at, (name, short, kind) in enumerate(OTHER_ELEMENTS, len(ELEMENTS)):
        number = kind not in {"TRUE_ONLY", "URL", "TIME", "COORDINATE", "FILE_RESOURCE"}
        aggregation = "SUM" if number else "NONE"
        add_data_element(book, name, short, f"DE_{at + 1:03d}", valueType=kind, aggregationType=aggregation)
    grouped: dict[str, list[str]] = {}
    for element in ELEMENTS:
        grouped.setdefault(element.section or element.data_set, []).append(element.id)
    grouped["Facility"] += book.ids("dataElements", *(name for name, _, _ in OTHER_ELEMENTS[1:]))
    for name, members in grouped.items():
        book.add(
            "dataElementGroups",
            name,
            shortName=name,
            code=f"DEG_{name.upper().replace(' ', '_')}",
            dataElements=refs(members),
        )
    inside = refs(book.ids("dataElementGroups", *grouped))
    book.add(
        "dataElementGroupSets",
        "Area of work",
        shortName="Area of work",
        compulsory=False,
        dataDimension=True,
        dataElementGroups=inside,
    )


def add_data_set(book: Book, name: str, short: str, elements: list[str], **more: object) -> str:
    """One data set; its organisation units come later."""
    properties: dict[str, object] = {
        "shortName": short,
        "periodType": "Monthly",
        "categoryCombo": ref(DEFAULT_CATEGORY_COMBO),
        "dataSetElements": [
            {"dataSet": ref(uid(f"dataSets/{name}")), "dataElement": ref(identifier)} for identifier in elements
        ],
        "dataInputPeriods": [],
        "indicators": [],
        "compulsoryDataElementOperands": [],
        "legendSets": [],
        "organisationUnits": [],
        "mobile": False,
        "version": 1,
        "expiryDays": 0.0,
        "timelyDays": 15.0,
        "openFuturePeriods": 0,
        "openPeriodsAfterCoEndDate": 0,
        "displayOptions": "{}",
    }
    flags = (
        "notifyCompletingUser fieldCombinationRequired validCompleteOnly noValueRequiresComment skipOffline "
        "dataElementDecoration renderAsTabs renderHorizontally compulsoryFieldsCompleteOnly"
    )
    return book.add("dataSets", name, **(properties | dict.fromkeys(flags.split(), False) | more))


def add_data_sets(book: Book) -> None:
    """A monthly data set with sections, one with its own entry form, a weekly one, one with an attribute combo."""
    members = {name: [e for e in ELEMENTS if e.data_set == name] for name in (MONTHLY, STOCK, WEEKLY, FINANCE)}
    ids = {name: [e.id for e in found] for name, found in members.items()}
    compulsory = uid("dataElements/Deliveries in facility")
    operand = part(f"operand/{compulsory}", dataElement=ref(compulsory), categoryOptionCombo=ref(DEFAULT_OPTION_COMBO))
    add_data_set(
        book,
        MONTHLY,
        "Monthly report",
        ids[MONTHLY],
        code="DS_MONTHLY",
        compulsoryDataElementOperands=[operand],
        indicators=refs(book.ids("indicators", "Immunisation dropout")),
        workflow=ref(book.id("dataApprovalWorkflows", "District approval")),
        style={"color": "#2e7d32", "icon": "child_program_outline"},
        translations=french("Rapport mensuel de l’établissement"),
    )
    cells = "".join(f'<input id="{e.id}-{DEFAULT_OPTION_COMBO}-val" />' for e in members[STOCK])
    form = book.add(
        "dataEntryForms", STOCK, style="NORMAL", format=2, htmlCode=f"<p>Stock at the end of the month</p>{cells}"
    )
    add_data_set(book, STOCK, "Vaccine stock", ids[STOCK], code="DS_STOCK", dataEntryForm=ref(form))
    add_data_set(book, WEEKLY, "Weekly", ids[WEEKLY], code="DS_WEEKLY", periodType="Weekly", timelyDays=3.0)
    add_data_set(
        book,
        FINANCE,
        "Finance",
        ids[FINANCE],
        code="DS_FINANCE",
        categoryCombo=ref(book.id("categoryCombos", "Funding")),
    )
    _add_sections(book, members[MONTHLY])
    _add_notification(book)


def _add_sections(book: Book, members: list[Element]) -> None:
    sections = {e.section: None for e in members}
    for order, name in enumerate(sections):
        inside = refs([e.id for e in members if e.section == name])
        greyed: list[object] = []
        if name == "Child immunisation":
            grey, cell = uid("dataElements/Tuberculosis vaccine at birth"), option_combos(_UNDER5)[1]
            greyed = [part("", id=f"{grey}.{cell}", dataElement=ref(grey), categoryOptionCombo=ref(cell))]
        book.add(
            "sections",
            name,
            dataSet=ref(book.id("dataSets", MONTHLY)),
            dataElements=inside,
            indicators=[],
            greyedFields=greyed,
            sortOrder=order,
            showRowTotals=False,
            showColumnTotals=False,
            disableDataElementAutoGroup=False,
            displayOptions="{}",
        )


def _add_notification(book: Book) -> None:
    book.add(
        "dataSetNotificationTemplates",
        "Monthly report completed",
        messageTemplate="V{current_date}: the report of V{complete_registration_ou} is complete.",
        dataSetNotificationTrigger="DATA_SET_COMPLETION",
        notificationRecipient="USER_GROUP",
        recipientUserGroup=ref(book.id("userGroups", "Data managers")),
        sendStrategy="SINGLE_NOTIFICATION",
        relativeScheduledDays=0,
        deliveryChannels=[],
        dataSets=refs(book.ids("dataSets", MONTHLY)),
        notifyUsersInHierarchyOnly=False,
        notifyParentOrganisationUnitOnly=False,
    )


def add_approval(book: Book) -> None:
    """Two approval levels and a workflow."""
    for level, (name, org_unit_level) in enumerate((("Country", 1), ("District", 3)), 1):
        book.add("dataApprovalLevels", name, level=level, orgUnitLevel=org_unit_level)
    book.add(
        "dataApprovalWorkflows",
        "District approval",
        periodType="Monthly",
        categoryCombo=ref(DEFAULT_CATEGORY_COMBO),
        dataApprovalLevels=refs(book.ids("dataApprovalLevels", "Country", "District")),
    )


def add_indicators(book: Book) -> None:
    """Indicator types, indicators, a group and a group set."""
    for name, factor, number in (("Number", 1, True), ("Per cent", 100, False), ("Per 1,000", 1000, False)):
        book.add("indicatorTypes", name, factor=factor, number=number)
    one, three = (f"#{{{uid('dataElements/Pentavalent ' + dose)}}}" for dose in ("1st dose", "3rd dose"))
    population = f"#{{{uid('dataElements/Population under 1 year')}}}"
    still, births = (f"#{{{uid('dataElements/' + name)}}}" for name in ("Stillbirths", "Live births"))
    rows = (
        ("Pentavalent 3rd dose coverage", "Penta 3 coverage", "Per cent", three, population, "Couverture Penta 3"),
        ("Immunisation dropout", "Penta dropout", "Per cent", f"({one}-{three})", one, "Abandon de la vaccination"),
        ("Stillbirth rate", "Stillbirth rate", "Per 1,000", still, f"({still}+{births})", "Taux de mortinatalité"),
        ("Children reached", "Children reached", "Number", f"{one}+{three}", "1", "Enfants atteints"),
    )
    for name, short, kind, numerator, denominator, translated in rows:
        book.add(
            "indicators",
            name,
            shortName=short,
            code=f"IN_{short.upper().replace(' ', '_')}",
            annualized="coverage" in name,
            indicatorType=ref(book.id("indicatorTypes", kind)),
            numerator=numerator,
            numeratorDescription=f"{name}: counted",
            denominator=denominator,
            denominatorDescription=f"{name}: of",
            legendSets=[],
            translations=french(translated),
        )
    group = book.add(
        "indicatorGroups", "Key indicators", indicators=refs(book.ids("indicators", *(row[0] for row in rows)))
    )
    book.add("indicatorGroupSets", "Purpose", shortName="Purpose", compulsory=False, indicatorGroups=refs([group]))


def _expression(expression: str, description: str, missing: str = "SKIP_IF_ANY_VALUE_MISSING") -> dict[str, object]:
    return {
        "translations": [],
        "expression": expression,
        "description": description,
        "displayDescription": description,
        "slidingWindow": False,
        "missingValueStrategy": missing,
    }


# (name, left, operator, right, importance): what the values of some facilities violate.
RULES = (
    (
        "Third doses are not more than first doses",
        "Pentavalent 3rd dose",
        "less_than_or_equal_to",
        "Pentavalent 1st dose",
        "HIGH",
    ),
    (
        "Fourth visits are not more than first visits",
        "Antenatal 4th visit",
        "less_than_or_equal_to",
        "Antenatal 1st visit",
        "MEDIUM",
    ),
    (
        "Confirmed malaria is not more than tested",
        "Malaria cases confirmed",
        "less_than_or_equal_to",
        "Malaria cases tested",
        "HIGH",
    ),
    ("Births are not more than deliveries", "Live births", "less_than_or_equal_to", "Deliveries in facility", "LOW"),
)


def add_rules(book: Book) -> None:
    """Validation rules with a group, predictors with a group."""
    for name, left, operator, right, importance in RULES:
        sides = {
            side: _expression(f"#{{{uid('dataElements/' + of)}}}", of)
            for side, of in (("leftSide", left), ("rightSide", right))
        }
        book.add(
            "validationRules",
            name,
            description=f"{name}.",
            importance=importance,
            operator=operator,
            periodType="Monthly",
            skipFormValidation=False,
            organisationUnitLevels=[4],
            instruction="Compare the report with the register.",
            **sides,
        )
    book.add(
        "validationRuleGroups",
        "Monthly checks",
        description="Run before approval",
        validationRules=refs(book.ids("validationRules", *(rule[0] for rule in RULES))),
    )
    anc = uid("dataElements/Antenatal 1st visit")
    for name, short, call in (
        ("Antenatal visits, average of 3 months", "ANC avg 3m", "avg"),
        ("Antenatal visits, sum of 3 months", "ANC sum 3m", "sum"),
    ):
        book.add(
            "predictors",
            name,
            shortName=short,
            output=ref(uid("dataElements/Predicted antenatal visits")),
            outputCombo=ref(DEFAULT_OPTION_COMBO),
            generator=_expression(f"{call}(#{{{anc}}})", name, "SKIP_IF_ALL_VALUES_MISSING"),
            periodType="Monthly",
            organisationUnitLevels=refs(book.ids("organisationUnitLevels", "Facility")),
            organisationUnitDescendants="SELECTED",
            sequentialSampleCount=3,
            annualSampleCount=0,
            sequentialSkipCount=0,
        )
    book.add(
        "predictorGroups",
        "Monthly predictions",
        description="Run on the 10th of each month",
        predictors=refs(
            book.ids("predictors", "Antenatal visits, average of 3 months", "Antenatal visits, sum of 3 months")
        ),
    )


def add_sharing(book: Book) -> None:
    """Sharing with user groups, on top of the public access that every object has."""
    book.get("dataSets", MONTHLY)["sharing"] = shared_with(book.id("userGroups", "Data managers"), "rwrw----")
    book.get("indicators", "Stillbirth rate")["sharing"] = shared_with(
        book.id("userGroups", "Analysts"), "r-------", public="--------"
    )
