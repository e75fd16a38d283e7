"""Running an instance: jobs, maintenance."""
