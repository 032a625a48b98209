"""The one way from an input file to finished output files: read, check, segment, measure, write."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import FlareSegError
from .staging import Staging

if TYPE_CHECKING:
    from ..inference.segmentation import Segmentation
    from ..results.measurements import OrganMeasurement
    from ..volumes.dicom import Series
    from ..volumes.volume import Volume

#: ``progress(stage, done, total)``; stages are "reading", "segmenting", "measuring", "writing".
Progress = Callable[[str, int, int], None]
Log = Callable[[str], None]


@dataclass(frozen=True)
class SegmentJob:
    """What to segment and where to put it; plain values only, so that it travels as JSON.

    Attributes
    ----------
    input : str
        CT file or DICOM folder.
    outputs : tuple of str
        Segmentation and label map files; the suffix decides the format (.seg.nrrd, .nrrd, .nii.gz, .nii, .mha; .dcm
        for DICOM SEG, of a DICOM CT).
    model : str
        Name of an installed bundle or a bundle folder.
    organs : tuple of str or None
        Names of the organs to keep; None for all.
    device : str
        "auto", "cpu", "cuda" or "mps".
    exact : bool
        float32 throughout.
    runtime : str
        "auto", "torch" or "openvino".
    fast : bool
        Leave out slices far from any organ (`inference.scout`); not part of the paper's method.
    keep_largest : bool
        Remove stray islands afterwards (`inference.postprocess`); not part of the paper's method.
    series : str or None
        DICOM series UID or its number in the list.
    preview, thumbnail, report : str or None
        PNG (large), JPEG (small) and JSON files to write beside the outputs.
    overwrite : bool
        Whether existing files may be replaced.
    threads : int or None
        Processor threads; None leaves the choice to the libraries.
    """

    input: str
    outputs: tuple[str, ...]
    model: str = "default"
    organs: tuple[str, ...] | None = None
    device: str = "auto"
    exact: bool = False
    runtime: str = "auto"
    fast: bool = False
    keep_largest: bool = False
    series: str | None = None
    preview: str | None = None
    thumbnail: str | None = None
    report: str | None = None
    overwrite: bool = False
    threads: int | None = None

    @classmethod
    def from_fields(cls, values: dict[str, Any]) -> SegmentJob:
        """Return the job that a JSON object describes; a "type" field is ignored.

        Raises
        ------
        FlareSegError
            "bad_option" for a missing, unknown or ill-typed field.
        """
        if not isinstance(values, dict):
            raise FlareSegError("bad_option", "The job is not a JSON object; send one with input and outputs.")
        values = {name: value for name, value in values.items() if name != "type"}
        unknown = sorted(set(values) - set(_ACCEPTED))
        missing = sorted({"input", "outputs"} - set(values))
        wrong = sorted(name for name, value in values.items() if name in _ACCEPTED and not _ACCEPTED[name](value))
        for problem, names in (("has unknown", unknown), ("lacks the", missing), ("has ill-typed", wrong)):
            if names:
                raise FlareSegError("bad_option", f"The job {problem} field(s) {', '.join(names)}; "
                                                  "see FlareSegLib.jobs.job.SegmentJob.")
        checked: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value
                                   for name, value in values.items()}
        return cls(**checked)

    def as_fields(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values."""
        return asdict(self)

    @property
    def targets(self) -> tuple[str, ...]:
        """All files that the job writes."""
        return (*self.outputs, *(path for path in (self.preview, self.thumbnail, self.report) if path is not None))


