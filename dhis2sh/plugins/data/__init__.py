"""`data`: values in and out, and what is to be known of them.

aggregate      get, push, set, delete, diff, copy          completeness   who has reported
registering    complete, reopen                            entry          a form in the terminal

May import: as `dhis2sh.plugins`; its modules never one another.
"""

MODULES = ("aggregate", "completeness", "entry", "registering")
