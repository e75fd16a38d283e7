"""A server's refusal with names beside the UIDs."""

from dhis2sh.changes.refusals import named

NAMES = {"sby5V2NeYDv": "Penta vials received", "BpIzzg3oEsr": "Penta vials used"}


def test_a_uid_alone_gets_its_name():
    assert named("object BpIzzg3oEsr exists", NAMES) == "object 'Penta vials used' [BpIzzg3oEsr] exists"
    assert named("Invalid reference [BpIzzg3oEsr]", NAMES) == "Invalid reference 'Penta vials used' [BpIzzg3oEsr]"


def test_an_object_that_the_server_named_keeps_the_name_it_was_sent_with():
    said = "Property `name` on object Penta vials [sby5V2NeYDv] already exists on object BpIzzg3oEsr"
    assert named(said, NAMES) == said.replace("BpIzzg3oEsr", "'Penta vials used' [BpIzzg3oEsr]")
