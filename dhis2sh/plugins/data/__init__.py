"""`data`: values in and out, and what is to be known of them.

aggregate_reading  get, export                             completeness   who has reported
aggregate      push, set, delete, diff, copy
registering    complete, reopen                            history        history, revert
quality        outliers, validate, followup                review         review
tracker_reading   entities, enrollments, events            tracker_writing  register, enroll, update, delete, ...
tracker_push   a file of them                              entry          a form in the terminal
pulling        aggregate and tracker data of any size

May import: as `dhis2sh.plugins`; its modules never one another.
"""

MODULES = (
    "aggregate", "aggregate_reading", "completeness", "entry", "history", "pulling", "quality", "registering", "review", "tracker_reading",
    "tracker_writing", "tracker_push",
)  # fmt: skip
