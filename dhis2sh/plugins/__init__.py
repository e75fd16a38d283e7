"""The verbs, one module per domain; `dhis2.plugins` entry points add more."""
