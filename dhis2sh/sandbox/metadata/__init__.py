"""Reading metadata: fields, filters, lists, gists, computed properties, and who may see and change what.

May import: store, http, java, refused, versions.
"""
