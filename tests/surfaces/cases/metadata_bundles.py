from tests.surfaces.cases import Case

BUNDLE = {"dataElements": [{"id": "deNumber001", "name": "Another name"}, {"id": "deNumber009", "name": "New"}]}

CASES = [
    Case("metadata what", "deNumber001", {"uid": "deNumber001"}),
    Case("metadata what", "Vaccines", {"uid": "Vaccines"}),
    Case("metadata usage", "deNumber001", {"uid": "deNumber001"}),
    Case("metadata graph", "deGroup0001 --style mermaid", {"uid": "deGroup0001", "style": "mermaid"}),
    Case("metadata export", "Vaccines --deps", {"objects": ["Vaccines"], "deps": True}, volatile=("system",)),
    Case("metadata diff", "bundle.json", {"before": "bundle.json"}, files={"bundle.json": BUNDLE}),
    Case("metadata diff-profiles", "sandbox sandbox", {"before": "sandbox", "after": "sandbox"}, empty=True),
]
