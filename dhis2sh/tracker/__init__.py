"""Services of tracker: what programs take, tables of entities, checks before sending, changes of single ones, jobs of parts.

programs     what a program takes                      asking       which entities or events, as a query
reading      rows, records and counts                  flat         one row for each entity
sheets       rows of a sheet into entities             values       a value against what takes it
held         objects as they are compared and kept     changing     the plan of some changes, and its writer
registering  new entities, enrollments, events         editing      what is there: changed, completed, deleted
linking      owners, relationships, duplicates         outstanding  events that are due
payloads     what is pushed, object by object          jobs         the folder of parts that a push is
loading      a file into a job, and the plan of it     sending      the writer of parts
reports      a server's report in words                way_back     what was written, taken back

May import: verbs, show, changes, session, person, profiles, rows, client, dhis2, models,
the ground. Never a verb.
"""
