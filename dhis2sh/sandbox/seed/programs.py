"""A tracker program (pregnancies) and an event program (supervision), with rules, indicators and notifications."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dhis2sh.sandbox.seed.aggregate import add_data_element
from dhis2sh.sandbox.seed.book import french, part, ref, refs, uid
from dhis2sh.sandbox.store.fresh import DEFAULT_CATEGORY_COMBO

if TYPE_CHECKING:
    from dhis2sh.sandbox.seed.book import Book

TRACKER, EVENT, PERSON = "Pregnancy follow-up", "Supervision visit", "Pregnant woman"
ENROLMENT_STAGE, VISIT_STAGE, BIRTH_STAGE, SUPERVISION_STAGE = "First contact", "Antenatal visit", "Birth", EVENT

# (name, value type, option set): what events record, by stage.
STAGES: dict[str, tuple[tuple[str, str, str], ...]] = {
    ENROLMENT_STAGE: (
        ("Weeks of pregnancy", "INTEGER_POSITIVE", ""),
        ("Smokes", "BOOLEAN", ""),
        ("Previous pregnancies", "INTEGER_ZERO_OR_POSITIVE", ""),
    ),
    VISIT_STAGE: (
        ("Weight of the woman", "NUMBER", ""),
        ("Haemoglobin", "NUMBER", ""),
        ("Bed net given", "TRUE_ONLY", ""),
        ("Next appointment", "DATE", ""),
        ("Notes of the midwife", "LONG_TEXT", ""),
    ),
    BIRTH_STAGE: (
        ("Outcome of pregnancy", "TEXT", "Outcomes of pregnancy"),
        ("Weight at birth", "INTEGER_POSITIVE", ""),
        ("Apgar after 5 minutes", "INTEGER_ZERO_OR_POSITIVE", ""),
        ("Apgar remark", "TEXT", ""),
    ),
    SUPERVISION_STAGE: (
        ("Registers up to date", "TEXT", "Yes, no, unknown"),
        ("Staff met", "INTEGER_ZERO_OR_POSITIVE", ""),
        ("Score of the checklist", "PERCENTAGE", ""),
        ("Advice given", "LONG_TEXT", ""),
    ),
}
# (name, short name, code, value type, option set)
ATTRIBUTES = (
    ("Registration number", "Reg. no.", "TEA_REG", "TEXT", ""),
    ("Given name", "Given name", "TEA_GIVEN", "TEXT", ""),
    ("Family name", "Family name", "TEA_FAMILY", "TEXT", ""),
    ("Date of birth", "Born on", "TEA_BIRTH", "AGE", ""),
    ("Phone number of the woman", "Phone", "TEA_PHONE", "PHONE_NUMBER", ""),
    ("Sex of the person", "Sex", "TEA_SEX", "TEXT", "Sexes"),
)
_VARIABLES = {
    "weeks": "Weeks of pregnancy",
    "haemoglobin": "Haemoglobin",
    "smokes": "Smokes",
    "weight_at_birth": "Weight at birth",
    "apgar": "Apgar after 5 minutes",
    "apgar_remark": "Apgar remark",
    "outcome": "Outcome of pregnancy",
}
# (name, condition, action, the action's field, text).
# `!#{apgar}` is broken on purpose: 2.42 wants a truth value after `!`.
_RULES = (
    ("Warn of anaemia", "#{haemoglobin} < 9", "SHOWWARNING", "Haemoglobin", "Haemoglobin is low: refer"),
    ("Haemoglobin is possible", "#{haemoglobin} > 25", "SHOWERROR", "Haemoglobin", "Haemoglobin is never above 25"),
    ("Hide the Apgar remark", "#{apgar} > 7", "HIDEFIELD", "Apgar remark", ""),
    ("Ask for the Apgar score", "!#{apgar} && #{outcome} == 'LIVE'", "SETMANDATORYFIELD", "Apgar after 5 minutes", ""),
    ("Remark for a low score", "#{apgar} < 4 && !#{apgar_remark}", "SHOWWARNING", "Apgar remark", "Say why it is low"),
    ("Small child", "d2:hasValue(#{weight_at_birth}) && #{weight_at_birth} < 2500", "DISPLAYTEXT", "", "Below 2,500 g"),
    ("Weeks are possible", "#{weeks} > 45", "SHOWERROR", "Weeks of pregnancy", "No pregnancy takes so long"),
)


def element(name: str) -> str:
    """The UID of a data element of the programs."""
    return uid(f"dataElements/{name}")


def add_programs(book: Book) -> None:
    """Everything of both programs. Their organisation units come later."""
    _add_attributes_and_type(book)
    number = 0
    for fields in STAGES.values():
        for name, kind, options in fields:
            number += 1
            numeric = kind in {"NUMBER", "PERCENTAGE"} or kind.startswith("INTEGER")
            more: dict[str, object] = {"valueType": kind, "aggregationType": "AVERAGE" if numeric else "NONE"}
            if options:
                more["optionSet"] = ref(book.id("optionSets", options))
            add_data_element(book, name, name, f"DE_T{number:02d}", domainType="TRACKER", **more)
    tracked = [name for fields in STAGES.values() for name, _, _ in fields]
    book.add(
        "dataElementGroups", "Tracker", shortName="Tracker", dataElements=refs([element(name) for name in tracked])
    )
    _add_notifications(book)
    for order, stage in enumerate(STAGES):
        _add_stage(book, stage, order)
    _add_program(book, TRACKER, [ENROLMENT_STAGE, VISIT_STAGE, BIRTH_STAGE], registration=True)
    _add_program(book, EVENT, [SUPERVISION_STAGE], registration=False)
    _add_program_rules(book)
    _add_program_indicators(book)
    _add_relationship_type(book)


def _add_attributes_and_type(book: Book) -> None:
    for order, (name, short, code, kind, options) in enumerate(ATTRIBUTES, 1):
        more: dict[str, object] = {"optionSet": ref(book.id("optionSets", options))} if options else {}
        unique = code == "TEA_REG"
        book.add(
            "trackedEntityAttributes",
            name,
            shortName=short,
            code=code,
            valueType=kind,
            aggregationType="NONE",
            legendSets=[],
            inherit=False,
            displayOnVisitSchedule=False,
            sortOrderInVisitSchedule=0,
            displayInListNoProgram=order <= 3,
            sortOrderInListNoProgram=order,
            confidential=False,
            unique=unique,
            generated=unique,
            pattern="SEQUENTIAL(#######)" if unique else "",
            orgunitScope=False,
            skipSynchronization=False,
            **more,
        )
    person = uid(f"trackedEntityTypes/{PERSON}")
    book.add(
        "trackedEntityTypes",
        PERSON,
        shortName=PERSON,
        description="A woman who expects a child",
        translations=french("Femme enceinte"),
        featureType="POINT",
        minAttributesRequiredToSearch=1,
        maxTeiCountToReturn=0,
        allowAuditLog=True,
        trackedEntityTypeAttributes=[
            part(
                f"{person}/{name}",
                name=f"{PERSON} {name}",
                displayName=f"{PERSON} {name}",
                trackedEntityType=ref(person),
                trackedEntityAttribute=ref(book.id("trackedEntityAttributes", name)),
                valueType=kind,
                displayInList=True,
                mandatory=name == "Given name",
                searchable=True,
            )
            for name, _, _, kind, _ in ATTRIBUTES[:4]
        ],
    )


def _add_stage(book: Book, stage: str, order: int) -> None:
    identifier = uid(f"programStages/{stage}")
    program = EVENT if stage == SUPERVISION_STAGE else TRACKER
    sections: list[str] = []
    if stage == VISIT_STAGE:
        fields = [name for name, _, _ in STAGES[stage]]
        for at, (name, inside) in enumerate((("Examination", fields[:2]), ("Advice", fields[2:]))):
            elements = refs([element(field) for field in inside])
            more = {"programStage": ref(identifier), "sortOrder": at, "programIndicators": [], "dataElements": elements}
            sections.append(book.add("programStageSections", name, **more))
    flags = (
        "blockEntryForm preGenerateUID remindCompleted generatedByEnrollmentDate allowGenerateNextVisit "
        "openAfterEnrollment hideDueDate enableUserAssignment referral"
    )
    book.add(
        "programStages",
        stage,
        description=f"{stage}: what is recorded",
        program=ref(uid(f"programs/{program}")),
        minDaysFromStart=28 * order if program == TRACKER else 0,
        repeatable=stage in {VISIT_STAGE, SUPERVISION_STAGE},
        autoGenerateEvent=stage != VISIT_STAGE,
        displayGenerateEventBox=stage == VISIT_STAGE,
        executionDateLabel="Date of the visit",
        validationStrategy="ON_UPDATE_AND_INSERT",
        featureType="POINT" if stage == SUPERVISION_STAGE else "NONE",
        sortOrder=order + 1,
        programStageSections=refs(sections),
        notificationTemplates=refs(book.ids("programNotificationTemplates", "Appointment missed"))
        if stage == VISIT_STAGE
        else [],
        programStageDataElements=[
            part(
                f"{identifier}/{name}",
                programStage=ref(identifier),
                dataElement=ref(element(name)),
                compulsory=at == 0,
                allowProvidedElsewhere=False,
                sortOrder=at,
                displayInReports=at < 2,
                allowFutureDate=name == "Next appointment",
                renderOptionsAsRadio=bool(options),
                skipSynchronization=False,
                skipAnalytics=False,
            )
            for at, (name, _, options) in enumerate(STAGES[stage])
        ],
        **dict.fromkeys(flags.split(), False),
    )


def _add_program(book: Book, name: str, stages: list[str], *, registration: bool) -> None:
    identifier = uid(f"programs/{name}")
    sections: list[str] = []
    if registration:
        attributes = refs(book.ids("trackedEntityAttributes", "Given name", "Family name", "Date of birth"))
        more = {"program": ref(identifier), "sortOrder": 0, "trackedEntityAttributes": attributes}
        sections.append(book.add("programSections", "Who she is", **more))
    flags = "ignoreOverdueEvents selectEnrollmentDatesInFuture selectIncidentDatesInFuture skipOffline"
    zeros = "expiryDays completeEventsExpiryDays openDaysAfterCoEndDate maxTeiCountToReturn"
    of_persons: dict[str, object] = {"trackedEntityType": ref(book.id("trackedEntityTypes", PERSON))}
    book.add(
        "programs",
        name,
        shortName=name,
        code="PR_PREGNANCY" if registration else "PR_SUPERVISION",
        version=1,
        programType="WITH_REGISTRATION" if registration else "WITHOUT_REGISTRATION",
        enrollmentDateLabel="Date of registration",
        incidentDateLabel="Last period",
        displayIncidentDate=registration,
        onlyEnrollOnce=False,
        notificationTemplates=refs(book.ids("programNotificationTemplates", "Welcome")) if registration else [],
        categoryCombo=ref(DEFAULT_CATEGORY_COMBO),
        displayFrontPageList=True,
        useFirstStageDuringRegistration=registration,
        featureType="NONE",
        minAttributesRequiredToSearch=1,
        accessLevel="OPEN",
        style={"color": "#ad1457", "icon": "pregnant_positive"} if registration else {"color": "#1565c0"},
        organisationUnits=[],
        programStages=refs(book.ids("programStages", *stages)),
        programSections=refs(sections),
        programTrackedEntityAttributes=[
            part(
                f"{identifier}/{attribute}",
                name=f"{name} {attribute}",
                displayName=f"{name} {attribute}",
                program=ref(identifier),
                trackedEntityAttribute=ref(book.id("trackedEntityAttributes", attribute)),
                valueType=kind,
                displayInList=order < 4,
                sortOrder=order,
                mandatory=attribute == "Given name",
                allowFutureDate=False,
                renderOptionsAsRadio=False,
                searchable=True,
                skipIndividualAnalytics=False,
            )
            for order, (attribute, _, _, kind, _) in enumerate(ATTRIBUTES if registration else (), 1)
        ],
        categoryMappings=[],
        translations=french("Suivi de grossesse" if registration else "Visite de supervision"),
        **(
            dict.fromkeys(flags.split(), False) | dict.fromkeys(zeros.split(), 0) | (of_persons if registration else {})
        ),
    )


def _add_program_rules(book: Book) -> None:
    program = ref(book.id("programs", TRACKER))
    kinds = {name: kind for fields in STAGES.values() for name, kind, _ in fields}
    for variable, name in _VARIABLES.items():
        book.add(
            "programRuleVariables",
            variable,
            program=program,
            dataElement=ref(element(name)),
            useCodeForOptionSet=True,
            programRuleVariableSourceType="DATAELEMENT_NEWEST_EVENT_PROGRAM",
            valueType=kinds[name],
        )
    for priority, (name, condition, kind, field, text) in enumerate(_RULES, 1):
        rule = uid(f"programRules/{name}")
        more: dict[str, object] = {"dataElement": ref(element(field))} if field else {"location": "feedback"}
        if text:
            more["content"] = text
        action = book.add(
            "programRuleActions",
            name,
            programRule=ref(rule),
            programRuleActionType=kind,
            evaluationTime="ALWAYS",
            **more,
        )
        book.objects["programRuleActions"][-1].pop("name")
        book.add(
            "programRules",
            name,
            program=program,
            condition=condition,
            priority=priority,
            description=f"{name}.",
            programRuleActions=refs([action]),
        )


def _add_program_indicators(book: Book) -> None:
    birth, visit = uid(f"programStages/{BIRTH_STAGE}"), uid(f"programStages/{VISIT_STAGE}")
    supervision = uid(f"programStages/{SUPERVISION_STAGE}")
    weight, blood = element("Weight at birth"), element("Haemoglobin")
    score = element("Score of the checklist")
    rows = (
        ("Mean weight at birth", "AVERAGE", f"#{{{birth}.{weight}}}", "V{event_count} > 0", TRACKER, "EVENT"),
        ("Visits with anaemia", "COUNT", "V{event_count}", f"#{{{visit}.{blood}}} < 9", TRACKER, "EVENT"),
        ("Women registered", "COUNT", "V{enrollment_count}", "", TRACKER, "ENROLLMENT"),
        ("Mean score of supervision", "AVERAGE", f"#{{{supervision}.{score}}}", "", EVENT, "EVENT"),
    )
    for at, (name, aggregation, expression, condition, program, kind) in enumerate(rows, 1):
        more = {"filter": condition} if condition else {}
        target = "ENROLLMENT_DATE" if kind == "ENROLLMENT" else "EVENT_DATE"
        book.add(
            "programIndicators",
            name,
            shortName=name,
            code=f"PI_{at:02d}",
            aggregationType=aggregation,
            program=ref(book.id("programs", program)),
            expression=expression,
            displayInForm=True,
            analyticsType=kind,
            decimals=1,
            legendSets=[],
            categoryCombo=ref(DEFAULT_CATEGORY_COMBO),
            attributeCombo=ref(DEFAULT_CATEGORY_COMBO),
            categoryMappingIds=[],
            analyticsPeriodBoundaries=[
                part(f"boundary/{name}/{edge}", boundaryTarget=target, analyticsPeriodBoundaryType=edge)
                for edge in ("AFTER_START_OF_REPORTING_PERIOD", "BEFORE_END_OF_REPORTING_PERIOD")
            ],
            **more,
        )
    members = refs(book.ids("programIndicators", *(row[0] for row in rows)))
    book.add(
        "programIndicatorGroups", "Pregnancies and visits", description="Of both programs", programIndicators=members
    )


def _add_notifications(book: Book) -> None:
    given = uid("trackedEntityAttributes/Given name")
    for name, trigger, recipient, message, more in (
        ("Welcome", "ENROLLMENT", "TRACKED_ENTITY_INSTANCE", f"Welcome A{{{given}}} to V{{program_name}}.", {}),
        (
            "Appointment missed",
            "SCHEDULED_DAYS_DUE_DATE",
            "USER_GROUP",
            f"A{{{given}}} missed the visit at V{{org_unit_name}}.",
            {"relativeScheduledDays": 2, "recipientUserGroup": ref(book.id("userGroups", "Data managers"))},
        ),
    ):
        book.add(
            "programNotificationTemplates",
            name,
            subjectTemplate=name,
            messageTemplate=message,
            notificationTrigger=trigger,
            notificationRecipient=recipient,
            deliveryChannels=["SMS"] if recipient.startswith("TRACKED") else [],
            notifyUsersInHierarchyOnly=False,
            notifyParentOrganisationUnitOnly=False,
            sendRepeatable=False,
            **more,
        )


def _add_relationship_type(book: Book) -> None:
    person = ref(book.id("trackedEntityTypes", PERSON))
    side = {"relationshipEntity": "TRACKED_ENTITY_INSTANCE", "trackedEntityType": person}
    book.add(
        "relationshipTypes",
        "Mother and daughter",
        code="RT_MOTHER",
        description="Both are followed",
        bidirectional=True,
        referral=False,
        fromToName="Mother of",
        toFromName="Daughter of",
        fromConstraint={**side, "program": ref(book.id("programs", TRACKER))},
        toConstraint=dict(side),
    )
