"""Addresses of aggregate data: values, completeness, approval, audits, limits, checks of data and metadata.

May import: routes, routes.instance, integrity, data, jobs, metadata, store, http, java, refused.
"""
