"""Bundles of metadata: what objects refer to, how a whole set is gathered, compared and moved. No verb, no output."""
