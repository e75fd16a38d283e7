"""Classes that are no resources of their own."""
