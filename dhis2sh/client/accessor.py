"""What can be done with the objects of one type: `client.resources.data_elements.list(filters="name:ilike:bcg")`.

An accessor knows its type from the facts of the server's version; nothing is fetched or imported for a type until it is
used. Rows stay plain JSON unless a model is asked for: `model=DataElement`, or `typed=True` for the model of the
server's version.

API source: `AbstractCrudController.java`, `AbstractFullReadOnlyController.java` (api-facts a).
"""

from __future__ import annotations

import importlib
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack, cast, overload

from dhis2sh.client import bulk, sending
from dhis2sh.client.limits import CONCURRENCY
from dhis2sh.client.messages import ImportCount
from dhis2sh.client.query import RootJunction, address_of, chunked, list_params, refuse_unknown
from dhis2sh.client.reading import by_uid
from dhis2sh.client.schema import type_of
from dhis2sh.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from pydantic import BaseModel

    from dhis2sh.client.bulk import Object
    from dhis2sh.client.jsonpatch import Patch
    from dhis2sh.client.messages import WebMessage
    from dhis2sh.client.paging import Page
    from dhis2sh.client.protocol import Requests
    from dhis2sh.client.requests import Param
    from dhis2sh.client.sending import BulkResult, DeleteOptions, WriteOptions
    from dhis2sh.models.facts import Resource
    from dhis2sh.types import Row

PAGE_SIZE = 500
ITEMS_PER_REQUEST = 1000
"""Members added to or taken from a collection in one request."""


type Fields = str | Sequence[str]


class ListQuery(TypedDict, total=False):
    """What a list may be asked for.

    Keys:
        filters: `property:operator:value`, one or several (`dhis2sh.client.query.where` makes them).
        order: `property:direction`, one or several.
        root_junction: how filters combine; AND without it.
        page_size: objects per request.
        paging: False fetches all in one request, the fastest for a few thousand.
        limit: stop after so many.
        params: more query parameters, by DHIS2's names.
    """

    filters: Fields
    order: Fields
    root_junction: RootJunction | None
    page_size: int
    paging: bool
    limit: int
    params: Mapping[str, Param]


def _list_params(fields: Fields | None, query: ListQuery) -> dict[str, Param]:
    refuse_unknown(query, ListQuery, "a list")
    listed = list_params(fields, query.get("filters", ()), query.get("order", ()), query.get("root_junction"))
    return {**listed, **query.get("params", {})}


