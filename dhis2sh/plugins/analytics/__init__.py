"""`analytics ...`: what analytics answers, as rows and as pictures.

query   aggregate numbers          pulling   the same of any size, planned and kept
drawing viz, map, dashboard

May import: as `dhis2sh.plugins`; its modules never one another.
"""

MODULES = ("drawing", "pulling", "query")
