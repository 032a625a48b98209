"""FlareSeg's library: abdominal CT in, four organs out. It knows nothing of 3D Slicer.

>>> from FlareSegLib import segment, write_segmentation
>>> result = segment("patient.nii.gz")                                                # doctest: +SKIP
>>> write_segmentation("organs.seg.nrrd", result.label_map, result.organs)            # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # for type checkers of programs that use the library; the test holds both lists together
    from .errors import FlareSegError as FlareSegError
    from .inference.segment import segment as segment
    from .inference.segmentation import Segmentation as Segmentation
    from .models.store import list_bundles as list_bundles
    from .phantom.phantom import make_phantom as make_phantom
    from .results.measurements import measure as measure
    from .results.preview import write_preview as write_preview
    from .results.writing import write_segmentation as write_segmentation
    from .volumes.reading import read_volume as read_volume
    from .volumes.volume import Volume as Volume

__version__ = "0.1.0"

# Loaded when first used: importing FlareSegLib must not import torch or SimpleITK.
_PUBLIC = {
    "FlareSegError": "errors",
    "Segmentation": "inference.segmentation",
    "Volume": "volumes.volume",
    "list_bundles": "models.store",
    "make_phantom": "phantom.phantom",
    "measure": "results.measurements",
    "read_volume": "volumes.reading",
    "segment": "inference.segment",
    "write_preview": "results.preview",
    "write_segmentation": "results.writing",
}

__all__ = sorted(_PUBLIC)


if not TYPE_CHECKING:  # type checkers would take any misspelt name for one of these
    def __getattr__(name: str) -> object:
        if name not in _PUBLIC:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f".{_PUBLIC[name]}", __name__), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
