"""`analytics ...`: what analytics answers, as rows and as pictures.

query      aggregate numbers                          pulling     the same of any size, planned and kept
programs   events, enrollments, entities, totals      outliers    values far from what is usual
drawing    viz, map, dashboard                        explaining  the numbers behind an indicator

May import: as `dhis2sh.plugins`; its modules never one another.
"""

MODULES = ("drawing", "explaining", "outliers", "programs", "pulling", "query")
