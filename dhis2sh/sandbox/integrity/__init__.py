"""Data integrity: the server's checks by name, computed over what the sandbox holds."""
