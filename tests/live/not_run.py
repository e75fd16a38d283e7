"""Verbs that no live test runs, and why: the table of families tells it, and a test that there are no others."""

from typing import Final

NOT_RUN: Final = {
    "browser pat": "changes a profile of this machine",
    "data aggregate copy": "wants a second server",
    "data entry": "a form in a terminal",
    "dev": "builds our own models, and asks no server",
    "doctor fix": "walks a person through other verbs",
    "journal prune": "of this machine",
    "metadata merge": "wants a second server",
    "profile": "of this machine",
    "raw delete": "sends whatever it is told: tested on the sandbox alone",
    "raw patch": "sends whatever it is told: tested on the sandbox alone",
    "raw post": "sends whatever it is told: tested on the sandbox alone",
    "raw put": "sends whatever it is told: tested on the sandbox alone",
    "sandbox": "of this machine",
    "verbs": "of this machine",
}
"""By verb, or by domain for all of its verbs."""
