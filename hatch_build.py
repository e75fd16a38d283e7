"""The wheel's build hook: the catalogue of verbs is built from their declarations, never committed.

A wheel gets a catalogue of its own; an editable install gets one in the checkout, which is where it reads.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

CATALOGUE = "dhis2sh/_manifest"
BUILDER = "dhis2sh.verbs.build_manifest"
"""The module that builds it."""


class CatalogueHook(BuildHookInterface):
    """Builds the catalogue with the runtime dependencies, which `pyproject.toml` asks for in the build's environment."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Before the files of a wheel are gathered.

        Parameters:
            version: `editable` or `standard`.
            build_data: takes the files that lie outside of the checkout.
        """
        self._folder = tempfile.TemporaryDirectory(prefix="dhis2sh-build-")
        if version == "editable":
            self._build("--always")
            return
        made = Path(self._folder.name, "catalogue")
        self._build("--to", str(made))
        build_data["force_include"][str(made)] = CATALOGUE

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """After the wheel is written: its catalogue is in it."""
        self._folder.cleanup()

    def _build(self, *words: str) -> None:
        sources = os.pathsep.join([self.root, str(Path(self.root, "generated"))])
        home = str(Path(self._folder.name, "home"))  # the builder's own profiles and plugins are nobody's business
        subprocess.run(  # noqa: S603  (a module of ours)
            [sys.executable, "-m", BUILDER, *words],
            cwd=self._folder.name,
            env={**os.environ, "PYTHONPATH": sources, "DHIS2SH_HOME": home},
            check=True,
        )
