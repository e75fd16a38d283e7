"""The health of an instance: DHIS2's own integrity checks, our probes, and what is known of the server's version.

finding    what is found, how bad it is         probing    what a probe is, and what it looks at
texts      names, short names and codes         forms      data sets, programs, options, legends
formulas   expressions and rules                units      organisation units and their levels
people     accounts and what is open            server     the server itself, its jobs and settings
integrity  the checks that the server runs      quirks     faults of DHIS2 versions, and the way around each
examining  all of it, the worst first           kept       what was found before
report     a page for people                    mending    what can be put right by itself

May import: analytics, data, index, instance, metadata, tracker, verbs, show, changes, session, person, profiles, rows, client,
dhis2, models, the ground. Never a verb.
"""