class Accessor:
    """What can be done with the objects of one type.

    Parameters:
        client: the server.
        plural: the type, such as `dataElements`.
    """

    def __init__(self, client: Requests, plural: str) -> None:
        self._client = client
        self.plural = plural

    def __repr__(self) -> str:
        return f"<{self.plural} of {self._client.settings.url}>"

    async def resource(self) -> Resource:
        """The facts of the type in the server's version. Raises `NotFound` when that version has no such type."""
        return await type_of(self._client, self.plural)

    async def model(self) -> type[BaseModel]:
        """The generated model of the type for the server's version; the first use imports it."""
        resource = await self.resource()
        package = f"dhis2_models.{(await self._client.version()).models}"
        try:
            return cast("type[BaseModel]", getattr(importlib.import_module(package), resource.model))
        except (ImportError, AttributeError) as error:
            raise UsageError(f"there is no model {package}.{resource.model}", hint="ask for plain rows") from error

    # Reads ----------------------------------------------------------------------------------------------------------

    @overload
    def iter(
        self,
        fields: Fields | None = None,
        *,
        model: None = None,
        typed: Literal[False] = False,
        **query: Unpack[ListQuery],
    ) -> AsyncGenerator[Row]: ...
    @overload
    def iter[M: BaseModel](
        self, fields: Fields | None = None, *, model: type[M], typed: bool = False, **query: Unpack[ListQuery]
    ) -> AsyncGenerator[M]: ...
    @overload
    def iter(
        self, fields: Fields | None = None, *, model: None = None, typed: Literal[True], **query: Unpack[ListQuery]
    ) -> AsyncGenerator[BaseModel]: ...
    async def iter(
        self, fields: Fields | None = None, *, model: Any = None, typed: bool = False, **query: Unpack[ListQuery]
    ) -> AsyncGenerator[Any]:
        """Every object, page by page with a little read ahead.

        Parameters:
            fields: DHIS2's field expression, or names; the server's default (`id,displayName`) without.
            model, typed: objects as models, of a given class or of the server's version.
            query: as of `ListQuery`.

        Raises `UsageError` for filters that the server would silently misread.
        """
        params = _list_params(fields, query)
        limit = query.get("limit")
        wanted = await self._wanted(model, typed=typed)
        if query.get("paging", True):
            size = query.get("page_size", PAGE_SIZE)
            rows = self._client.iter(self._path, params, page_size=size, limit=limit, key=self.plural)
            async with aclosing(rows) as found:
                async for row in found:
                    yield row if wanted is None else wanted.model_validate(row)
            return
        page = await self._page({**params, "paging": False})
        for row in page.rows[:limit]:
            yield row if wanted is None else wanted.model_validate(row)

    @overload
    async def list(
        self,
        fields: Fields | None = None,
        *,
        model: None = None,
        typed: Literal[False] = False,
        **query: Unpack[ListQuery],
    ) -> list[Row]: ...
    @overload
    async def list[M: BaseModel](
        self, fields: Fields | None = None, *, model: type[M], typed: bool = False, **query: Unpack[ListQuery]
    ) -> list[M]: ...
    @overload
    async def list(
        self, fields: Fields | None = None, *, model: None = None, typed: Literal[True], **query: Unpack[ListQuery]
    ) -> list[BaseModel]: ...
    async def list(
        self, fields: Fields | None = None, *, model: Any = None, typed: bool = False, **query: Unpack[ListQuery]
    ) -> Any:
        """All objects as a list, in one request unless `page_size` is given. Parameters and errors as of `iter`."""
        wanted = await self._wanted(model, typed=typed)
        whole: ListQuery = {"paging": "page_size" in query, **query}
        rows = self.iter(fields, **whole)
        return [row if wanted is None else wanted.model_validate(row) async for row in rows]

    async def page(self, number: int = 1, fields: Fields | None = None, **query: Unpack[ListQuery]) -> Page:
        """One page (of 50 objects without `page_size`), with what the server says of the whole. As `iter`."""
        size = query.get("page_size", 50)
        return await self._page({**_list_params(fields, query), "page": number, "pageSize": size})

    async def count(self, filters: Fields = ()) -> int:
        """How many objects there are, all or those that filters let through."""
        page = await self._page({**list_params("id", filters), "pageSize": 1})
        return page.total if page.total is not None else len(await self.list("id", filters=filters))

    @overload
    async def get(
        self, uid: str, *, fields: Fields = ":owner", model: None = None, typed: Literal[False] = False
    ) -> Row: ...
    @overload
    async def get[M: BaseModel](
        self, uid: str, *, fields: Fields = ":owner", model: type[M], typed: bool = False
    ) -> M: ...
    @overload
    async def get(
        self, uid: str, *, fields: Fields = ":owner", model: None = None, typed: Literal[True]
    ) -> BaseModel: ...
    async def get(self, uid: str, *, fields: Fields = ":owner", model: Any = None, typed: bool = False) -> Any:
        """One object, by default with what it owns (`:owner`), which is what `update` wants back.

        Raises `NotFound` when there is none.
        """
        wanted = await self._wanted(model, typed=typed)
        row = await self._client.get_object(f"{self._path}/{uid}", list_params(fields))
        return row if wanted is None else wanted.model_validate(row)

    async def get_many(
        self,
        uids: Iterable[str],
        *,
        fields: Fields = ":owner",
        concurrency: int = CONCURRENCY,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> list[Row]:
        """Objects by UID, in the order of the UIDs; those that do not exist are left out.

        Parameters as of `dhis2sh.client.reading.by_uid`, which also says what is missing.
        """
        found = await by_uid(
            self._client, self.plural, uids, fields=fields, concurrency=concurrency, on_progress=on_progress
        )
        return found.rows

    # Writes of one object -------------------------------------------------------------------------------------------

    async def create(self, object: Object, **options: Unpack[WriteOptions]) -> WebMessage:
        """Create an object; `created_uid` of the result is its UID.

        Raises `Refused` with the server's reasons, `UsageError` for a value that its enum does not have.
        """
        return await self._save("POST", self._path, object, "CREATE", options)

    async def update(self, object: Object, uid: str | None = None, **options: Unpack[WriteOptions]) -> WebMessage:
        """Replace an object by one with the same UID (or `uid`); what is left out is emptied. Raises as `create`."""
        row = bulk.plain(object)
        found = uid or row.get("id")
        if not isinstance(found, str):
            raise UsageError("an object without 'id' cannot be updated", hint="give its UID, or create it")
        return await self._save("PUT", f"{self._path}/{found}", {**row, "id": found}, "UPDATE", options)

    async def patch(self, uid: str, patch: Patch, **options: Unpack[WriteOptions]) -> WebMessage:
        """Change single properties by a JSON patch (`dhis2sh.client.jsonpatch`). Raises as `create`."""
        return await bulk.patch_one(self._client, await self._client.version(), self._path, uid, patch, options)

    async def delete(self, uid: str, **options: Unpack[DeleteOptions]) -> WebMessage:
        """Delete an object. Raises `Refused` (E4030) when others still need it, `NotFound` when there is none."""
        refuse_unknown(options, sending.DeleteOptions, "a deletion")
        # before 2.43 the route of an option answers 200 and leaves it in its set, or 409
        kept = self.plural == "options" and not (await self._client.version()).has("option_delete")
        if kept or sending.needs_bundle(options):
            return await self._bundle({"id": uid}, "DELETE", cast("WriteOptions", options))
        return await sending.send(self._client, "DELETE", f"{self._path}/{uid}")

    # Writes of many -------------------------------------------------------------------------------------------------

    async def save_bulk(
        self,
        objects: Iterable[Object],
        *,
        concurrency: int = CONCURRENCY,
        chunk_size: int = 1000,
        **options: Unpack[WriteOptions],
    ) -> BulkResult:
        """Create or update objects; refusals are in `failures` of the result. As `dhis2sh.client.bulk.save`."""
        return await bulk.save(
            self._client, {self.plural: objects}, concurrency=concurrency, chunk_size=chunk_size, **options
        )

    async def delete_bulk(
        self,
        uids: Iterable[str],
        *,
        concurrency: int = CONCURRENCY,
        chunk_size: int = 1000,
        **options: Unpack[DeleteOptions],
    ) -> BulkResult:
        """Delete objects; refusals are in `failures` of the result. As `dhis2sh.client.bulk.delete`."""
        return await bulk.delete(
            self._client, {self.plural: uids}, concurrency=concurrency, chunk_size=chunk_size, **options
        )

    async def patch_bulk(
        self, patches: Mapping[str, Patch], *, concurrency: int = CONCURRENCY, **options: Unpack[WriteOptions]
    ) -> BulkResult:
        """Patch objects by UID, one request each. As `dhis2sh.client.bulk.patch`."""
        return await bulk.patch(self._client, {self.plural: patches}, concurrency=concurrency, **options)

    async def add_items(self, uid: str, collection: str, items: Iterable[str], *, dry_run: bool = False) -> BulkResult:
        """Add members to a collection (`dataElements` of a group), without reading or sending the others.

        `ignored` of the result counts what the server did not take, such as UIDs that do not exist: it says no more.
        With `dry_run` the collection is read, and what is new in it counted.
        """
        return await self._items(uid, collection, "additions", list(items), dry_run=dry_run)

    async def remove_items(
        self, uid: str, collection: str, items: Iterable[str], *, dry_run: bool = False
    ) -> BulkResult:
        """Take members out of a collection; the objects themselves stay. As `add_items`."""
        return await self._items(uid, collection, "deletions", list(items), dry_run=dry_run)

    # Inside ---------------------------------------------------------------------------------------------------------

    @property
    def _path(self) -> str:
        return address_of(self.plural)

    async def _wanted(self, model: type[BaseModel] | None, *, typed: bool) -> type[BaseModel] | None:
        return await self.model() if typed and model is None else model

    async def _page(self, params: Mapping[str, Param]) -> Page:
        return await self._client.list_page(self._path, params, key=self.plural)

    async def _save(
        self, method: str, path: str, object: Object, strategy: Literal["CREATE", "UPDATE"], options: WriteOptions
    ) -> WebMessage:
        row = bulk.plain(object)
        check_constants(await self.resource(), row)
        if sending.needs_bundle(options):
            return await self._bundle(row, strategy, options)
        params = sending.object_params(options, await self._client.version())
        return await sending.send(self._client, method, path, row, params)

    async def _bundle(
        self, row: Row, strategy: Literal["CREATE", "UPDATE", "DELETE"], options: WriteOptions
    ) -> WebMessage:
        chosen: WriteOptions = {"import_strategy": strategy, **options}
        params = sending.bundle_params(chosen, await self._client.version())
        return await sending.send(self._client, "POST", "metadata", {self.plural: [row]}, params)

    async def _items(
        self,
        uid: str,
        collection: str,
        change: Literal["additions", "deletions"],
        items: list[str],
        *,
        dry_run: bool,
    ) -> BulkResult:
        result = sending.BulkResult(dry_run=dry_run)
        counted = "updated" if change == "additions" else "deleted"
        if dry_run:
            row = await self.get(uid, fields=f"{collection}[id]")
            members = {str(member["id"]) for member in cast("list[Row]", row.get(collection) or [])}
            changing = [item for item in items if (item in members) == (change == "deletions")]
            result.uids = changing
            result.count = ImportCount.model_validate({counted: len(changing), "ignored": len(items) - len(changing)})
            return result
        for chunk in chunked(items, ITEMS_PER_REQUEST):
            members_sent: list[Any] = [{"id": item} for item in chunk]
            body: Row = {"additions": [], "deletions": [], change: members_sent}
            outcome = await sending.attempt(
                sending.send(self._client, "POST", f"{self._path}/{uid}/{collection}", body)
            )
            result.take(outcome, chunk, collection)
            done = outcome.import_count.total if not isinstance(outcome, Exception) else len(chunk)
            result.count += ImportCount(ignored=max(0, len(chunk) - done))
        return result


def check_constants(resource: Resource, row: Mapping[str, object]) -> None:
    """Raise `UsageError` for a value that its enum does not have: a 2.42 answers 500, in the words of its parser."""
    for name, value in row.items():
        known = resource.properties.get(name)
        constants = known.constants if known is not None and not known.collection else ()
        if constants and isinstance(value, str) and value not in constants:
            raise UsageError(
                f"{resource.plural}: '{value}' is no {name}",
                hint=did_you_mean(value, constants) or f"one of {', '.join(constants)}",
            )
