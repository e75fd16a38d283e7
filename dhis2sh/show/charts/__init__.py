"""Charts: what one is (`model`), and how it is drawn in characters (`terminal`) and as a picture (`vega`, `media`)."""
