"""After `make test`: branch coverage of the parts that everything stands on, from coverage.xml; the whole is in pyproject.

usage: python tests/coverage_gate.py
"""

import sys
import xml.etree.ElementTree as ET
from pathlib import Path

REPORT = Path(__file__).parents[1] / "coverage.xml"
CORE = ("verbs", "session", "bridge", "profiles", "errors", "manifest", "results", "pipeline", "pushdown", "expressions",
        "stages", "complete", "journal", "names", "writes", "explain", "refusals")  # fmt: skip
WANTED = {"client": 90.0, "core": 90.0}


def group_of(name: str) -> str | None:
    """Which gate a file belongs to."""
    if name.startswith("client/"):
        return "client"
    return "core" if name.removesuffix(".py") in CORE else None


def main() -> int:
    covered = dict.fromkeys(WANTED, 0)
    all_ = dict.fromkeys(WANTED, 0)
    for file in ET.parse(REPORT).getroot().iter("class"):
        group = group_of(file.attrib["filename"].removeprefix("dhis2sh/"))
        if group is None:
            continue
        for line in file.iter("line"):
            branches = line.attrib.get("condition-coverage")
            if branches:
                done, total = branches.partition("(")[2].rstrip(")").split("/")
                covered[group] += int(done)
                all_[group] += int(total)
            covered[group] += line.attrib["hits"] != "0"
            all_[group] += 1
    failed = False
    for group, wanted in WANTED.items():
        found = 100 * covered[group] / max(1, all_[group])
        if found < wanted:  # silent when all is well: pytest's own line stands last
            failed = True
            print(f"coverage of {group} with branches: {found:.1f} %, wanted {wanted:.0f} %")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
