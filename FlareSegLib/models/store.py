"""Where model bundles live: those that ship with FlareSeg, and the user's own folder."""

from __future__ import annotations

import os
import shutil
import stat
import sysconfig
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath

from ..errors import FlareSegError
from .bundle import (DESCRIPTION_FILE, WEIGHTS_FILE, ModelBundle, new_folder, read_bundle, verify_bundle,
                     write_bundle, write_description)
from .description import NAME, read_json

DEFAULT_MODEL = "flareseg-lite"
#: Beside model.json and the weights: model card and licence.
TEXT_SUFFIXES = {".md", ".txt"}
LARGEST_TEXT = 2**20
LARGEST_ZIP_MEMBER = 2 * 2**30
LARGEST_ZIP = 4 * 2**30
MOST_ZIP_MEMBERS = 1000
ZIP_CHUNK = 2**20


def shipped_folders() -> tuple[Path, ...]:
    """Folders of the shipped models; they need not exist.

    The source tree's, an installed Slicer extension's, and a pip installation's (data files of the wheel).
    """
    package = Path(__file__).resolve().parents[1]
    return (package.parent / "Resources" / "Models", package / "Resources" / "Models",
            Path(sysconfig.get_path("data")) / "share" / "flareseg" / "Models")


def user_folder() -> Path:
    """The user's folder of models: the environment's FLARESEG_MODELS, else ~/.flareseg/models."""
    chosen = os.environ.get("FLARESEG_MODELS")
    return _expanded(chosen) if chosen else Path.home() / ".flareseg" / "models"


def list_bundles() -> list[ModelBundle]:
    """Return every bundle whose description is right, the shipped ones first, each kind by name.

    A user's bundle of a shipped one's name is left out, as `find_bundle` gives the shipped one.
    """
    bundles: dict[str, ModelBundle] = {}
    for folder in _bundle_folders():
        try:
            bundles.setdefault(folder.name, read_bundle(folder))
        except FlareSegError:
            continue  # broken_bundles tells of it
    return list(bundles.values())


def broken_bundles() -> list[tuple[Path, FlareSegError]]:
    """Return the bundles that `list_bundles` left out because their description is wrong, each with the reason."""
    broken = []
    for folder in _bundle_folders():
        try:
            read_bundle(folder)
        except FlareSegError as error:
            broken.append((folder, error))
    return broken


def is_shipped(bundle: ModelBundle) -> bool:
    """Whether the bundle came with FlareSeg."""
    return bundle.folder.resolve().parent in {folder.resolve() for folder in shipped_folders()}


def find_bundle(name_or_path: str | Path = "default") -> ModelBundle:
    """Return a bundle by its name, by "default" (the shipped starter model) or by its folder's path.

    Raises
    ------
    FlareSegError
        "model_not_found" listing the models that are there; "model_invalid" where its description is wrong.
    """
    name = DEFAULT_MODEL if name_or_path == "default" else str(name_or_path)
    for folder in _bundle_folders():
        if folder.name == name:
            return read_bundle(folder)
    path = _expanded(name)
    if os.path.isdir(path):  # unlike Path.is_dir, False for what can be no path
        return read_bundle(path)
    there = ", ".join(bundle.folder.name for bundle in list_bundles()) or "none"
    raise FlareSegError("model_not_found", f"There is no model {name}; the models here are: {there}. "
                                           "Give one of these names or the path of a model's folder.")


def remove_bundle(name: str) -> None:
    """Delete one of the user's bundles.

    Raises
    ------
    FlareSegError
        "model_not_found"; "bad_option" for a shipped model, which stays; "output_unwritable".
    """
    folder = user_folder() / name
    if not NAME.fullmatch(name) or not _describes_itself(folder):
        if any(found.name == name for found in _bundle_folders()):
            raise FlareSegError("bad_option", f"The model {name} came with FlareSeg and is not removed; "
                                              "only imported models can be.")
        raise FlareSegError("model_not_found", f"There is no imported model {name}; nothing was removed.")
    try:
        folder.unlink() if folder.is_symlink() else shutil.rmtree(folder)
    except OSError as error:
        raise FlareSegError("output_unwritable", f"The model {name} cannot be removed from {folder}.") from error


def import_bundle(source: str | Path, name: str | None = None) -> ModelBundle:
    """Copy a model into the user's folder and return it.

    Parameters
    ----------
    source : str or Path
        The folder of a bundle, a zip of such a folder, or the folder of a trained nnU-Net 2D model.
    name : str or None
        The name it gets here; None for its own.

    Raises
    ------
    FlareSegError
        "not_found", "output_exists" (nothing is ever overwritten), "output_unwritable", "bad_option" for an
        impossible name, and "model_not_found", "model_invalid", "model_unsafe" or "model_unsupported".
    """
    source = _expanded(source)
    if name is not None and not NAME.fullmatch(name):
        raise FlareSegError("bad_option", "A model's name has letters, digits, dots, underscores and hyphens, "
                                          "at most 64; choose another.")
    if os.path.isdir(source):
        return _import_folder(source, name)
    if not os.path.isfile(source):
        raise FlareSegError("not_found", f"There is no file or folder {source}.")
    with _unpacked(source) as folder:
        try:
            return _import_folder(folder, name)
        except FlareSegError as error:  # the user knows the zip, not where it was unpacked
            raise FlareSegError(error.code, str(error).replace(str(folder), str(source))) from error


