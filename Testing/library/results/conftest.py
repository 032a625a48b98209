"""A small abdomen of boxes, in any orientation."""

from types import SimpleNamespace

import numpy as np
import pytest

from FlareSegLib.organs import FLARE_ORGANS
from FlareSegLib.volumes.volume import IDENTITY, Volume


def turned(angle_degrees: float, tilt_degrees: float) -> tuple[float, ...]:
    """Direction of a patient who lies turned about the long axis and tilted about the left-right axis."""
    a, b = np.radians([angle_degrees, tilt_degrees])
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    return tuple((about_z @ about_x).ravel().tolist())


def boxes_abdomen(missing=(), spacing=(2.0, 2.5, 4.0), direction=IDENTITY):
    """CT and label map [40, 60, 80]; the liver is on the patient's right, the spleen on the left."""
    organs = {1: np.s_[20:35, 10:40, 8:36], 2: (np.s_[5:15, 40:50, 18:28], np.s_[5:15, 40:50, 52:62]),
              3: np.s_[22:32, 35:48, 56:70], 4: np.s_[12:17, 20:28, 34:54]}
    labels = np.zeros((40, 60, 80), np.uint8)
    hu = np.full(labels.shape, -1000, np.int16)
    hu[:, 4:56, 4:76] = -100
    for label, places in organs.items():
        for place in places if label == 2 else (places,):
            hu[place] = 40 + 20 * label
            if label not in missing:
                labels[place] = label
    ct = Volume(hu, spacing, (-80.0, -70.0, 33.0), direction)
    return SimpleNamespace(ct=ct, label_map=ct.with_array(labels), organs=FLARE_ORGANS)


@pytest.fixture
def abdomen():
    """Builder of the abdomen: `abdomen(missing=(3,), direction=…)`."""
    return boxes_abdomen


@pytest.fixture
def oblique():
    """Direction that is no axis' own."""
    return turned(12.0, -7.0)
