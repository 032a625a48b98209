"""What CMake installs: every file on disk, importable where Slicer looks for it, with the index's metadata."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
CONFIG = Path(__file__).parent / "slicer_config"
MODULES = "lib/Slicer-5.12/qt-scripted-modules"
#: Folders of modules, whose content lands directly in qt-scripted-modules.
MODULE_FOLDERS = [REPOSITORY / "FlareSeg", REPOSITORY / "FlareSegEditor"]

pytestmark = pytest.mark.skipif(shutil.which("cmake") is None, reason="cmake is not installed")


def build(source: Path, folder: Path) -> Path:
    """Configure and install an extension; return the prefix."""
    subprocess.run(["cmake", "-S", source, "-B", folder / "build", f"-DSlicer_DIR={CONFIG}"], check=True,
                   capture_output=True, text=True)
    subprocess.run(["cmake", "--install", folder / "build", "--prefix", folder / "prefix"], check=True,
                   capture_output=True, text=True)
    return folder / "prefix"


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The folder of Slicer's scripted modules, with the extension installed."""
    return build(REPOSITORY, tmp_path_factory.mktemp("extension")) / MODULES


def shipped(folder: Path) -> set[str]:
    """Files of a folder that are to be shipped, relative to it."""
    found = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix() for path in found if path.name != "CMakeLists.txt"}


@pytest.mark.parametrize("folder", MODULE_FOLDERS, ids=lambda folder: folder.name)
def test_every_file_of_a_module_is_installed(installed, folder):
    missing = {file for file in shipped(folder) if not (installed / file).is_file()}
    assert not missing, f"list them in {folder.name}/CMakeLists.txt"


def test_the_whole_library_is_installed(installed):
    library = {file for file in shipped(REPOSITORY / "FlareSegLib") if file.endswith((".py", ".json"))}
    assert len(library) > 50
    assert {file for file in library if not (installed / "FlareSegLib" / file).is_file()} == set()


@pytest.mark.parametrize("kind", ["Models", "Terminology"])
def test_models_and_terminology_are_installed(installed, kind):
    files = shipped(REPOSITORY / "Resources" / kind)
    assert files
    assert shipped(installed / "FlareSegLib" / "Resources" / kind) == files


def test_nothing_else_is_installed(installed):
    expected = set().union(*map(shipped, MODULE_FOLDERS))
    expected |= {f"FlareSegLib/{file}" for file in shipped(REPOSITORY / "FlareSegLib")}
    expected |= {f"FlareSegLib/Resources/{kind}/{file}" for kind in ("Models", "Terminology")
                 for file in shipped(REPOSITORY / "Resources" / kind)}
    assert shipped(installed) <= expected


def test_modules_do_not_overwrite_each_other():
    """All modules of an extension are installed into one folder."""
    names = [name for folder in MODULE_FOLDERS for name in shipped(folder)]
    assert len(names) == len(set(names))
    assert "Resources/requirements.txt" not in names


def test_the_library_works_from_where_it_is_installed(installed):
    code = ("import FlareSegLib; from FlareSegLib.models.store import find_bundle; "
            "print(FlareSegLib.__file__, find_bundle().name)")
    environment = {**os.environ, "PYTHONPATH": str(installed), "FLARESEG_MODELS": str(installed / "none")}
    done = subprocess.run([sys.executable, "-c", code], cwd=installed, env=environment, check=True,
                          capture_output=True, text=True)
    file, model = done.stdout.split()
    assert Path(file).is_relative_to(installed)
    assert model == "flareseg-lite"


def test_a_file_that_is_not_listed_is_noticed(tmp_path):
    copy = tmp_path / "source"
    ignored = shutil.ignore_patterns(".git", ".venv", "Testing", "__pycache__", "build", "demo")
    shutil.copytree(REPOSITORY, copy, ignore=ignored)
    (copy / "FlareSeg" / "FlareSegModuleLib" / "forgotten.py").write_text("")
    modules = build(copy, tmp_path) / MODULES
    missing = {file for file in shipped(copy / "FlareSeg") if not (modules / file).is_file()}
    assert missing == {"FlareSegModuleLib/forgotten.py"}


def test_a_listed_file_that_is_missing_ends_the_configuration(tmp_path):
    copy = tmp_path / "source"
    ignored = shutil.ignore_patterns(".git", ".venv", "Testing", "__pycache__", "build", "demo", "links.py")
    shutil.copytree(REPOSITORY, copy, ignore=ignored)
    with pytest.raises(subprocess.CalledProcessError) as failure:
        build(copy, tmp_path)
    assert "links.py does not exist" in " ".join(failure.value.stderr.split())  # CMake breaks its lines


@pytest.fixture(scope="module")
def metadata() -> dict[str, str]:
    """The top CMakeLists.txt's EXTENSION_ variables, read as the Extensions Index reads them."""
    text = (REPOSITORY / "CMakeLists.txt").read_text(encoding="utf-8")
    return dict(re.findall(r'set\s*\(EXTENSION_(\w+)\s*"([^"]+)"[ ]*\)', text))


def test_the_name_is_one_that_the_index_accepts():
    text = (REPOSITORY / "CMakeLists.txt").read_text(encoding="utf-8")
    name = re.search(r"project\((\w+)\)", text)[1]
    assert not name.startswith("Slicer")
    assert (REPOSITORY / "Resources" / f"{name}.json").is_file()
    assert "## NEXT_MODULE" in text


def test_the_icon_is_a_raster_picture_of_this_repository(metadata):
    url = metadata["ICONURL"]
    assert url.startswith("https://raw.githubusercontent.com/FlareSeg/SlicerFlareSeg/main/")
    icon = REPOSITORY / url.partition("/main/")[2]
    assert icon.read_bytes().startswith(b"\x89PNG")


def test_screenshots_are_small_pictures_of_this_repository(metadata):
    paths = [REPOSITORY / url.partition("/main/")[2] for url in metadata["SCREENSHOTURLS"].split()]
    assert len(paths) >= 3
    for path in paths:
        assert path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size < 300_000, path.name


def test_index_entry(metadata):
    text = (REPOSITORY / "Resources" / "FlareSeg.json").read_bytes()
    entry = json.loads(text)
    allowed = {"$schema", "build_dependencies", "build_subdirectory", "category", "enabled", "scm_revision", "scm_type",
               "scm_url", "tier"}  # of schema 1.0.1
    assert b"\r" not in text
    assert {"$schema", "category", "scm_url"} <= set(entry) <= allowed
    assert entry["category"] == metadata["CATEGORY"]
    assert " ".join(entry["build_dependencies"]) == metadata["DEPENDS"]
    assert entry["scm_url"] == metadata["HOMEPAGE"] + ".git"


@pytest.mark.parametrize("folder", MODULE_FOLDERS, ids=lambda folder: folder.name)
def test_no_loose_python_file_beside_a_module(folder):
    """Slicer loads every .py file of that folder as a module."""
    assert [path.name for path in folder.glob("*.py")] == [f"{folder.name}.py"]
    classes = {node.name for node in ast.parse((folder / f"{folder.name}.py").read_text(encoding="utf-8")).body
               if isinstance(node, ast.ClassDef)}
    assert {folder.name + ending for ending in ("", "Widget", "Logic", "Test")} <= classes
