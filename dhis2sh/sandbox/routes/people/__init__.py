"""Addresses of people: who I am, users, API tokens, messages.

May import: what `routes` may.
"""
