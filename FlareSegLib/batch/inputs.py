"""Which CTs a batch is about: files, folders, patterns and lists, each CT with a name for its files."""

from __future__ import annotations

import glob
import hashlib
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from ..errors import FlareSegError
from ..evaluation.pairs import case_name
from ..volumes.dicom import Series, is_dicom_file, list_series, usable_scans
from ..volumes.reading import image_ending

LIST_ENDING = ".txt"
#: A case's files are called after it: letters of any script, digits, and what no file system minds.
_UNSAFE = re.compile(r"[^\w.+-]+")
LONGEST_NAME = 100


@dataclass(frozen=True)
class Source:
    """A CT as the user gave it.

    Attributes
    ----------
    path : str
        Absolute: a file, or the first DICOM file of a series, or the folder that holds all of a series' folders.
    called : str
        What its name is made of: the file's own name without its ending; of DICOM the folder's.
    within : str
        Name of the folder around that, for names that several have: ct.nii.gz in a folder a patient.
    series : str or None
        DICOM series UID, where the path alone does not tell.
    """

    path: str
    called: str
    within: str
    series: str | None = None

    @property
    def key(self) -> str:
        """16 hexadecimal digits for where it lies: by them a batch that goes on knows it again."""
        return hashlib.sha256(f"{self.path}\0{self.series or ''}".encode("utf-8", "surrogateescape")).hexdigest()[:16]


@dataclass(frozen=True)
class Case:
    """A CT of the batch, under its own name."""

    name: str
    source: Source


@dataclass
class _Found:
    """Sources in the order in which they were found, each once; how many DICOM series were passed over."""

    sources: dict[str, Source] = field(default_factory=dict)
    no_ct: int = 0
    listed: dict[Path, tuple[Series, ...] | None] = field(default_factory=dict)

    def add(self, source: Source) -> None:
        self.sources.setdefault(source.key, source)

    def series_in(self, folder: Path) -> tuple[Series, ...] | None:
        """The DICOM series in a folder, each folder read once; None where a file is damaged: reading will say so."""
        if folder not in self.listed:
            try:
                self.listed[folder] = list_series(folder, recursive=False)
            except FlareSegError:
                self.listed[folder] = None
        return self.listed[folder]


def find_sources(inputs: Iterable[str | os.PathLike[str]],
                 leave_out: Path | None = None) -> tuple[tuple[Source, ...], int]:
    """Return all CTs that the inputs name, each once, and how many DICOM series in folders are no CT.

    What is named and is not there, or holds no CT, is among them, to fail as a case of its own.

    Parameters
    ----------
    inputs : iterable of path
        A file; a folder, with all image files and DICOM CT series in it and below; a pattern (``*``, ``?``, ``[]``,
        ``**``); a text file (.txt) with one such input a line (``#`` begins a remark). Hidden files are passed over.
    leave_out : Path, optional
        A folder in which nothing is looked for: where the results go.

    Raises
    ------
    FlareSegError
        "not_found" for a list that cannot be read, or where nothing of what is named is there.
    """
    found = _Found()
    for each in inputs:
        _add_input(found, os.fspath(each), leave_out and leave_out.resolve(), True)
    if not any(os.path.lexists(source.path) for source in found.sources.values()):
        raise FlareSegError("not_found", "Nothing of what is named is there; check the paths and patterns.")
    return tuple(found.sources.values()), found.no_ct


def named(sources: Iterable[Source], known: Mapping[str, str] = {}, numbered: bool = False) -> tuple[Case, ...]:
    """Give each source a name of its own.

    Parameters
    ----------
    known : mapping
        Names given before, by `Source.key`; they stay.
    numbered : bool
        case_0001, case_0002, … instead of names made of what the files are called, which may tell who somebody is.
    """
    sources = tuple(sources)
    taken = {name.casefold() for name in known.values()}  # as file systems that know no case take them
    called = Counter(source.called.casefold() for source in sources)
    cases = []
    for source in sources:
        name = known.get(source.key)
        if name is None:
            own = source.called if called[source.called.casefold()] == 1 else f"{source.within}_{source.called}"
            name = next(name for name in _candidates("case" if numbered else own, numbered)
                        if name.casefold() not in taken)
            taken.add(name.casefold())
        cases.append(Case(name, source))
    return tuple(cases)


