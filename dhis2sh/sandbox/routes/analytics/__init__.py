"""Addresses of analytics: aggregate, events, outliers, and the dimensions that queries name.

May import: what `routes` may.
"""
