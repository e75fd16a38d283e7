"""The async client: transport, sign-in, retries, paging and one module per area of the Web API."""
