"""Requests and answers: query parameters, bodies and forms as DHIS2 reads them, its WebMessages as it writes them.

May import: facts, java, refused.
"""
