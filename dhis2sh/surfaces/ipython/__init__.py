"""The shell `dhis2sh`, the magics and notebooks: one event loop in a thread behind them all.

Imports verbs and what lies below them, and of the surfaces `terminal` and `output`; what runs a line (`running`) comes
with the first line.
"""
