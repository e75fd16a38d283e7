"""Build the package `dhis2_models` from the manifests, or say how the tree differs from what a build would write."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dhis2_models import facts

from codegen.emit import emit
from codegen.plan import plan

ROOT = Path(__file__).resolve().parent.parent
MANIFESTS = ROOT / "codegen" / "manifests"
GENERATED = ROOT / "generated" / "dhis2_models"


@dataclass(frozen=True, slots=True)
class Built:
    """The files of one version, by path below its folder, and what was decided on the way."""

    version: str
    files: dict[str, str]
    log: list[str]


def read(version: str, name: str) -> dict[str, Any]:
    """A manifest.

    Parameters:
        version: 'v42'.
        name: 'schemas' or 'openapi'.

    Raises:
        FileNotFoundError: there is none of this version.
    """
    return json.loads((MANIFESTS / version / f"{name}.json").read_bytes())


def build(version: str) -> Built:
    """The files of one version, from its manifests; nothing is written.

    Parameters:
        version: one of `dhis2_models.facts.VERSIONS`.

    Raises:
        FileNotFoundError: there is no manifest of this version.
        codegen.errors.CodegenError: a manifest has a fault; the message names it.
    """
    decided = plan(version, read(version, "schemas"), read(version, "openapi"))
    files = emit(decided)
    files["schemas.json"] = (MANIFESTS / version / "schemas.json").read_text("utf-8")
    return Built(version, dict(sorted(files.items())), decided.log)


def write(built: Built, folder: Path = GENERATED) -> None:
    """Make a version's folder hold exactly the files that were built.

    Parameters:
        built: what `build` returned.
        folder: the package's folder; the version is a folder in it.
    """
    target = folder / built.version
    for path in _files(target) - built.files.keys():
        (target / path).unlink()
    for path, text in built.files.items():
        file = target / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.is_file() or file.read_text("utf-8") != text:
            file.write_text(text, "utf-8")


def differences(built: Built, folder: Path = GENERATED) -> list[tuple[str, str]]:
    """Where a version's folder is not what was built: path and 'missing', 'changed' or 'not generated'.

    Parameters:
        built: what `build` returned.
        folder: the package's folder.
    """
    target = folder / built.version
    there = _files(target)
    found = [(path, "missing") for path in built.files.keys() - there]
    found += [(path, "not generated") for path in there - built.files.keys()]
    found += [
        (path, "changed")
        for path in there & built.files.keys()
        if (target / path).read_text("utf-8") != built.files[path]
    ]
    return sorted((f"{built.version}/{path}", how) for path, how in found)


def _files(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def versions() -> tuple[str, ...]:
    """The versions that have manifests."""
    return tuple(v for v in facts.VERSIONS if (MANIFESTS / v / "openapi.json").is_file())
