"""A volume as the bytes of a NIfTI-1 file: ITK writes files only, and patient data shall not touch the disk.

Field offsets are those of nifti1.h (https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h).
"""

from __future__ import annotations

import numpy as np

from ..arrays import Doubles
from ..volumes.nifti_header import HEADER_BYTES
from ..volumes.volume import Volume

#: Header and the four bytes that tell of no extension; voxels follow.
VOXEL_OFFSET = HEADER_BYTES + 4
DATATYPES = {"uint8": 2, "int16": 4}
MILLIMETRES = 2
SCANNER_COORDINATES = 1
LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])

HEADER = np.dtype({
    "names": ["sizeof_hdr", "dim", "datatype", "bitpix", "pixdim", "vox_offset", "scl_slope", "xyzt_units",
              "sform_code", "srow", "magic"],
    "formats": ["<i4", ("<i2", 8), "<i2", "<i2", ("<f4", 8), "<f4", "<f4", "u1", "<i2", ("<f4", (3, 4)), "S4"],
    "offsets": [0, 40, 70, 72, 76, 108, 112, 123, 254, 280, 344],
    "itemsize": VOXEL_OFFSET,
})


def nifti_bytes(volume: Volume) -> bytes:
    """Return a whole .nii file, little-endian, with the volume's grid as its sform.

    Parameters
    ----------
    volume : Volume
        uint8 or int16, array [k, j, i], fewer than 32768 voxels along each axis.

    Examples
    --------
    >>> len(nifti_bytes(Volume(np.zeros((2, 3, 4), np.uint8), (1.0, 1.0, 1.0)))) - VOXEL_OFFSET
    24
    """
    array = volume.array
    header = np.zeros((), HEADER)
    header["sizeof_hdr"] = HEADER_BYTES
    header["dim"] = (3, *volume.size, 1, 1, 1, 1)
    header["datatype"] = DATATYPES[array.dtype.name]
    header["bitpix"] = 8 * array.itemsize
    header["pixdim"] = (1, *volume.spacing, 0, 0, 0, 0)
    header["vox_offset"] = VOXEL_OFFSET
    header["scl_slope"] = 1
    header["xyzt_units"] = MILLIMETRES
    header["sform_code"] = SCANNER_COORDINATES
    header["srow"] = ras_affine(volume)
    header["magic"] = b"n+1"
    voxels = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return b"".join((header.tobytes(), voxels.data))


def ras_affine(volume: Volume) -> Doubles:
    """(3, 4) matrix from voxel indices (i, j, k, 1) to patient coordinates as NIfTI has them: RAS, mm."""
    columns = volume.direction_matrix * np.asarray(volume.spacing)
    return LPS_TO_RAS[:, None] * np.column_stack((columns, volume.origin))
