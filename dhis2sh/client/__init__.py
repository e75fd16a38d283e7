"""One server: transport, sign-in, paging, tasks, and the services that send, chunk, order and read.

May import: dhis2, the ground.
"""
