"""Label maps in folders, as predictions and references."""

import numpy as np
import pytest
import SimpleITK as sitk

from FlareSegLib.evaluation.rows import Cost, Evaluation, Score

SPACING = (1.0, 1.0, 2.0)


def organs(shift=0) -> np.ndarray:
    """Four boxes with FLARE21's labels, (k, j, i), moved by `shift` voxels along i."""
    labels = np.zeros((10, 20, 24), np.uint8)
    for label, (j, i) in enumerate(((3, 3), (3, 14), (12, 3), (12, 14)), 1):
        labels[2:8, j:j + 6, i + shift:i + 6 + shift] = label
    return labels


def write_labels(path, array, spacing=SPACING, origin=(0.0, 0.0, 0.0)):
    """Write a label map and return its path."""
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(path))
    return path


@pytest.fixture
def folders(tmp_path):
    """Predictions and references of two cases; the second prediction is one voxel (1 mm) off."""
    for case, shift in (("case_1", 0), ("case_2", 1)):
        write_labels(tmp_path / "pred" / f"{case}.nii.gz", organs(shift))
        write_labels(tmp_path / "ref" / f"{case}.nii.gz", organs())
    return tmp_path / "pred", tmp_path / "ref"


def make_evaluation(name="model", offset=0.0, cases=4, seconds=None, kind="manual") -> Evaluation:
    """An evaluation with made-up figures that fall from case to case."""
    scores, costs = [], []
    for number in range(cases):
        for place, organ in enumerate(("liver", "kidney", "spleen", "pancreas")):
            dice = 0.95 - 0.05 * place - 0.02 * number + offset
            metrics = dice, dice - 0.01, dice + 0.01, dice - 0.15
            scores.append(Score(f"case_{number}", organ, *metrics, 1.0, 100.0, 101.0))
        costs.append(Cost(f"case_{number}", seconds, 1000.0 if seconds else None))
    return Evaluation(name, "made up", kind, "flare21", tuple(scores), tuple(costs) if seconds else ())
