"""What a server has beside metadata and data: settings, stores of keys, files, SQL views.

May import: store, facts, java, refused.
"""
