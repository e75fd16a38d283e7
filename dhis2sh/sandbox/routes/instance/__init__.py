"""Addresses of the installation: system, settings, jobs, files, apps, stores, SQL views, maintenance.

May import: what `routes` may.
"""
