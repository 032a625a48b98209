"""What is kept of a change: figures, and an extent from which the lesion's outline can be drawn."""

import numpy as np
import pytest

from FlareSegLib.disease.notes import note_of
from FlareSegLib.disease.operation import BACKGROUND, apply
from FlareSegLib.disease.scene import Scene


def test_figures_and_extent(case, little, ball):
    scene = Scene(case)
    operation = ball(case, "liver", diameter=40.0, hu=20.0, label_rule=BACKGROUND)
    change = apply(little("ball"), scene, operation)
    note = note_of(scene, operation, change)
    assert note.lesion_ml == pytest.approx(4 / 3 * np.pi * 2.0**3, rel=0.05)
    assert note.gained_ml["liver"] == pytest.approx(-note.lesion_ml, rel=0.1)
    assert note.achieved_hu == pytest.approx(note.requested_hu, abs=5)
    assert note.requested_hu == pytest.approx(20 - scene.organ("liver").median, abs=0.1)
    cover = np.zeros(change.cover.shape, np.float32)
    inner = tuple(slice(part.start - outer.start, part.stop - outer.start) for part, outer in zip(note.box, change.box))
    cover[inner] = note.cover()
    assert np.abs(cover - change.cover).max() < 1 / 250
    assert note.bytes < 0.2 * change.hu.nbytes


def test_what_paints_nothing(case, little):
    from FlareSegLib.disease.operation import Operation

    scene = Scene(case)
    removal = little("removal")
    operation = Operation("removal", "spleen", removal.parameters(), None, 0, BACKGROUND)
    note = note_of(scene, operation, apply(removal, scene, operation))
    assert note.box is None and note.lesion_ml is None and note.gained_ml["spleen"] < -50
