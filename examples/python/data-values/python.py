# Data values from a plain script: streamed to a file, corrected row by row, streamed back.
import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from dhis2sh import open_client
from dhis2sh.dhis2.periods import Period, periods


async def main() -> None:
    async with open_client("sandbox") as client:
        country = (await client.resources.organisation_units.list("id", filters="level:eq:1"))[0]["id"]
        (data_set,) = await client.resources.data_sets.list("id,name,periodType", filters="name:ilike:stock", limit=1)
        year = Period.parse("2025")
        months = [period.iso for period in periods(year.start, year.end, data_set["periodType"])]
        query = {"data_set": data_set["id"], "period": months, "org_unit": country, "children": True}

        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "values.csv.gz"
            size = await client.data_values.stream_to(file, **query)
            print(data_set["name"], "in a file:", size > 0 and file.is_file())
            again = await client.data_values.stream_in(file, dry_run=True)
            print("nothing in it is refused:", not again.conflicts)

        async def corrected() -> AsyncIterator[dict]:
            number = 0
            async for value in client.data_values.iter(**query):
                yield {**value, "value": "many" if number == 7 else value["value"], "comment": "checked"}
                number += 1

        result = await client.data_values.save_bulk(corrected(), chunk_size=500)
        print("refused:", [(failure.code, failure.indexes) for failure in result.failures])


asyncio.run(main())
