"""Addresses of metadata: objects of every type, bundles, sharing, merges, org units, descriptions of expressions.

May import: what `routes` may.
"""
