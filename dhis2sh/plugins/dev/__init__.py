"""`dev`: for those who write programs or plugins for DHIS2, or work on dhis2sh itself.

codegen   the generated models      tokens   pat list, create, rotate, delete
clients   oauth2 client ...         making   uid, sample
plugin    list, new

May import: as `dhis2sh.plugins`; its modules never one another.
"""

MODULES = ("clients", "codegen", "making", "plugin", "tokens")
