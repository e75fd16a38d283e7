"""Services of metadata: reading, planning and writing objects, values, expressions, bundles. No verbs, no surface.

parameters   what several verbs take             choosing    which objects a verb acts on
queries      fields, filters, orders             values      texts into what DHIS2 takes
expressions  names in expressions, judged        hierarchy   units in order, no circles
collections  references and join rows           writes      plans of exact changes, and sending them
sharing, attributes, translations                usage, identity, explaining: what an object or a refusal is
objects/     made, changed, copied, deleted      bundles/    whole sets         types/   what one type needs

May import: verbs, show, changes, session, person, profiles, rows, client, dhis2,
the ground. Never a verb.
"""
