"""How results look: text, HTML, trees, maps.

May import: changes, rows, dhis2, the ground.
"""
