"""Addresses of aggregate data: values, completeness, approval, audits, limits, checks of data and metadata.

May import: what `routes` may.
"""