def _expanded(path: str | Path) -> Path:
    """The path with ~ filled in; unlike Path.expanduser this leaves the ~ of an unknown user as it is."""
    return Path(os.path.expanduser(path))


def _describes_itself(folder: Path) -> bool:
    """Whether a folder holds a model.json; unlike Path.is_file this is False for whatever cannot be looked at."""
    return os.path.isfile(folder / DESCRIPTION_FILE)


def _bundle_folders() -> Iterator[Path]:
    for place in (*shipped_folders(), user_folder()):
        with suppress(OSError):  # absent, or not for this user to look into: there are no models to use
            yield from sorted(folder for folder in place.iterdir()
                              if not folder.name.startswith(".") and _describes_itself(folder))


def _import_folder(source: Path, name: str | None) -> ModelBundle:
    if (source / DESCRIPTION_FILE).exists():
        return _copy_bundle(source, name)
    from .nnunet_import import import_nnunet, is_nnunet

    if not is_nnunet(source):
        raise FlareSegError("model_not_found", f"{source} holds neither a FlareSeg model (model.json) nor an nnU-Net "
                                               "model (plans.json or plans.pkl); choose the model's own folder.")
    if name is not None:
        _new_place(name)
    network, fields = import_nnunet(source, name)
    return write_bundle(_new_place(fields["name"]), network, **fields)


def _copy_bundle(source: Path, name: str | None) -> ModelBundle:
    """Copy a bundle's own files, and nothing else that lies in its folder; links are refused."""
    name = name or read_bundle(source).name
    files = [path for path in sorted(source.iterdir())
             if path.name in (DESCRIPTION_FILE, WEIGHTS_FILE) or path.suffix.lower() in TEXT_SUFFIXES]
    if any(path.is_symlink() or not path.is_file() for path in files):
        raise FlareSegError("model_unsafe", "The model's folder holds links in the place of files; "
                                            "get the model itself.")
    if any(path.suffix.lower() in TEXT_SUFFIXES and path.stat().st_size > LARGEST_TEXT for path in files):
        raise FlareSegError("model_unsafe", "A text of the model is larger than 1 MB; it was not imported.")
    destination = _new_place(name)
    with new_folder(destination) as temporary:
        for path in files:
            shutil.copyfile(path, temporary / path.name)
        if read_bundle(temporary).name != name:
            write_description(temporary, {**read_json(temporary / DESCRIPTION_FILE), "name": name})
        bundle = read_bundle(temporary)
        verify_bundle(bundle)
    return replace(bundle, folder=destination)


def _new_place(name: str) -> Path:
    """The folder for a new bundle; no shipped or imported one has its name."""
    if any(folder.name == name for folder in _bundle_folders()):
        raise FlareSegError("output_exists", f"There is a model {name} already; give the new one another name or "
                                             "remove the old one first.")
    return user_folder() / name


@contextmanager
def _unpacked(path: Path) -> Iterator[Path]:
    """Give a temporary folder with what a zip holds: the innermost one, where each holds but the next."""
    with tempfile.TemporaryDirectory(prefix="flareseg-") as temporary:
        try:
            with zipfile.ZipFile(path) as archive:
                _extract(archive, Path(temporary))
        except FlareSegError:
            raise
        except Exception as error:  # a damaged zip can fail in any way that its decompressors can
            raise FlareSegError("model_invalid", f"{path} is not a readable zip; give a model's folder or a zip "
                                                 "of it.") from error
        yield _innermost(Path(temporary))


def _innermost(folder: Path) -> Path:
    """Go down while a folder holds one folder and nothing else, as in nnU-Net's exports (data set, then model)."""
    while True:
        # macOS adds its own files to every zip.
        entries = [entry for entry in folder.iterdir() if not entry.name.startswith((".", "__MACOSX"))]
        if len(entries) != 1 or not entries[0].is_dir():
            return folder
        folder = entries[0]


def _extract(archive: zipfile.ZipFile, folder: Path) -> None:
    members = archive.infolist()
    if len(members) > MOST_ZIP_MEMBERS or sum(member.file_size for member in members) > LARGEST_ZIP:
        raise _unsafe_zip("more or larger files than a model has")
    for member in members:
        _check_member(member)
    for member in members:
        target = folder / member.filename
        if member.is_dir():
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as content, target.open("xb") as file:
            shutil.copyfileobj(content, file, ZIP_CHUNK)


def _check_member(member: zipfile.ZipInfo) -> None:
    """Refuse what could land outside the folder or is no plain file; zipfile gives no more than the stated size."""
    name = PurePosixPath(member.filename)
    if name.is_absolute() or ".." in name.parts or "\\" in member.orig_filename or ":" in member.filename:
        raise _unsafe_zip("a path that leads out of its folder")
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _unsafe_zip("a link or another special file")
    if member.flag_bits & 1:
        raise _unsafe_zip("encrypted files")
    if member.file_size > LARGEST_ZIP_MEMBER:
        raise _unsafe_zip("a file larger than a model has")


def _unsafe_zip(what: str) -> FlareSegError:
    return FlareSegError("model_unsafe", f"The zip holds {what}; nothing was imported.")