def _candidates(own: str, numbered: bool) -> Iterator[str]:
    """Names that a file may have: numbered from the first one on, or from the second."""
    stem = _UNSAFE.sub("_", own).strip("._+-")[:LONGEST_NAME] or "case"
    if not numbered:
        yield stem
    yield from (f"{stem}_{number:04}" if numbered else f"{stem}_{number}" for number in count(1 if numbered else 2))


def _add_input(found: _Found, given: str, leave_out: Path | None, lists: bool) -> None:
    path = Path(given)
    if os.path.isdir(path):  # unlike Path.is_dir never raises, whatever a list holds
        if not _add_folder(found, path, leave_out):
            found.add(_source(path))
    elif not os.path.lexists(path) and glob.has_magic(given) and "\0" not in given:
        for match in sorted(glob.glob(given, recursive=True)):
            _add_input(found, match, leave_out, lists)
    elif lists and path.suffix.lower() == LIST_ENDING:
        for line in _lines(path):
            _add_input(found, line, leave_out, False)
    else:
        found.add(_file_source(found, path))


def _source(path: Path) -> Source:
    path = Path(os.path.abspath(path))
    return Source(str(path), case_name(path), path.parent.name)


def _lines(path: Path) -> list[str]:
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise FlareSegError("not_found", f"The list {path} cannot be read; give a text file (UTF-8) with one path a "
                                         "line.") from error
    return [line for line in lines if line and not line.startswith("#")]


def _add_folder(found: _Found, top: Path, leave_out: Path | None) -> bool:
    """Add image files by their endings, folders with DICOM files by series; return whether there was any."""
    dicom, images = [], []
    for root, below, names in os.walk(os.path.abspath(top)):
        below[:] = sorted(name for name in below if not name.startswith(".")
                          and (leave_out is None or (Path(root) / name).resolve() != leave_out))
        shown = [Path(root) / name for name in sorted(names) if not name.startswith(".")]
        images += [path for path in shown if image_ending(path) is not None]
        if any(image_ending(path) is None and is_dicom_file(path) for path in shown):
            dicom.append(Path(root))
    sources = [*map(_source, images), *_series_sources(found, dicom)]
    for source in sources:
        found.add(source)
    return bool(sources)


def _series_sources(found: _Found, folders: list[Path]) -> list[Source]:
    """The CT series of folders; one may be spread over several of them."""
    sources, scans = [], defaultdict(list)
    for folder in folders:
        series = found.series_in(folder)
        if series is None:
            sources.append(_source(folder))
            continue
        usable = usable_scans(series)
        found.no_ct += len(series) - len(usable)
        for scan in usable:
            scans[scan.uid].append((folder, _scan_source(folder, scan, len(usable))))
    for uid, places in scans.items():
        if len(places) > 1:
            together = Path(os.path.commonpath([folder for folder, _ in places]))
            sources.append(Source(str(together), together.name, together.parent.name, uid))
        else:
            sources.append(places[0][1])
    return sources


def _file_source(found: _Found, path: Path) -> Source:
    """The file, or the series of which it is a slice."""
    folder = Path(os.path.abspath(path)).parent
    if not os.path.isfile(path) or image_ending(path) is not None or not is_dicom_file(path):
        return _source(path)
    series = found.series_in(folder)
    if series is None:
        return _source(folder)
    own = next((each for each in series if folder / path.name in [one.path for one in each.slices]), None)
    return _source(path) if own is None else _scan_source(folder, own, len(usable_scans(series)))


def _scan_source(folder: Path, scan: Series, scans: int) -> Source:
    called = folder.name if scans == 1 else f"{folder.name}_series{scan.number}"
    return Source(str(scan.slices[0].path), called, folder.parent.name, scan.uid)
