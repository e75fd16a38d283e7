"""Addresses of analytics: aggregate, events, outliers, and the dimensions that queries name.

May import: routes, analytics, data, jobs, metadata, store, http, java, refused.
"""
