"""Whom to call at a facility: verbs of the domain `contacts` for dhis2sh."""
