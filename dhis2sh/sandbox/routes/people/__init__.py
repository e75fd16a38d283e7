"""Addresses of people: who I am, users, API tokens, messages.

May import: routes, people, instance, importer, metadata, http, java, refused.
"""
