"""The server's own pages in a real Chromium; skipped where there is none."""
