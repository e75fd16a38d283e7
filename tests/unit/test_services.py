"""Services stand on their own: no verb, no surface."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import pytest

import dhis2sh.metadata
import dhis2sh.plugins
from dhis2sh.verbs import registry

SERVICES = [found.name for found in pkgutil.walk_packages(dhis2sh.metadata.__path__, "dhis2sh.metadata.")]


def test_services_are_imported_without_a_verb_in_the_registry():
    """In a process of its own: this one has loaded verbs already."""
    lines = [f"import {name}" for name in SERVICES]
    asks = "import sys; from dhis2sh.verbs.declaration import REGISTRY; print(len(REGISTRY), *(n for n in sys.modules if n.startswith(WRONG)))"
    code = "\n".join([*lines, "WRONG = ('dhis2sh.plugins', 'dhis2sh.surfaces')", asks])
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["0"]


@pytest.mark.parametrize("house", [dhis2sh.metadata, dhis2sh.plugins])
def test_a_room_says_what_it_may_import(house):
    packages = [found.name for found in pkgutil.walk_packages(house.__path__, f"{house.__name__}.") if found.ispkg]
    for name in (house.__name__, *packages):
        __import__(name)
        assert "May import: " in (sys.modules[name].__doc__ or ""), name


def test_every_module_of_verbs_is_found_by_name():
    """What no `MODULES` names would never be loaded."""
    from dhis2sh.plugins.metadata import MODULES
    from dhis2sh.plugins.metadata import types as of_types

    beside = {found.name for found in pkgutil.iter_modules(dhis2sh.plugins.metadata.__path__) if not found.ispkg}
    assert beside - {"family"} == {*MODULES}
    named = {module for modules in of_types.MODULES.values() for module in modules}
    assert {found.name for found in pkgutil.iter_modules(of_types.__path__)} == named
    assert (
        registry.find("metadata organisation-units merge").function.__module__
        == "dhis2sh.plugins.metadata.types.restructuring"
    )
