"""Addresses of the installation: system, settings, jobs, files, apps, stores, SQL views, maintenance.

May import: routes, routes.metadata, analytics, instance, jobs, importer, metadata, store, facts, http, java, refused.
"""
