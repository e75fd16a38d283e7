from tests.surfaces.cases import Case

CASES = [
    Case("sandbox status", "", volatile=("bytes",)),
]