@dataclass(frozen=True)
class JobResult:
    """A finished job, its files in place.

    Attributes
    ----------
    job : SegmentJob
        What was asked for.
    segmentation : Segmentation
        The label map and how it came about.
    measurements : tuple of OrganMeasurement
        One an organ.
    warnings : tuple of str
        Doubts about the result.
    """

    job: SegmentJob
    segmentation: Segmentation
    measurements: tuple[OrganMeasurement, ...]
    warnings: tuple[str, ...]

    def as_fields(self) -> dict[str, Any]:
        """Return the file names and the report (`results.report.report_dict`) as JSON-ready values."""
        from ..results.report import report_dict

        return {"outputs": list(self.job.outputs), "preview": self.job.preview, "report": self.job.report,
                **report_dict(self.segmentation, self.measurements, self.warnings)}


def run_job(job: SegmentJob, progress: Progress = lambda stage, done, total: None,
            log: Log = lambda sentence: None, staging: Staging | None = None) -> JobResult:
    """Run a job; its files appear together at the very end, or none of them does.

    Parameters
    ----------
    job : SegmentJob
        What to do.
    progress : callable
        ``progress(stage, done, total)``. What it raises ends the job with nothing written.
    log : callable
        ``log(sentence)`` for notes and warnings, as soon as they are known.
    staging : Staging, optional
        Given by a caller that wants to discard the files from another thread.

    Raises
    ------
    FlareSegError
        For everything that the user can mend.
    """
    with staging or Staging() as staging:
        try:
            return _run(job, progress, log, staging)
        except MemoryError as error:
            raise FlareSegError("out_of_memory", "There is not enough memory for this volume; close other "
                                                 "programs or use a machine with more.") from error


def _run(job: SegmentJob, progress: Progress, log: Log, staging: Staging) -> JobResult:
    _check_options(job)
    check_targets(job)
    from ..models.store import find_bundle
    from ..organs import choose_organs
    from ..volumes.dicom import read_series
    from ..volumes.reading import read_volume

    bundle = find_bundle(job.model)
    organs = None if job.organs is None else list(job.organs)
    choose_organs(bundle.organs, organs)
    progress("reading", 0, 1)
    series = _series_referred_to(job)
    ct = read_volume(job.input, job.series) if series is None else read_series(series)

    from ..inference.segment import segment  # loads torch: seconds that a wrong option or file does not cost
    from ..results.measurements import measure
    from ..results.plausibility import plausibility_warnings

    _use_threads(job.threads)
    segmentation = segment(ct, bundle, device=job.device, exact=job.exact, runtime=job.runtime,
                           fast=job.fast, organs=organs, keep_largest=job.keep_largest,
                           progress=lambda done, total: progress("segmenting", done, total))
    progress("measuring", 0, 1)
    measurements = measure(ct, segmentation.label_map, segmentation.organs)
    warnings = plausibility_warnings(measurements, ct)
    for sentence in (*segmentation.notes, *warnings):
        log(sentence)
    result = JobResult(job, segmentation, measurements, warnings)
    _write(result, ct, series, progress, staging)
    return result


def _series_referred_to(job: SegmentJob) -> Series | None:
    """The series that a DICOM SEG among the outputs refers to, fit for that; None where none is asked for."""
    from ..results.dicom_seg import DICOM_SEG, check_dicom_seg
    from ..volumes.dicom import find_series, is_dicom_file

    if not any(path.lower().endswith(DICOM_SEG) for path in job.outputs):
        return None
    if not (os.path.isdir(job.input) or is_dicom_file(Path(job.input))):
        raise FlareSegError("bad_option", "DICOM SEG (.dcm) refers to the images of a DICOM CT; give a DICOM folder, "
                                          "or write .seg.nrrd.")
    series = find_series(job.input, job.series)
    check_dicom_seg(series)
    if {os.path.realpath(path) for path in job.targets} & {os.path.realpath(one.path) for one in series.slices}:
        raise FlareSegError("bad_option", "An output would replace an image of the CT; give it another name.")
    return series


