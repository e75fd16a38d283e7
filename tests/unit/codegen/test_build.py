"""The generated tree is what a build makes of the manifests, byte for byte, and keeps its size and form."""

import filecmp
import hashlib
import importlib
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from codegen import build as generator
from codegen import names
from codegen.build import Built
from codegen.drift import drift
from codegen.openapi import distil_openapi
from codegen.patches import DISCRIMINATORS, PATCHES, UNDISCRIMINATED
from codegen.schemas import distil_schemas
from dhis2sh.models import facts
from tests.contract.answers import recorded
from tests.shared import needs_shared

pytestmark = pytest.mark.no_cover  # the generator is no part of what is measured
COMPONENTS = {"v40": 547, "v41": 593, "v42": 925, "v43": 925, "v44": 933}


@cache
def built(version: str) -> Built:
    return generator.build(version)


def files(folder: Path) -> list[str]:
    found = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    return sorted(path.as_posix() for path in found if "__pycache__" not in path.parts)


def test_the_generated_files_are_what_a_build_writes(tmp_path: Path) -> None:
    """All of them: what was edited, added or taken away by hand fails here, beside the versions' folders too."""
    every = [built(version) for version in facts.VERSIONS]
    generator.write(every, tmp_path / "dhis2_models")

    assert generator.differences(every) == []
    assert files(generator.GENERATED.parent) == files(tmp_path)
    same = filecmp.cmpfiles(tmp_path, generator.GENERATED.parent, files(tmp_path), shallow=False)[0]
    assert same == files(tmp_path)


