"""The fictional country that `sandbox seed` fills in: made of nothing but names, the same in every run.

May import: metadata, store.
"""
