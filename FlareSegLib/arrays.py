"""What arrays hold: names for the types that most functions take and return."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

#: HU and labels of voxels as they are stored.
Hu = npt.NDArray[np.int16]
Labels = npt.NDArray[np.uint8]
#: Numbers of voxels, nodes or points as they are worked with (HU, distances, shares); which of those are meant.
Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
#: Matrices, and numbers that are few.
Doubles = npt.NDArray[np.float64]
