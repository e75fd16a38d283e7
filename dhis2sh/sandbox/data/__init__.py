"""Aggregate data in the sandbox: values, completeness, approval, locks, limits, and what changed them."""
