"""The shell `dhis2sh`, the magics and notebooks: one event loop in a thread behind them all."""
