"""Addresses of aggregate data: values, completeness, approval, audits, limits, exchanges, checks of data and metadata.

May import: routes, routes.instance, routes.analytics, routes.metadata, analytics, integrity, data, jobs, metadata, store, http, java, refused.
"""
