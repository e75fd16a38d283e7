"""An instance as code: a directory of readable files, written from a server, compared with one, and brought into one.

yaml_text  JSON values as YAML and back, line by line    folder   which file holds what, read and written
scope      what a directory is about                     clean    what of an object stands in its file
secret     what never does, and where it comes from      pulling  a server into a directory
compared   what a directory and a server have differently
lacking   what the version of a server does not have of it
counterparts   a directory under the UIDs of another server
snapshots  how a server was, kept on this machine
planning   the plan that brings a directory into a server, and its way back

May import: instance, metadata, verbs, show, changes, session, person, profiles, rows, client, dhis2, models,
the ground. Never a verb.
"""
