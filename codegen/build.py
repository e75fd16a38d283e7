"""Build the package `dhis2_models` from the manifests, or say how the tree differs from what a build would write."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codegen.emit import emit, emit_package
from codegen.plan import plan
from dhis2sh.models import facts

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
        version: one of `dhis2sh.models.facts.VERSIONS`.

    Raises:
        FileNotFoundError: there is no manifest of this version.
        codegen.errors.CodegenError: a manifest has a fault; the message names it.
    """
    decided = plan(version, read(version, "schemas"), read(version, "openapi"))
    files = emit(decided)
    files["schemas.json"] = (MANIFESTS / version / "schemas.json").read_text("utf-8")
    return Built(version, dict(sorted(files.items())), decided.log)


def tree(built: Sequence[Built]) -> dict[str, str]:
    """Every file of these versions and those beside the versions' folders, by path below the package's folder.

    Parameters:
        built: what `build` returned, of one version or more.
    """
    files = {f"{one.version}/{path}": text for one in built for path, text in one.files.items()}
    return emit_package(versions()) | files


def write(built: Sequence[Built], folder: Path = GENERATED) -> None:
    """Make the package hold exactly the files that were built; versions that were not built stay as they are.

    Parameters:
        built: what `build` returned, of one version or more.
        folder: the package's folder; each version is a folder in it.
    """
    files = tree(built)
    for path in _files(folder, built) - files.keys():
        (folder / path).unlink()
    for path, text in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.is_file() or _text(file) != text:
            file.write_text(text, "utf-8")


def differences(built: Sequence[Built], folder: Path = GENERATED) -> list[tuple[str, str]]:
    """Where the package is not what was built: path and 'missing', 'changed' or 'not generated'.

    Parameters:
        built: what `build` returned, of one version or more; the others are not looked at.
        folder: the package's folder.
    """
    files, there = tree(built), _files(folder, built)
    found = [(path, "missing") for path in files.keys() - there]
    found += [(path, "not generated") for path in there - files.keys()]
    found += [(path, "changed") for path in there & files.keys() if _text(folder / path) != files[path]]
    return sorted(found)


def versions() -> tuple[str, ...]:
    """The versions that have manifests."""
    return tuple(v for v in facts.VERSIONS if (MANIFESTS / v / "openapi.json").is_file())


def _files(folder: Path, built: Sequence[Built]) -> set[str]:
    """What is there, by path below the package's folder, but for the versions that were not built."""
    others = {*versions()} - {one.version for one in built}
    paths = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    return {path.as_posix() for path in paths if "__pycache__" not in path.parts and path.parts[0] not in others}


def _text(file: Path) -> str | None:
    """A file's text; None for what is no text, as no generated file is."""
    try:
        return file.read_text("utf-8")
    except UnicodeDecodeError:
        return None
