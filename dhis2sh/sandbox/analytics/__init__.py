"""Analytics in the sandbox: the tables that a job builds, and the engine that answers from them."""
