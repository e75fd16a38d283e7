"""Pure lore of the platform, no I/O: UIDs, periods, formulas, languages, rules, cascades, geometry, dates, references,
and one table of properties.

May import: models, errors, types, paths, words, redact.
"""
