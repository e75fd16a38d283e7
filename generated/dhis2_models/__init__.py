"""What DHIS2 servers of 2.40 to 2.44 know of their metadata: facts now, models as issue B adds them."""
