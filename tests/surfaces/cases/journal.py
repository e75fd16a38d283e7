from tests.surfaces.cases import Case

WRITE = ("metadata rename dataElements DE_1 --set BCG -p sandbox",)
CASES = [
    Case("journal list", "--limit 5", {"limit": 5}, before=WRITE),
    Case("journal list", "--written", {"written": True}, before=WRITE),
    Case("journal list", "--tried", {"tried": True}, before=WRITE, empty=True),
    Case("journal show", "1", {"id": 1}, before=WRITE),
]
