"""Pictures of a result as 3D Slicer shows it: an axial and a coronal slice, and the organs in 3D.

    python Testing/pictures/result_pictures.py --keep-largest               # the synthetic patient, for the README
    python Testing/pictures/result_pictures.py --ct ct.nii.gz --output pictures

Needs slicer-core and OpenGL without a screen (EGL, for instance Mesa's); no Slicer, no Qt. The segmentation is put into
the scene by the module's own code. Pictures of patients are not for the repository.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from scene import REPOSITORY, open_scene, use_module_code
from small_png import write_picture
from views import SlicePlace, slice_picture, three_d_picture

use_module_code()

from FlareSegLib import make_phantom, measure, read_volume, segment  # noqa: E402
from FlareSegLib.organs import FLARE_ORGANS  # noqa: E402
from FlareSegLib.results.plausibility import plausibility_warnings  # noqa: E402
from FlareSegLib.results.report import report_dict  # noqa: E402
from FlareSegLib.results.views import body_box, most_telling_plane  # noqa: E402
from FlareSegLib.volumes.orientation import to_axial  # noqa: E402
from FlareSegLib.volumes.volume import Volume  # noqa: E402
from FlareSegModuleLib.nrrd import crop_to_labels  # noqa: E402
from FlareSegModuleLib.result_import import import_result  # noqa: E402
from FlareSegModuleLib.run import RunResult  # noqa: E402
from FlareSegModuleLib.volume_nodes import node_from_volume  # noqa: E402

#: The README's patient; thin slices, for smooth surfaces.
PHANTOM_SIZE, PHANTOM_SPACING = (480, 400, 136), (0.85, 0.85, 1.6)
WINDOW, LEVEL = 400.0, 40.0
#: Width and height, pixels.
SLICE_SIZE, THREE_D_SIZE = (640, 440), (900, 600)
GAP, GREY = 4, 64
#: From the patient to the eye, RAS: front, a little left and above: all four organs show.
EYE = (-0.35, 1.0, 0.2)
#: Room around the body in a slice picture.
MARGIN = 1.1


def main(arguments: list[str] | None = None) -> None:
    """Segment, draw and write slices.png and organs3d.png."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.labels and not options.ct:
        parser.error("--labels needs --ct")
    ct, label_map, report = _result(options)
    application = open_scene()
    volume_node = _show_ct(ct)
    part, first_voxel = crop_to_labels(label_map.array)
    node = import_result(RunResult(report, part, first_voxel), FLARE_ORGANS, volume_node)
    node.GetDisplayNode().SetSliceIntersectionThickness(2)
    axial, coronal = (slice_picture(application, volume_node, place, SLICE_SIZE)
                      for place in slice_places(ct, label_map))
    node.CreateClosedSurfaceRepresentation()  # what "Show 3D" does
    options.output.mkdir(parents=True, exist_ok=True)
    gap = np.full((SLICE_SIZE[1], GAP, 3), GREY, np.uint8)
    write_picture(options.output / "slices.png", np.hstack([axial, gap, coronal]))
    write_picture(options.output / "organs3d.png", three_d_picture(application, THREE_D_SIZE, EYE, 1.1))


def slice_places(ct: Volume, label_map: Volume) -> list[SlicePlace]:
    """Return the axial and the coronal slice that show most of all organs, both at the same scale."""
    axial_ct, _ = to_axial(ct)
    labels = to_axial(label_map)[0].array
    rows, columns = body_box(axial_ct)
    middle = [labels.shape[0] / 2, (rows.start + rows.stop) / 2, (columns.start + columns.stop) / 2]
    height_mm = MARGIN * _height_that_fits(axial_ct, rows, columns)
    places = []
    for axis, orientation in ((0, "Axial"), (1, "Coronal")):
        centre = list(middle)
        centre[axis] = most_telling_plane(labels, FLARE_ORGANS, axis)
        lps = axial_ct.index_to_physical(centre[::-1])
        places.append(SlicePlace(orientation, (-float(lps[0]), -float(lps[1]), float(lps[2])), height_mm))
    return places


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ct", help="a CT; by default a synthetic one is made")
    parser.add_argument("--labels", help="its label map (1 liver, 2 kidney, 3 spleen, 4 pancreas): draw it and segment "
                                         "nothing; needs --ct")
    parser.add_argument("--keep-largest", action="store_true", help="remove stray islands, as flareseg segment does")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "docs" / "pictures", metavar="FOLDER")
    return parser


def _result(options) -> tuple[Volume, Volume, dict]:
    """The CT, its label map and the report."""
    ct = read_volume(options.ct) if options.ct else make_phantom(0, PHANTOM_SIZE, PHANTOM_SPACING).ct
    if options.labels:
        labels = read_volume(options.labels)
        return ct, labels.with_array(labels.array.astype(np.uint8)), {}
    result = segment(ct, keep_largest=options.keep_largest)
    measurements = measure(ct, result.label_map, result.organs)
    return ct, result.label_map, report_dict(result, measurements, plausibility_warnings(measurements, ct))


def _show_ct(ct: Volume):
    node = node_from_volume(ct, "CT")
    display = node.GetDisplayNode()
    display.SetAutoWindowLevel(False)
    display.SetWindowLevel(WINDOW, LEVEL)
    return node


def _height_that_fits(axial_ct: Volume, rows: slice, columns: slice) -> float:
    """Height in mm at which the body fits into an axial picture."""
    width = (columns.stop - columns.start) * axial_ct.spacing[0]
    depth = (rows.stop - rows.start) * axial_ct.spacing[1]
    return max(depth, width * SLICE_SIZE[1] / SLICE_SIZE[0])


if __name__ == "__main__":
    main()