def check_targets(job: SegmentJob) -> None:
    """Refuse unusable output paths before any work.

    Raises
    ------
    FlareSegError
        "bad_option" for no output, a file named twice, the input among the outputs or a wrong suffix, and what
        `results.writing.check_output` raises.
    """
    from ..results.dicom_seg import DICOM_SEG
    from ..results.preview import PREVIEW_SUFFIXES
    from ..results.report import REPORT_SUFFIXES
    from ..results.thumbnail import THUMBNAIL_SUFFIXES
    from ..results.writing import SEGMENTATION_SUFFIXES, check_output

    if not job.outputs:
        raise FlareSegError("bad_option", "No output file is named; name at least one, for instance organs.seg.nrrd.")
    places = [os.path.normcase(os.path.realpath(path)) for path in job.targets]
    if len(set(places)) < len(places):
        raise FlareSegError("bad_option", "Two outputs have the same path; give each file its own name.")
    if os.path.normcase(os.path.realpath(job.input)) in places:
        raise FlareSegError("bad_option", "An output would replace the input CT; give it another name.")
    for path in job.outputs:
        check_output(path, job.overwrite, (*SEGMENTATION_SUFFIXES, DICOM_SEG))
    for beside, suffixes in ((job.preview, PREVIEW_SUFFIXES), (job.thumbnail, THUMBNAIL_SUFFIXES),
                             (job.report, REPORT_SUFFIXES)):
        if beside is not None:
            check_output(beside, job.overwrite, suffixes)


def _check_options(job: SegmentJob) -> None:
    if job.threads is not None and job.threads < 1:
        raise FlareSegError("bad_option", f"{job.threads} threads are too few; use 1 or more.")
    if not os.path.exists(job.input):
        raise FlareSegError("not_found", f"{job.input} does not exist; check the path.")


def _use_threads(threads: int | None) -> None:
    if threads is None:
        return
    import SimpleITK
    import torch

    torch.set_num_threads(threads)
    SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)


def _write(result: JobResult, ct: Volume, series: Series | None, progress: Progress, staging: Staging) -> None:
    from ..results.dicom_seg import DICOM_SEG, write_dicom_seg
    from ..results.preview import write_preview
    from ..results.report import report_dict, write_report
    from ..results.writing import write_segmentation

    job, segmentation = result.job, result.segmentation
    progress("writing", 0, len(job.targets))
    for path in job.outputs:
        with staging.file(path) as staged:
            if series is not None and path.lower().endswith(DICOM_SEG):
                write_dicom_seg(staged, segmentation.label_map, segmentation.organs, series, segmentation.model)
            else:
                write_segmentation(staged, segmentation.label_map, segmentation.organs)
    if job.preview is not None:
        with staging.file(job.preview) as staged:
            write_preview(staged, ct, segmentation.label_map, segmentation.organs, segmentation.model)
    if job.thumbnail is not None:
        from ..results.thumbnail import write_thumbnail

        with staging.file(job.thumbnail) as staged:
            write_thumbnail(staged, ct, segmentation.label_map, segmentation.organs)
    if job.report is not None:
        with staging.file(job.report) as staged:
            write_report(staged, report_dict(segmentation, result.measurements, result.warnings))
    progress("writing", len(job.targets), len(job.targets))
    staging.commit(job.overwrite)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_texts(value: object) -> bool:
    return isinstance(value, (list, tuple)) and all(map(_is_text, value))


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _or_none(accepts: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or accepts(value)


_ACCEPTED: dict[str, Callable[[object], bool]] = {
    "input": _is_text, "outputs": _is_texts, "model": _is_text, "organs": _or_none(_is_texts), "device": _is_text,
    "exact": _is_flag, "runtime": _is_text, "fast": _is_flag, "keep_largest": _is_flag, "series": _or_none(_is_text),
    "preview": _or_none(_is_text), "thumbnail": _or_none(_is_text), "report": _or_none(_is_text), "overwrite": _is_flag,
    "threads": _or_none(lambda value: isinstance(value, int) and not _is_flag(value)),
}
assert set(_ACCEPTED) == {field.name for field in fields(SegmentJob)}
