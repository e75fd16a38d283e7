"""What single types need beyond the services of all."""
