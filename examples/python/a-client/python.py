# A client of a profile in a script: patience of its own, rows one by one, a large answer straight to a file.
import asyncio
import json
import tempfile
from pathlib import Path

from dhis2sh import Limits, RetryRule, open_client


async def main() -> None:
    patient = RetryRule(attempts=5, base=1.0)
    async with open_client("sandbox", retry=patient, limits=Limits(read_timeout=300, total_timeout=900)) as client:
        print("DHIS2", await client.version())
        async for unit in client.iter(
            "organisationUnits", {"fields": "displayName,level", "order": "level:asc"}, limit=3
        ):
            print(unit["level"], unit["displayName"])
        target = Path(tempfile.mkdtemp()) / "elements.json"
        async with client.stream("GET", "metadata", {"dataElements": True, "fields": "id,name"}) as answer:
            with target.open("wb") as file:
                async for piece in answer:
                    file.write(piece)
        print(target.name, len(json.loads(target.read_text("utf-8"))["dataElements"]), "data elements")


asyncio.run(main())
