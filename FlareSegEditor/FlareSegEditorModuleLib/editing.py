"""One edit at work: the library's session over the originals, its text node, its clones."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import slicer
from FlareSegModuleLib.volume_nodes import volume_from_node
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from FlareSegLib.errors import FlareSegError

from . import edit_node
from .clones import Canvas, clone_ct, clone_segmentation, label_volume
from .patient_space import to_lps


#: Depths below organs' surfaces that diseases and placing ask for.
PREPARED_MARGINS_MM = (0.0, 10.0)


def new_seed() -> int:
    """A seed that nobody has chosen."""
    return secrets.randbelow(2**31)


class Editing(VTKObservationMixin):
    """An edit of the scene; everything that changes it goes through `set_entries`, `undo` and `redo`.

    Parameters
    ----------
    node : vtkMRMLTextNode
        From `edit_node.new_edit_node`, or one that came with a scene.
    on_change : callable
        ``on_change(editing, box)`` after each change; the box (k, j, i) may be None.
    on_lost : callable
        ``on_lost(editing, sentence)`` when one of its nodes goes.

    Raises
    ------
    ValueError
        With a sentence for the user, where the edit's nodes are not there or do not fit.

    Attributes
    ----------
    troubles : list of str
        Operations that could not be done when the edit was opened; they stay in the list, hidden.
    """

    def __init__(self, node, on_change: Callable = lambda editing, box: None,
                 on_lost: Callable = lambda editing, sentence: None):
        super().__init__()
        from FlareSegLib.disease.case import make_case  # numpy and scipy alone, but not at Slicer's start
        from FlareSegLib.disease.catalogue import find
        from FlareSegLib.disease.notes import note_of
        from FlareSegLib.disease.recipe import source_of
        from FlareSegLib.disease.session import Session

        self.node, self._on_change, self._on_lost = node, on_change, on_lost
        self.ct, self.segmentation = (self._given(role) for role in (edit_node.CT, edit_node.SEGMENTATION))
        self.find = find
        self.volume = volume_from_node(self.ct)
        labels = label_volume(self.segmentation, edit_node.organs_of(node), self.ct)
        try:
            self.case, self.order = make_case(self.volume, labels)
            kept = edit_node.read_edit(node, find)
        except FlareSegError as error:
            raise ValueError(str(error)) from error
        source = source_of(self.case)
        self.hashes = source.image_sha256, source.labels_sha256
        self.session = Session(self.case, find, note_of)
        self.canvas = Canvas(self.volume.array, self.case, self.order, *self._clones(labels))
        self.troubles: list[str] = []
        self._before = None
        self._open(kept.entries)
        self._observe()

    def _given(self, role: str):
        found = self.node.GetNodeReference(role)
        if found is None:
            raise ValueError(_("The CT or the segmentation of this edit is not in the scene; the operations are kept "
                               "in {name}.").format(name=self.node.GetName()))
        return found

    def _clones(self, labels):
        """The edit's clones; those that are missing are made."""
        name = _("{volume} edited").format(volume=self.ct.GetName())
        ct = self.node.GetNodeReference(edit_node.CT_CLONE)
        image = None if ct is None else ct.GetImageData()
        if image is None or image.GetDimensions() != self.volume.array.shape[::-1]:
            ct = clone_ct(self.ct, name)
            self.node.SetNodeReferenceID(edit_node.CT_CLONE, ct.GetID())
        segmentation = clone_segmentation(labels, ct, _("{volume} organs").format(volume=ct.GetName()),
                                          self.node.GetNodeReference(edit_node.SEGMENTATION_CLONE))
        self.node.SetNodeReferenceID(edit_node.SEGMENTATION_CLONE, segmentation.GetID())
        return ct, segmentation

    def _open(self, entries: tuple) -> None:
        """Do what an edit holds already; the result is always the replay."""
        try:
            self.session.set_entries(entries)
        except FlareSegError:
            for entry in entries:
                self._add_or_hide(entry)
        self.canvas.write(self.session.case, self.case.grid.whole)
        self._keep()

    def _add_or_hide(self, entry) -> None:
        try:
            self.session.set_entries((*self.session.entries, entry))
        except FlareSegError as error:
            self.troubles.append(str(error))
            self.session.set_entries((*self.session.entries, replace(entry, shown=False)))

    def _observe(self) -> None:
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.NodeRemovedEvent, self._on_node_removed)
        self.addObserver(self.ct, self.ct.TransformModifiedEvent, self._follow_transform)

    @property
    def entries(self) -> tuple:
        """The operation list (`FlareSegLib.disease.session.Entry`)."""
        return self.session.entries

    @property
    def edit(self):
        """What is kept of it (`FlareSegLib.disease.edits.Edit`)."""
        from FlareSegLib.disease.edits import Edit

        return Edit(*self.hashes, self.entries)

    def entry(self, key: str):
        """The entry with this key; None for none."""
        return next((entry for entry in self.entries if entry.key == key), None)

    def done(self, key: str):
        """What is known of an entry that is in the image (`Done`); None for hidden ones."""
        shown = [entry.key for entry in self.entries if entry.shown]
        return self.session.done[shown.index(key)] if key in shown else None

    def set_entries(self, entries: tuple) -> None:
        """Make another list the current one.

        Raises
        ------
        FlareSegError
            Where an entry cannot be done; all is then as it was.
        """
        self._show(self.session.set_entries(entries))

    def undo(self) -> None:
        """Go back to the list before."""
        self._show(self.session.undo())

    def redo(self) -> None:
        """Go forth again."""
        self._show(self.session.redo())

    def _show(self, box) -> None:
        self._before = None
        if box is not None:
            self.canvas.write(self.session.case, box)
        self._keep()
        self._on_change(self, box)

    def _keep(self) -> None:
        edit_node.write_edit(self.node, self.edit)

    def add(self, operation) -> str:
        """Append an operation; return its key."""
        from FlareSegLib.disease.session import Entry

        entry = Entry(operation)
        self.set_entries((*self.entries, entry))
        return entry.key

    def change(self, key: str, **fields) -> None:
        """Give an entry's operation other fields."""
        self._replace(key, lambda entry: replace(entry, operation=replace(entry.operation, **fields)))

    def set_shown(self, key: str, shown: bool) -> None:
        """Hide an entry or show it again."""
        self._replace(key, lambda entry: replace(entry, shown=shown))

    def _replace(self, key: str, change: Callable) -> None:
        self.set_entries(tuple(change(entry) if entry.key == key else entry for entry in self.entries))

    def remove(self, key: str) -> None:
        """Take an entry out of the list."""
        self.set_entries(tuple(entry for entry in self.entries if entry.key != key))

    def shift(self, key: str, steps: int) -> None:
        """Move an entry up (negative) or down the list."""
        entries = list(self.entries)
        old = next(index for index, entry in enumerate(entries) if entry.key == key)
        entry = entries.pop(old)
        entries.insert(max(0, old + steps), entry)
        self.set_entries(tuple(entries))

    def duplicate(self, key: str) -> str:
        """Put a like of an entry beside it in the list: same parameters, another seed and another place."""
        from FlareSegLib.disease.session import Entry

        entry = self.entry(key)
        operation = replace(entry.operation, seed=new_seed())
        disease = self.find(operation.disease)
        if disease.place is not None:
            rng = np.random.default_rng(operation.seed)
            operation = replace(operation, centre=disease.place(self.session.scene, operation, rng))
        copy, entries = Entry(operation), list(self.entries)
        entries.insert(entries.index(entry) + 1, copy)
        self.set_entries(tuple(entries))
        return copy.key

    def prepare(self, disease) -> None:
        """Measure now what a disease will ask for, so that the click is answered at once; without effect otherwise."""
        import torch  # noqa: F401  the first import takes a second

        scene = self.session.scene
        for organ in (each for each in disease.organs if scene.has(each)):
            scene.organ(organ)
            scene.pieces(organ)
            for margin in PREPARED_MARGINS_MM:
                scene.depth(organ, margin)

    def operation_at(self, disease, parameters, ras, label_rule: str = ""):
        """Return an operation where a person has clicked (RAS of the CT, mm).

        Raises
        ------
        FlareSegError
            "disease_not_placed", which says why not there.
        """
        from FlareSegLib.disease.operation import Operation
        from FlareSegLib.disease.pointing import organ_at, pulled_in

        point = pulled_in(disease, self.session.scene, to_lps(ras))
        organ = organ_at(disease, self.session.scene, point)
        return Operation(disease.name, organ, parameters, point, new_seed(), label_rule or disease.label_rules[0])

    def operation_somewhere(self, disease, parameters, organ: str, label_rule: str = ""):
        """Return an operation at a drawn place, or one that needs none.

        Raises
        ------
        FlareSegError
            "bad_disease_case", "disease_not_placed".
        """
        from FlareSegLib.disease.operation import draw

        return draw(disease, self.session.scene, organ, np.random.default_rng(), parameters, label_rule or None)

    def why_not(self, key: str, ras) -> str:
        """Why an entry cannot be moved to a place (RAS of the CT, mm); empty where it can.

        It is judged by the labels that it was placed in: its own lesion is no part of the organ yet.
        """
        from FlareSegLib.disease.pointing import organ_at

        operation = self.entry(key).operation
        try:
            organ_at(self.find(operation.disease), self._scene_before(key), self.point_for(key, ras), operation.organ)
        except FlareSegError as error:
            return str(error)
        return ""

    def point_for(self, key: str, ras) -> tuple[float, float, float]:
        """Where an entry dragged to a place (RAS of the CT, mm) comes to lie (LPS): just outside its organ is in it."""
        from FlareSegLib.disease.pointing import pulled_in

        operation = self.entry(key).operation
        return pulled_in(self.find(operation.disease), self._scene_before(key), to_lps(ras), operation.organ)

    def prepare_move(self, key: str) -> None:
        """An entry is about to be dragged: make ready what `why_not` asks for at every move."""
        self._scene_before(key)

    def _scene_before(self, key: str):
        """Kept until the list changes: a drag asks for it at every move of the mouse."""
        shown = [entry.key for entry in self.entries if entry.shown]
        if self._before is None or self._before[0] != (key, self.entries):
            scene = self.session.scene_before(shown.index(key)) if key in shown else self.session.scene
            self._before = (key, self.entries), scene
        return self._before[1]

    def _on_node_removed(self, caller=None, event=None) -> None:
        scene = slicer.mrmlScene
        nodes = (self.node, self.ct, self.segmentation, self.canvas.ct, self.canvas.segmentation)
        if scene.IsClosing() or all(scene.IsNodePresent(node) for node in nodes):
            return
        self.close()
        there = scene.IsNodePresent(self.node)
        self._on_lost(self, _("A volume or segmentation of this edit was deleted. Its operations are kept in {name}; "
                              "choose the edit again to go on.").format(name=self.node.GetName()) if there else
                      _("The edit was deleted."))

    def _follow_transform(self, caller=None, event=None) -> None:
        for node in (self.canvas.ct, self.canvas.segmentation):
            if node.GetTransformNodeID() != self.ct.GetTransformNodeID():
                node.SetAndObserveTransformNodeID(self.ct.GetTransformNodeID())
        self._on_change(self, None)

    def close(self) -> None:
        """Stop listening; the nodes stay in the scene."""
        self.removeObservers()
