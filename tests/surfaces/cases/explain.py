from tests.surfaces.cases import Case

CASES = [Case("explain", "")]
