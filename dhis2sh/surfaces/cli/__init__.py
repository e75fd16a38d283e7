"""The batch command `dhis2`."""
