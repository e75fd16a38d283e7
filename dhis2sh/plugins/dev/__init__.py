"""`dev`: for those who work on dhis2sh itself, or on a plugin for it.

codegen   the generated models      plugin   list, new

May import: as `dhis2sh.plugins`; its modules never one another.
"""

MODULES = ("codegen", "plugin")
