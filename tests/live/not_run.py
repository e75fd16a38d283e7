"""Verbs that no live test runs, and why: the table of families tells it, and a test that there are no others."""

from typing import Final

NOT_RUN: Final = {
    "browser pat": "changes a profile of this machine",
    "data aggregate copy": "wants a second server",
    "data entry": "a form in a terminal",
    "data tracker override": "wants a second account, from which somebody is hidden",
    "dev codegen build": "builds our own models, and asks no server",
    "dev codegen check": "builds our own models, and asks no server",
    "dev codegen diff": "compares our own models, which lag a server that was updated",
    "dev codegen fetch": "writes the manifests of our own models",
    "dev plugin new": "of this machine",
    "dev plugin list": "of this machine",
    "doctor fix": "walks a person through other verbs",
    "journal prune": "of this machine",
    "metadata merge": "wants a second server",
    "profile": "of this machine",
    "raw delete": "sends whatever it is told: tested on the sandbox alone",
    "raw patch": "sends whatever it is told: tested on the sandbox alone",
    "raw post": "sends whatever it is told: tested on the sandbox alone",
    "raw put": "sends whatever it is told: tested on the sandbox alone",
    "sandbox": "of this machine",
    "validation run": "keeps what it finds for good; it is planned",
    "validation send": "mails people",
    "verbs": "of this machine",
}
"""By verb, or by domain for all of its verbs."""
