"""Take the pictures of the editor: python Testing/pictures/editor.py [docs/pictures].

editor.png is the real panel, its widgets are the stand-in's (Testing/README.md). editor_views.png is what slicer-core's
own displayable managers draw: the handles, the outline and the difference of a lesion that a simulated mouse has placed
in the synthetic patient; editor_turn.png is an infarct before, while and after its tip is dragged.
"""

import os
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY / "Testing"), str(REPOSITORY)]

from standin.startup import start  # noqa: E402

PATIENT = (300, 250, 84), (1.3, 1.3, 2.6)
VIEW_PIXELS, GAP, GREY = 420, 4, 64
#: What the views show, mm.
HEIGHT_MM = 130.0


def main(folder: Path) -> None:
    """Edit a synthetic patient by mouse and write the pictures."""
    with tempfile.TemporaryDirectory() as edits:
        os.environ["FLARESEG_EDITS"] = edits
        slicer = start()
        from standin import failures
        from standin.scripted_modules import load_scripted_module
        from standin.waiting import wait_until

        for name in ("FlareSeg", "FlareSegEditor"):
            load_scripted_module(str(REPOSITORY / name / f"{name}.py"))
        from FlareSegEditorModuleLib.synthetic_patient import load_synthetic_patient

        ct, segmentation = load_synthetic_patient(*PATIENT)
        slicer.util.selectModule("FlareSegEditor")
        panel = slicer.modules.flaresegeditor.widgetRepresentation()
        editor = panel.self()
        editor.ui.inputSelector.setCurrentNode(ct)
        editor.ui.segmentationSelector.setCurrentNode(segmentation)
        editor.ui.beginButton.click()
        turned = turn(editor)
        write_views(turned, folder / "editor_turn.png")
        pictures = edit(editor)
        work = editor.panel.work
        work.quality.begin()
        wait_until(lambda: not work.quality.running, 120)
        failures.raise_collected()
        write_views(pictures, folder / "editor_views.png")
        write_panel(panel, editor, folder / "editor.png")
        slicer.modules.flaresegeditor.close()


def edit(editor) -> list:
    """Place a metastasis and a cyst by clicks, and resize the cyst by its box; return three views as RGB arrays."""
    import numpy as np
    from standin.mouse_view import mouse_view

    work, view = editor.panel.work, mouse_view()
    view.show_image()
    piece = max(work.editing.session.scene.pieces("kidney"), key=lambda piece: piece.volume_ml)
    liver = work.editing.session.scene.pieces("liver")[0]
    click(editor, view, "hypo_metastasis", np.asarray(liver.centre) * (-1, -1, 1))
    kidney = np.asarray(piece.centre) * (-1, -1, 1)
    edge = kidney + (9.0 if kidney[0] > 0 else -9.0, -6.0, 0.0)
    click(editor, view, "renal_cyst", edge)
    box = work.box.node
    face = np.asarray(box.GetCenter()) + (0.0, box.GetSize()[1] / 2, 0.0)
    view.look_at(box.GetCenter(), HEIGHT_MM)
    view.drag(tuple(face), tuple(face + (0, 5.0, 0)), tuple(face + (0, 9.0, 0)))
    view.look_at(box.GetCenter(), HEIGHT_MM)
    # Drawn without a screen, the box's handles land beside its faces, where the mouse finds them.
    box.GetDisplayNode().SetScaleHandleVisibility(False)
    after = view.picture(VIEW_PIXELS)
    work.show_before(True)
    before = view.picture(VIEW_PIXELS)
    work.show_before(False)
    work.difference.show(work.editing, True)
    difference = view.picture(VIEW_PIXELS)
    work.difference.show(work.editing, False)
    return [before, after, difference]


def turn(editor) -> list:
    """Place an infarct in the spleen and drag its tip; return three views and leave the list empty."""
    import numpy as np
    from standin.mouse_view import mouse_view

    work, view = editor.panel.work, mouse_view()
    view.show_image()
    case = work.editing.case
    middle = case.grid.index_of(work.editing.session.scene.pieces("spleen")[0].centre).round().astype(int)
    spleen = np.argwhere(case.labels[middle[0]] == 3)
    outermost = spleen[np.argmax(spleen[:, 1])]  # columns run to the patient's left
    click(editor, view, "infarct", case.grid.point_of((middle[0], *outermost)) * (-1, -1, 1))
    key, pivot, tip = work.chosen, *map(np.array, work._axis)
    across = np.array([-(tip - pivot)[1], (tip - pivot)[0], 0.0])
    view.look_at(tuple(pivot), HEIGHT_MM)
    work.box.node.GetDisplayNode().SetVisibility(False)  # see `edit`
    pictures = [view.picture(VIEW_PIXELS)]
    start, end = ((*point[:2], pivot[2]) for point in (tip, tip + 0.5 * across))
    view.press(start)
    view.move(tuple(np.add(start, end) / 2))
    view.move(end)
    pictures.append(view.picture(VIEW_PIXELS))
    view.release(end)
    work.box.node.GetDisplayNode().SetVisibility(False)
    pictures.append(view.picture(VIEW_PIXELS))
    if work.editing.entry(key).operation.parameters.azimuth is None:
        raise RuntimeError("the mouse has missed the tip")
    work.editing.remove(key)
    return pictures


def click(editor, view, disease: str, ras) -> None:
    """Choose a card and click."""
    view.look_at(tuple(ras), HEIGHT_MM)
    editor.panel.cards.choose(disease)
    view.click(tuple(ras))
    if editor.panel.work.placement.active:
        raise RuntimeError(editor.ui.messageLabel.text)


def write_views(pictures: list, path: Path) -> None:
    """Side by side."""
    import numpy as np
    from small_png import write_picture

    gap = np.full((VIEW_PIXELS, GAP, 3), GREY, np.uint8)
    write_picture(path, np.hstack([part for picture in pictures for part in (picture, gap)][:-1]))


def write_panel(panel, editor, path: Path) -> None:
    """The editing tab down to the export section."""
    from panel import take

    editor.ui.diseaseList.setMinimumHeight(260)
    editor.ui.mappingTable.setVisible(False)
    take(panel, editor.ui.exportCollapsibleButton, path)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else REPOSITORY / "docs" / "pictures")
