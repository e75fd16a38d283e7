"""Addresses of metadata: objects of every type, bundles, sharing, merges, org units, descriptions of expressions.

May import: routes, jobs, importer, metadata, store, http, java, refused.
"""
