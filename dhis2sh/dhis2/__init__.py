"""Pure lore of the platform, no I/O: UIDs, periods, formulas, languages, rules, cascades, geometry, properties, references.

May import: the ground.
"""
