"""How a batch segments, and where each case's files go."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import FlareSegError
from ..jobs.job import SegmentJob
from ..models.bundle import ModelBundle
from ..models.store import find_bundle
from .inputs import Case

SETTINGS_FILE = "batch.json"
SEGMENTATIONS, THUMBNAILS, PREVIEWS, RECORDS = "segmentations", "thumbnails", "previews", "cases"
#: What a batch may change when it goes on: none of it is part of the method, or it is another in each case.
_FREE = {"input", "outputs", "model", "series", "preview", "thumbnail", "report", "overwrite", "threads", "device",
         "runtime"}


@dataclass(frozen=True)
class Settings:
    """What all cases of a batch have in common; it travels to the workers.

    Attributes
    ----------
    out : Path
        The batch's folder.
    method : SegmentJob
        Model, organs, device and so on; its own input and outputs are of no account.
    formats : tuple of str
        Endings of the label maps, of `results.writing.SEGMENTATION_SUFFIXES`, or ".dcm" (DICOM SEG).
    previews : bool
        Whether each case gets a large picture, too.
    weights_sha256 : str
        The model's weights: a worker with others is refused.
    model : str
        The model's name and version.
    """

    out: Path
    method: SegmentJob
    formats: tuple[str, ...]
    previews: bool
    weights_sha256: str
    model: str

    @classmethod
    def of(cls, out: Path, method: SegmentJob, formats: tuple[str, ...] = (".seg.nrrd",),
           previews: bool = False) -> Settings:
        """Return the settings; what can be told wrong without loading the network is refused.

        Raises
        ------
        FlareSegError
            As `find_bundle`, `choose_organs`; "bad_option".
        """
        from ..organs import choose_organs
        from ..results.dicom_seg import DICOM_SEG
        from ..results.writing import SEGMENTATION_SUFFIXES

        known = (*SEGMENTATION_SUFFIXES, DICOM_SEG)
        unknown = [ending for ending in formats if ending not in known]
        if unknown or not formats:
            raise FlareSegError("bad_option", f"Unknown format {', '.join(unknown) or '(none given)'}; choose from "
                                              f"{', '.join(known)}.")
        if method.threads is not None and method.threads < 1:
            raise FlareSegError("bad_option", f"{method.threads} threads are too few; use 1 or more.")
        if Path(method.model).is_dir():
            method = replace(method, model=str(Path(method.model).resolve()))
        bundle = find_bundle(method.model)
        choose_organs(bundle.organs, None if method.organs is None else list(method.organs))
        return cls(out.resolve(), method, tuple(dict.fromkeys(formats)), previews, bundle.weights_sha256,
                   f"{bundle.name} {bundle.version}")

    @property
    def folders(self) -> tuple[str, ...]:
        """Names of the folders in the batch's folder."""
        return (SEGMENTATIONS, THUMBNAILS, *([PREVIEWS] if self.previews else []), RECORDS)

    @property
    def document(self) -> dict[str, Any]:
        """What must be the same for the batch to go on."""
        method = {name: value for name, value in self.method.as_fields().items() if name not in _FREE}
        return {"format": "flareseg-batch", "version": 1, "tool": f"FlareSeg {__version__}", "model": self.model,
                "weights_sha256": self.weights_sha256, **method, "formats": list(self.formats),
                "previews": self.previews}

    def job(self, case: Case) -> SegmentJob:
        """Return a case's job. It may replace files: what has no record is not finished."""
        outputs = tuple(str(self.out / SEGMENTATIONS / f"{case.name}{ending}") for ending in self.formats)
        return replace(self.method, input=case.source.path, series=case.source.series, outputs=outputs,
                       thumbnail=str(self.out / THUMBNAILS / f"{case.name}.jpg"), report=None, overwrite=True,
                       preview=str(self.out / PREVIEWS / f"{case.name}.png") if self.previews else None)

    def bundle(self) -> ModelBundle:
        """Return the model as this machine has it.

        Raises
        ------
        FlareSegError
            As `find_bundle`; "model_invalid" where it is not the batch's.
        """
        bundle = find_bundle(self.method.model)
        if bundle.weights_sha256 != self.weights_sha256:
            raise FlareSegError("model_invalid", f"The model {self.model} of a worker is not that of the batch (the "
                                                 "SHA-256 of its weights differs); install the same one everywhere.")
        return bundle