def test_a_build_does_not_depend_on_the_order_of_sets() -> None:
    code = (
        "import hashlib; from codegen.build import build; found = build('v42');"
        "print(hashlib.sha256(repr((found.files, found.log)).encode()).hexdigest())"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    other = subprocess.run(
        [sys.executable, "-c", code], cwd=generator.ROOT, env=environment, capture_output=True, text=True, check=True
    )
    ours = hashlib.sha256(repr((built("v42").files, built("v42").log)).encode()).hexdigest()
    assert other.stdout.strip() == ours


SMALL = Built("v42", {"a.py": "a = 1\n", "components/b.py": "b = 2\n"}, [])


@pytest.mark.parametrize(
    ("path", "text", "how"),
    [
        ("v42/a.py", b"a = 3\n", "changed"),
        ("v42/a.py", b"\xff\xfe", "changed"),
        ("v42/old.py", b"old = 0\n", "not generated"),
        ("__init__.py", b"from dhis2_models.v42 import a\n", "changed"),
        ("facts.py", b"facts = 0\n", "not generated"),
        ("v39/__init__.py", b"", "not generated"),
    ],
)
def test_what_was_written_by_hand_is_named_and_taken_away(tmp_path: Path, path: str, text: bytes, how: str) -> None:
    generator.write([SMALL], tmp_path)
    assert generator.differences([SMALL], tmp_path) == []
    (tmp_path / path).parent.mkdir(exist_ok=True)
    (tmp_path / path).write_bytes(text)
    assert generator.differences([SMALL], tmp_path) == [(path, how)]

    generator.write([SMALL], tmp_path)

    assert generator.differences([SMALL], tmp_path) == []


@pytest.mark.parametrize("path", ["v42/components/b.py", "py.typed"])
def test_what_was_taken_away_is_named(tmp_path: Path, path: str) -> None:
    generator.write([SMALL], tmp_path)
    (tmp_path / path).unlink()
    assert generator.differences([SMALL], tmp_path) == [(path, "missing")]


def test_a_build_of_one_version_leaves_the_others_alone(tmp_path: Path) -> None:
    other = Built("v41", {"a.py": "a = 0\n"}, [])
    generator.write([other], tmp_path)
    generator.write([SMALL], tmp_path)

    assert generator.differences([SMALL], tmp_path) == []
    assert files(tmp_path) == ["__init__.py", "py.typed", "v41/a.py", "v42/a.py", "v42/components/b.py"]


@pytest.mark.parametrize("version", facts.VERSIONS)
def test_a_version_is_under_two_megabytes_and_no_file_over_2000_lines(version: str) -> None:
    files = built(version).files

    assert sum(len(text.encode()) for text in files.values()) < 2_000_000
    assert {path: text.count("\n") for path, text in files.items() if text.count("\n") > 2000} == {}


def test_the_generated_files_are_formatted() -> None:
    ruff = Path(sys.executable).parent / "ruff"
    command = [ruff, "format", "--check", "--isolated", "--line-length", "120", "--no-cache", generator.GENERATED]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("version", facts.VERSIONS)
def test_every_component_and_every_type_has_a_name_in_the_package(version: str) -> None:
    components = generator.read(version, "openapi")["components"]
    package = importlib.import_module(f"dhis2_models.{version}")
    types = {row.model for row in facts.types(version).values()}
    made = {name: name for name in types} | names.classes([name for name in components if name not in types], types)

    assert len(components) == COMPONENTS[version]
    assert not [name for name, python in made.items() if not hasattr(package, python)]
    assert {name for name, python in made.items() if name != python} == {"Reference", "Warning"}


@pytest.mark.parametrize("version", facts.VERSIONS)
def test_the_stub_has_every_name_that_the_package_finds(version: str) -> None:
    package = importlib.import_module(f"dhis2_models.{version}")
    words = (generator.GENERATED / version / "__init__.pyi").read_text("utf-8").split()

    assert set(dir(package)) <= {word.strip(",") for word in words}


def test_the_log_names_each_patch_and_counts_the_discriminators() -> None:
    logs = {version: built(version).log for version in facts.VERSIONS}
    every = [line for log in logs.values() for line in log]

    assert not [patch for patch in PATCHES if not any(str(patch) in line for line in every)]
    assert not [found for found in DISCRIMINATORS if not any(found.reason in line for line in every)]
    assert not [reason for reason, _ in UNDISCRIMINATED.values() if not any(reason in line for line in every)]
    assert "8 discriminators added, 3 left out" in logs["v42"]
    assert sum(line.startswith("discriminator left out of") for line in logs["v42"]) == 3


@pytest.mark.parametrize("version", facts.VERSIONS)
def test_the_log_names_what_the_descriptions_say_otherwise(version: str) -> None:
    log = "\n".join(built(version).log)

    assert "COLLECTION, though said to be another:" in log
    assert "CategoryDimension.categoryOptions" in log
    assert "INTEGER, though said to be another: FileResource.contentLength" in log
    assert "DataIntegritySummary: averageExecutionTime, code, description" in log


@needs_shared
@pytest.mark.parametrize("version", facts.VERSIONS)
def test_the_manifests_are_what_the_servers_said(version: str) -> None:
    assert distil_openapi(recorded(version, "openapi")) == generator.read(version, "openapi")
    assert distil_schemas(recorded(version, "schemas")) == generator.read(version, "schemas")


def test_the_manifests_hold_no_prose() -> None:
    for version in facts.VERSIONS:
        keys = set[str]()
        stack: list[object] = [*generator.read(version, "openapi")["components"].values()]
        while stack:
            node = stack.pop()
            if isinstance(node, dict):
                if "properties" in node:
                    keys |= node.keys()
                    stack += node["properties"].values()
                else:
                    keys |= node.keys()
                    stack += node.values()
            elif isinstance(node, list):
                stack += node
        assert keys <= {
            "properties",
            "required",
            "readOnly",
            "map",
            "oneOf",
            "enum",
            "value",
            "pattern",
            "minLength",
            "maxLength",
        }


def test_drift_is_a_row_for_each_fact() -> None:
    manifest = {
        "components": {"A": {"properties": {"x": "string", "y": "boolean"}}, "B": {"enum": ["ONE"]}, "C": "any"}
    }
    server = {
        "components": {"A": {"properties": {"x": "integer", "z": "any"}}, "B": {"enum": ["ONE", "TWO"]}, "D": "any"}
    }

    found = [(d.name, d.property, d.change, d.manifest, d.server) for d in drift("openapi", manifest, server)]

    assert found == [
        ("A", "x", "changed", "string", "integer"),
        ("A", "y", "removed", "boolean", ""),
        ("A", "z", "added", "", "any"),
        ("B", "", "changed", '{"enum":["ONE"]}', '{"enum":["ONE","TWO"]}'),
        ("C", "", "removed", "any", ""),
        ("D", "", "added", "", "any"),
    ]


def test_drift_of_the_schemas_says_which_key_of_a_property() -> None:
    manifest = generator.read("v42", "schemas")
    server = json.loads(json.dumps(facts.expand(manifest)))
    named = {t["singular"]: t for t in server["schemas"]}
    next(p for p in named["dataElement"]["properties"] if p["name"] == "formName")["max"] = 7.0
    server["schemas"] = [t for t in server["schemas"] if t["singular"] != "constant"]

    found = drift("schemas", manifest, distil_schemas(server))

    assert [(d.name, d.change) for d in found if not d.property] == [("Constant", "removed")]
    assert [(d.property, d.change, d.server) for d in found if d.name == "DataElement"] == [
        ("formName", "changed", '{"max":7.0}')
    ]
