"""`analytics ...`: what analytics answers, as rows.

query   aggregate numbers          pulling   the same of any size, planned and kept

May import: as `dhis2sh.plugins`; its modules never one another.
"""

MODULES = ("pulling", "query")
