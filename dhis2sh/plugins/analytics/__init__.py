"""`analytics ...`: what analytics answers, as rows.

query      aggregate numbers                          pulling    the same of any size, planned and kept
programs   events, enrollments, entities, totals      outliers   values far from what is usual

May import: as `dhis2sh.plugins`; its modules never one another.
"""

MODULES = ("outliers", "programs", "pulling", "query")
