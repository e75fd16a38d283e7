# A plain script with the async client, no IPython.
import asyncio

from dhis2sh.session import Session


async def main() -> None:
    session = Session("sandbox")
    try:
        version = await session.client.version()
        names = [row["name"] async for row in session.client.iter("organisationUnitLevels", {"fields": "name,level"})]
        print(version.models, sorted(str(name) for name in names))
    finally:
        await session.aclose()


asyncio.run(main())
