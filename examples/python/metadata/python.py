# Metadata from a plain script: typed accessors, bulk writes with their refusals, patches, periods.
import asyncio
import datetime as dt

from dhis2sh import open_client
from dhis2sh.client.jsonpatch import diff
from dhis2sh.dhis2.periods import Period, RelativePeriod


async def main() -> None:
    async with open_client("sandbox") as client:
        elements = client.resources.data_elements
        print(await elements.count("domainType:eq:AGGREGATE"), "aggregate data elements")
        async for element in elements.iter("name,valueType", filters="name:ilike:malaria", order="name:asc", limit=2):
            print(" ", element["name"], element["valueType"])

        # many at once: what is refused is listed, what is good is written
        row = {"shortName": "Bed nets", "domainType": "AGGREGATE", "valueType": "NUMBER", "aggregationType": "SUM"}
        result = await elements.save_bulk(
            [{**row, "name": "Bed nets given"}, {"name": "Not enough", **row, "valueType": None}]
        )
        print(result.count, [(failure.code, failure.property) for failure in result.failures])

        # one property of one object, and a group's members, without sending the rest
        (uid,) = result.uids
        before = await elements.get(uid)
        await elements.patch(uid, diff(before, {**before, "description": "Long-lasting nets"}))
        groups = client.resources.data_element_groups
        made = await groups.create({"name": "Nets", "shortName": "Nets"})
        assert made.created_uid
        await groups.add_items(made.created_uid, "dataElements", [uid])
        print(await groups.get(made.created_uid, fields="name,dataElements[name,description]"))

        # the same group as a model of the server's version
        group = await groups.get(made.created_uid, typed=True)
        print(type(group).__name__, [usage.type for usage in await client.metadata.usage("dataElements", uid)])

    quarter = Period.parse("2024Q1")
    print(quarter.start, quarter.end, quarter.next(), *RelativePeriod.LAST_3_MONTHS.resolve(dt.date(2024, 5, 15)))


asyncio.run(main())
