"""The sandbox's routes, one module an area; each has `routes(server)`."""
