"""How the server's platform (Java, Spring, Jackson) reads, orders and writes things: pure functions, no state.

May import: nothing.
"""
