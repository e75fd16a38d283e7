"""`data`: values in and out, and what is to be known of them.

aggregate   data aggregate get, push, set, delete, diff, copy

May import: as `dhis2sh.plugins`; its modules never one another.
"""

MODULES = ("aggregate",)
