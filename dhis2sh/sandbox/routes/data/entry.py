"""`/api/dataEntry/metadata`: everything that a data entry form needs, in one answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import Response

from dhis2sh.sandbox.data.model import Model, reference, references
from dhis2sh.sandbox.http.answers import answer
from dhis2sh.sandbox.http.routing import Route
from dhis2sh.sandbox.metadata.fields import parse_fields

if TYPE_CHECKING:
    from dhis2sh.sandbox.routes.server import Server
    from dhis2sh.types import JsonObject, JsonValue

_NAMED = "id,code,name,created,lastUpdated,displayName"
FIELDS = {
    "dataSets": (
        f"{_NAMED},shortName,dimensionItemType,periodType,dataInputPeriods,indicators,compulsoryDataElementOperands,"
        "categoryCombo,mobile,dataEntryForm,version,expiryDays,timelyDays,notifyCompletingUser,openFuturePeriods,"
        "openPeriodsAfterCoEndDate,fieldCombinationRequired,validCompleteOnly,noValueRequiresComment,skipOffline,"
        "dataElementDecoration,renderAsTabs,renderHorizontally,compulsoryFieldsCompleteOnly,displayOptions,formType,"
        "favorite,dimensionItem,displayShortName,displayFormName,dataSetElements[dataElement[id],categoryCombo[id]],"
        "organisationUnits,sections[id,name,created,lastUpdated,description,dataElements,indicators,greyedFields"
        "[dataElement[id],categoryOptionCombo[id]],sortOrder,showRowTotals,showColumnTotals,"
        "disableDataElementAutoGroup,displayOptions,displayName,favorite]"
    ),
    "dataElements": (
        f"{_NAMED},lastUpdatedBy,description,aggregationType,valueType,zeroIsSignificant,displayShortName,"
        "displayFormName,categoryCombo[id],optionSet[id],commentOptionSet[id],url"
    ),
    "indicators": (
        f"{_NAMED},shortName,dimensionItemType,annualized,indicatorType[factor],numerator,numeratorDescription,"
        "denominator,explodedNumerator,explodedDenominator,displayNumeratorDescription,dimensionItem,"
        "displayShortName,favorite,displayFormName,description,displayDescription"
    ),
    "categoryCombos": f"{_NAMED},categories,dataDimensionType,skipTotal,favorite,isDefault",
    "categories": (
        f"{_NAMED},shortName,dimensionType,dataDimensionType,dataDimension,allItems,categoryOptions,dimension,"
        "displayShortName,favorite,displayFormName"
    ),
    "categoryOptions": (
        f"{_NAMED},shortName,dimensionItemType,startDate,endDate,organisationUnits,dimensionItem,displayShortName,"
        "favorite,displayFormName,isDefault"
    ),
    "optionSets": f"{_NAMED},valueType,version,options[id,code,name,displayName]",
}
_IDS_ONLY = {"indicators", "organisationUnits", "categories", "categoryOptions", "dataElements"}
"""Collections that this answer gives as bare UIDs."""


class Api:
    """The handlers. They are plain functions, so Starlette runs them in its threads and the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.store = server.store

    def metadata(self, request: Request) -> Response:
        """`GET /api/dataEntry/metadata`: the data sets that the user may enter data for, and what they are made of."""
        rights, model = self.server.rights(request), Model(self.store)
        sets = [uid for uid, body in self.store.objects("dataSets").items() if rights.can_write_data(body)]
        elements = [uid for each in sets for uid in model.elements_of[each]]
        of_elements = {model.category_combo(uid, data_set) for data_set in sets for uid in model.elements_of[data_set]}
        combos = of_elements | {reference(model.body("dataSets", uid), "categoryCombo") or "" for uid in sets}
        categories = [uid for combo in combos for uid in references(model.body("categoryCombos", combo), "categories")]
        options = [uid for each in categories for uid in references(model.body("categories", each), "categoryOptions")]
        option_sets = [
            uid
            for element in elements
            for name in ("optionSet", "commentOptionSet")
            if (uid := reference(model.body("dataElements", element), name))
        ]
        wanted: dict[str, Iterable[str]] = {
            "dataSets": sets,
            "dataElements": elements,
            "indicators": [uid for each in sets for uid in references(model.body("dataSets", each), "indicators")],
            "categoryCombos": sorted(combos),
            "categories": categories,
            "categoryOptions": options,
            "optionSets": option_sets,
        }
        body: JsonObject = {
            plural: [self._shown(request, model, plural, uid, of_elements) for uid in dict.fromkeys(uids)]
            for plural, uids in wanted.items()
        }
        return answer(body)

    def _shown(self, request: Request, model: Model, plural: str, uid: str, of_elements: set[str]) -> JsonValue:
        resource, renderer = self.store.resources[plural], self.server.renderer(request)
        found = renderer.show(resource, model.body(plural, uid), parse_fields(FIELDS[plural]))
        if plural == "indicators":  # the server writes indicators out that other indicators are made of
            found |= {f"exploded{part}": found.get(part.lower()) for part in ("Numerator", "Denominator")}
        if plural == "categoryCombos" and uid in of_elements:
            found["categoryOptionCombos"] = [self._combo(model, each) for each in model.combos_of.get(uid, [])]
        return _bare(found)

    def _combo(self, model: Model, uid: str) -> JsonObject:
        body = model.body("categoryOptionCombos", uid)
        shown: JsonObject = {"code": body["code"]} if body.get("code") else {}
        shown |= {"name": body.get("name"), "displayName": body.get("name"), "id": uid}
        shown["categoryOptions"] = cast("list[JsonValue]", references(body, "categoryOptions"))
        return shown


def _bare(value: JsonValue) -> JsonValue:
    """A value with the collections of references in it cut to their UIDs."""
    if isinstance(value, list):
        return [_bare(item) for item in value]
    if not isinstance(value, dict):
        return value
    found: JsonObject = {}
    for name, item in value.items():
        if name in _IDS_ONLY and isinstance(item, list):
            found[name] = [part["id"] if isinstance(part, dict) and "id" in part else part for part in item]
        else:
            found[name] = _bare(item)
    return found


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    return [Route("/api/dataEntry/metadata", Api(server).metadata)]
