"""After `make test`: branch coverage of every room of the house, from coverage.xml. A room without a floor fails.

usage: python tests/coverage_gate.py
"""

import shutil
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
REPORT = ROOT / "coverage.xml"
GROUND = "(ground)"
"""The files that lie loose in `dhis2sh/`."""
FLOORS = {
    GROUND: 94.0,
    "analytics": 85.0,
    "as_code": 85.0,
    "changes": 93.0,
    "checks": 85.0,
    "client": 95.0,
    "data": 88.0,
    "dhis2": 94.0,
    "index": 93.0,
    "instance": 85.0,
    "metadata": 93.0,
    "models": 95.0,
    "pictures": 88.0,
    "plugins": 91.0,
    "rows": 92.0,
    "sandbox": 80.0,
    "show": 91.0,
    "surfaces": 82.0,
    "tracker": 80.0,
    "verbs": 92.0,
}
"""Per cent of lines and branches, by room."""
WITHOUT_CHROMIUM = "pictures/browser/"
"""What is left out where there is none, since its tests are skipped there."""


def room_of(file: str) -> str:
    """The room of a file, by its path below `dhis2sh/`."""
    room, slash, _ = file.partition("/")
    return room if slash else GROUND


def main() -> int:
    covered, all_ = Counter[str](), Counter[str]()
    chromium = shutil.which("chromium") is not None
    for file in ET.parse(REPORT).getroot().iter("class"):
        name = file.attrib["filename"].removeprefix("dhis2sh/")
        if name.startswith(WITHOUT_CHROMIUM) and not chromium:
            continue
        room = room_of(name)
        for line in file.iter("line"):
            branches = line.attrib.get("condition-coverage")
            if branches:
                done, total = branches.partition("(")[2].rstrip(")").split("/")
                covered[room] += int(done)
                all_[room] += int(total)
            covered[room] += line.attrib["hits"] != "0"
            all_[room] += 1
    rooms = {path.name for path in (ROOT / "dhis2sh").iterdir() if (path / "__init__.py").exists()}
    failed = [f"the room {room} has no floor in {Path(__file__).name}" for room in sorted(rooms - FLOORS.keys())]
    failed += [f"{room} has a floor and is no room" for room in sorted(FLOORS.keys() - rooms - {GROUND})]
    for room, floor in FLOORS.items():
        found = 100 * covered[room] / max(1, all_[room])
        if found < floor:
            failed.append(f"coverage of {room} with branches: {found:.1f} %, wanted {floor:.0f} %")
        elif "--all" in sys.argv:
            print(f"{room:10} {found:5.1f} %")
    if failed:  # silent when all is well: pytest's own line stands last
        print("\n".join(failed))
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
