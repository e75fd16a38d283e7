"""The server's own pages in a real Chromium: signing in to them, and pictures of what they show.

chromium   finds and starts it       entering   signs in, by form, token, session or OpenID Connect
shots      waits until all is drawn  tokens     a personal access token for who is signed in
serving    where a browser goes      pages      what the sandbox shows in its own small pages

May import: as `dhis2sh.pictures`.
"""
