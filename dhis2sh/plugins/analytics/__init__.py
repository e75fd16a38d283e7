"""`analytics ...`: what analytics answers, as rows.

query   aggregate numbers

May import: as `dhis2sh.plugins`; its modules never one another.
"""

MODULES = ("query",)
