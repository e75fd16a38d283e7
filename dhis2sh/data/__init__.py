"""Services of aggregate data: what to ask for, sheets and files of values, checks before sending, jobs of parts.

asking      names, periods and units into a query      cells     the identity and the columns of a value
files       files of values, of every format           markup    XML and ADX
layouts     long and wide sheets into values           target    what a server takes: elements, units, combos
checking    a value against all that                   jobs      the folder of parts that a load is
loading     rows into a job, and the plan of it        sending   the writer of parts
way_back    a load taken back                          reading   what cells hold now
named       names beside UIDs                          refused   rows that were not written
comparing   two sets of values, cell by cell           copying   values of one server for another
outliers    far from what is usual                     violations  what breaks validation rules
history     what a cell held, and when                 following   marks for follow-up
reviewing   all of that in one report
completeness  who has reported, and who has not        registering  complete, and open again

May import: verbs, show, changes, session, person, profiles, rows, client, dhis2, models,
the ground. Never a verb.
"""
