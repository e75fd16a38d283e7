"""`/api/predictions`, and predictors that are run one by one or as a group (api-facts f.5)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from starlette.requests import Request
from starlette.responses import Response

from dhis2sh.dhis2.formulas import BadExpression
from dhis2sh.sandbox.data.model import references
from dhis2sh.sandbox.data.predicting import Predicted, run_predictor
from dhis2sh.sandbox.http import params
from dhis2sh.sandbox.http.answers import answer, done
from dhis2sh.sandbox.http.bodies import with_body
from dhis2sh.sandbox.http.routing import Route
from dhis2sh.sandbox.jobs.service import Progress, Work
from dhis2sh.sandbox.refused import Refused, not_found, not_imitated
from dhis2sh.sandbox.routes.server import Server

if TYPE_CHECKING:
    from dhis2sh.types import JsonObject, JsonValue


class Api:
    """The handlers. They are plain functions, so Starlette runs them in its threads and the loop stays free."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.store = server.store
        server.jobs.register("PREDICTOR", self._job)

    def _between(self, request: Request) -> tuple[dt.date, dt.date]:
        query = request.query_params
        for name in ("startDate", "endDate"):
            params.required(query, name, "Date")
        start, end = (params.date(query, name) for name in ("startDate", "endDate"))
        if start is None or end is None:
            raise not_imitated("predictions with an empty date")
        if start > end and self.store.version.upserts:
            days = ", ".join(f"`{day.month}/{day.day}/{day:%y}, 12:00 AM`" for day in (start, end))
            raise Refused(409, f"Start date is after end date: {days}", "E7206")
        return start, end

    def predict(self, request: Request, raw: bytes) -> Response:
        """`POST /api/predictions?startDate&endDate[&predictor*][&predictorGroup*][&async=true]`; without any, all of them."""
        self.server.demand(request, "F_PREDICTOR_RUN")
        start, end = self._between(request)
        named, groups = (params.many(request.query_params, name) for name in ("predictor", "predictorGroup"))
        if params.boolean(request.query_params, "async"):
            parameters: JsonObject = {"relativeStart": 0, "relativeEnd": 0}
            parameters |= {"predictors": cast("list[JsonValue]", named)} if named else {}
            parameters |= {"predictorGroups": cast("list[JsonValue]", groups)} if groups else {}
            user = cast("str", self.server.user(request)["id"])
            work = self._as_job(self._chosen(named, groups), start, end)
            config = self.server.jobs.submit("PREDICTOR", user=user, parameters=parameters, work=work)
            return self.server.initiated(request, config)
        found = self._run(request, self._chosen(named, groups), start, end)
        body: JsonObject = {"httpStatus": "OK", "httpStatusCode": 200, "status": "OK", "response": found.shown()}
        return answer(body)

    def _chosen(self, named: list[str], groups: list[str]) -> list[JsonObject]:
        known, uids = self.store.objects("predictors"), list(named)
        for group in groups:
            uids += references(self.store.get("predictorGroups", group) or {}, "predictors")
        if not named and not groups:
            return list(known.values())
        return [known[uid] for uid in dict.fromkeys(uids) if uid in known]

    def run_all(self, request: Request, raw: bytes) -> Response:
        """`POST /api/predictors/run?startDate=&endDate=`."""
        self.server.demand(request, "F_PREDICTOR_RUN")
        return self._told(request, list(self.store.objects("predictors").values()))

    def run_one(self, request: Request, raw: bytes) -> Response:
        """`POST /api/predictors/{uid}/run`; asked for one that is not there a server stumbles."""
        self.server.demand(request, "F_PREDICTOR_RUN")
        found = self.store.get("predictors", request.path_params["uid"])
        if found is None:
            self._between(request)
            raise Refused(
                500, 'Cannot invoke "org.hisp.dhis.predictor.Predictor.getName()" because "predictor" is null'
            )
        return self._told(request, [found])

    def run_group(self, request: Request, raw: bytes) -> Response:
        """`POST /api/predictorGroups/{uid}/run`."""
        self.server.demand(request, "F_PREDICTOR_RUN")
        uid = request.path_params["uid"]
        group = self.store.get("predictorGroups", uid)
        if group is None:
            raise not_found("PredictorGroup", uid)
        members = [self.store.get("predictors", one) for one in references(group, "predictors")]
        return self._told(request, [one for one in members if one is not None])

    def _told(self, request: Request, predictors: Iterable[JsonObject]) -> Response:
        found = self._run(request, predictors, *self._between(request))
        return done(f"Generated {found.count} predictions")

    def _run(self, request: Request, predictors: Iterable[JsonObject], start: dt.date, end: dt.date) -> Predicted:
        user, found = str(self.server.user(request).get("username")), Predicted()
        for predictor in predictors:
            try:
                run_predictor(self.store, predictor, start, end, user, found)
            except BadExpression as error:
                raise Refused(409, f"Unable to predict: {error}", "E1004") from None
        return found

    # As a job

    def _job(self, parameters: JsonObject, progress: Progress) -> JsonValue:
        """Predict for the days that are named relative to today."""
        today = dt.datetime.now(dt.UTC).date()
        days = [cast("int", parameters.get(name) or 0) for name in ("relativeStart", "relativeEnd")]
        start, end = (today + dt.timedelta(days=one) for one in days)
        named, groups = (cast("list[str]", parameters.get(name) or []) for name in ("predictors", "predictorGroups"))
        return self._work(self._chosen(named, groups), start, end, progress)

    def _as_job(self, predictors: list[JsonObject], start: dt.date, end: dt.date) -> Work:
        return lambda progress: self._work(predictors, start, end, progress)

    def _work(self, predictors: list[JsonObject], start: dt.date, end: dt.date, progress: Progress) -> JsonValue:
        found = Predicted()
        for predictor in predictors:
            progress.note(f"Predicting for predictor {predictor.get('name')}")
            run_predictor(self.store, predictor, start, end, "system-process", found)
        progress.finish_with(f"Prediction done, {found.count} predictions")
        return found.shown()


def routes(server: Server) -> list[Route]:
    """This area's routes."""
    api = Api(server)
    return [
        Route("/api/predictions", with_body(api.predict), methods=["POST"]),
        Route("/api/predictors/run", with_body(api.run_all), methods=["POST", "PUT"]),
        Route("/api/predictors/{uid:uid}/run", with_body(api.run_one), methods=["POST", "PUT"]),
        Route("/api/predictorGroups/{uid:uid}/run", with_body(api.run_group), methods=["POST", "PUT"]),
    ]
