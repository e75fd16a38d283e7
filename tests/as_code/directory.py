"""The directory of the tests: pulled, read, edited and compared."""

from pathlib import Path

from dhis2sh.as_code.pulling import Pulled
from dhis2sh.session import Session
from tests.metadata.calls import call

D = Path("country")


def files(root: Path = D) -> dict[str, str]:
    return {path.relative_to(root).as_posix(): path.read_text("utf-8") for path in root.rglob("*.yaml")}


def of(plural: str, root: Path = D) -> list[Path]:
    return sorted((root / "metadata" / plural).glob("*.yaml"))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


async def rows(s: Session, **arguments: object) -> list[dict]:
    return [
        row if isinstance(row, dict) else row.model_dump()
        for row in (await call(s, "instance diff", directory=D, **arguments)).plain()
    ]


async def pull(s: Session, **arguments: object) -> Pulled:
    return await call(s, "instance pull", directory=D, **arguments)


async def first(s: Session) -> str:
    return (await call(s, "metadata list", type="dataElements", fields="id"))[0]["id"]
