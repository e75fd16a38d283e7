from dhis2sh.surfaces.ipython import lines

FILE = """
# what is dispensed
%metadata list dataElements
  | where(valueType == 'NUMBER')
  # in between
  | select(name)

rows = %metadata list dataElements |
    len

def whole(body):
    # by name
    return sorted(body)

for row in rows:
    print(row)
else:
    print("done")
whole({
    "a": 1,
})
metadata count dataElements \\
    -o json
"""


def test_a_file_holds_statements_as_they_would_be_typed() -> None:
    assert lines.statements(FILE) == [
        "%metadata list dataElements | where(valueType == 'NUMBER') | select(name)",
        "rows = %metadata list dataElements | len",
        "def whole(body):\n    return sorted(body)",
        'for row in rows:\n    print(row)\nelse:\n    print("done")',
        'whole({\n    "a": 1,\n})',
        "metadata count dataElements -o json",
    ]
