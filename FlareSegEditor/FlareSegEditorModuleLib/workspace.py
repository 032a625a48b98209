"""The edit that is open, with everything by which it shows itself and is touched in the views."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import qt
import slicer
from slicer.i18n import tr as _

from FlareSegLib.errors import FlareSegError

from . import motions
from .autosaving import Autosave
from .compare import Difference, show_before, show_edited
from .editing import Editing, new_seed
from .extents import ALONG, aimed, extents_of, is_aimed, is_sized, scaled, side_of
from .handles import Handles
from .outline import Outline
from .patient_space import to_lps, to_ras
from .placement import Placement
from .size_box import SizeBox
from .surfaces import Surfaces
from .tip import Tip
from .verdict import QualityCheck, marks_of

#: A tip nearer to what it is turned about tells no direction.
NEAREST_TIP_MM = 3.0
#: The tips of smaller lesions stand farther out.
LEAST_AXIS_MM = 15.0


class Workspace:
    """At most one edit at a time is open; others of the scene rest in their text nodes.

    Parameters
    ----------
    on_refresh : callable
        Called without arguments whenever there is something else to show.
    on_say : callable
        ``on_say(sentence)``: why something was refused; "" takes it back.

    Attributes
    ----------
    editing : Editing or None
    chosen : str or None
        Key of the entry that handles, outline and sliders are about.
    marks : dict
        What the quality gate said, by key.
    verdict : str
        The gate in one sentence.
    """

    def __init__(self, on_refresh: Callable[[], None], on_say: Callable[[str], None]):
        self._on_refresh, self.say = on_refresh, on_say
        self.editing: Editing | None = None
        self.chosen: str | None = None
        self.before = False
        self.marks: dict[str, tuple[bool, str]] = {}
        self.verdict = ""
        self._pending = None
        self._interacting = False
        self._axis = None  # of the chosen lesion, where it runs a way: pivot and the tip's handle, RAS
        self.handles = Handles(self.drag, self.drop, self._begin_drag)
        self.box = SizeBox(self.resize, self.resized, self._begin_drag)
        self.tip = Tip(self.turn, self.turned, self._begin_drag)
        self.outline, self.difference = Outline(), Difference()
        self.autosave, self.surfaces = Autosave(), Surfaces()
        self.placement = Placement(self._placed, self._on_refresh)
        self.quality = QualityCheck(self._judged, self._judging)

    def open(self, node, show: bool = True) -> None:
        """Open an edit of the scene and show it.

        Raises
        ------
        ValueError
            With a sentence for the user.
        """
        self.close()
        self.editing = Editing(node, self._edited, self._lost)
        if show:
            show_edited(self.editing)
        self._changed(self.editing, None)
        if self.editing.troubles:
            self.say(_("Hidden, for they cannot be done here: {faults}").format(faults=" ".join(self.editing.troubles)))

    def close(self) -> None:
        """Rest the edit; its clones and its text node stay in the scene."""
        self.autosave.flush()
        self.surfaces.stop()
        self.placement.stop()
        self.quality.stop()
        self.difference.remove()
        self.outline.remove()
        for each in (self.handles, self.box, self.tip):
            each.remove()
        if self.editing is not None:
            if self.before:
                show_before(self.editing, False)
            self.editing.close()
        self.editing = self.chosen = None
        self.before, self.marks, self.verdict = False, {}, ""
        self._on_refresh()

    def choose(self, key: str | None) -> None:
        """Make an entry the one that handles and sliders are about."""
        if key != self.chosen:
            self.chosen = key
            self._show_in_views()
        self._on_refresh()

    def attempt(self, action: Callable, *arguments, **fields):
        """Do what may be refused; return what it returns, or None after saying why not."""
        self.say("")
        try:
            return action(*arguments, **fields)
        except FlareSegError as error:
            self.say(str(error))
            self._show_in_views()  # handles go back to where they were
            self._on_refresh()
            return None

    # Placing

    def place(self, disease, parameters: Callable, label_rule: Callable[[], str]) -> None:
        """Wait for a click that says where; parameters and rule are asked for when it comes."""
        self._pending = disease, parameters, label_rule
        self.placement.start(_(disease.title), self.editing.ct.GetTransformNodeID())
        self._on_refresh()
        qt.QTimer.singleShot(0, self._prepare)  # while the hand moves to the view

    def _prepare(self) -> None:
        if self.editing is not None and self.placement.active:
            self.editing.prepare(self._pending[0])

    def add_somewhere(self, disease, parameters, organ: str, label_rule: str) -> None:
        """Add an operation at a drawn place, or one that needs none."""
        def add():
            return self.editing.add(self.editing.operation_somewhere(disease, parameters, organ, label_rule))

        self.placement.stop()
        with slicer.util.WaitCursor():
            key = self.attempt(add)
        if key is not None:
            self.choose(key)

    def _placed(self, node, ras) -> bool:
        disease, parameters, label_rule = self._pending

        def add():
            return self.editing.add(self.editing.operation_at(disease, parameters(), ras, label_rule()))

        self.handles.offered = node  # it can be dragged at once
        try:
            key = self.attempt(add)
        finally:
            self.handles.offered = None
        if key is None:
            return False
        self.choose(key)
        return True

    # Dragging

    def _begin_drag(self, key: str) -> None:
        """A handle is taken hold of: the hand that moves it has all of the time, and what each move asks for."""
        self._interacting = True
        self.quality.stop()
        if key != self.chosen:
            self.choose(key)
        self.editing.prepare_move(key)

    def _end_drag(self, key: str):
        """It was let go; return the entry, None where it is gone."""
        self._interacting = False
        entry = self.editing.entry(key) if self.editing is not None else None
        if entry is not None and not self.marks:
            self.quality.want(self.editing)
        return entry

    def drag(self, key: str, ras) -> None:
        """A point is being dragged: the outline goes along, red where it cannot be."""
        entry = self.editing.entry(key) if self.editing is not None else None
        if entry is None:
            return
        old = np.asarray(to_ras(entry.operation.centre))
        if np.linalg.norm(old - ras) < 1e-6:
            return
        if not self._interacting:  # moved in the Markups module or by a script
            self.drop(key, ras)
            return
        reason = self.editing.why_not(key, ras)
        if key == self.chosen:
            self.outline.move(motions.moved(np.asarray(ras) - old), refused=bool(reason))
        self.say(reason)

    def drop(self, key: str, ras) -> None:
        """A point was let go: the operation moves there, or the point goes back."""
        entry = self._end_drag(key)
        if entry is None or np.linalg.norm(np.subtract(to_ras(entry.operation.centre), ras)) < 1e-6:
            return
        reason = self.editing.why_not(key, ras)
        if reason:
            self._show_in_views()
            self.say(reason)
            return
        self.attempt(self.editing.change, key, centre=self.editing.point_for(key, ras))

    def resize(self, key: str, side: int, scale: float) -> None:
        """A face of the box is dragged: the outline grows or shrinks, along or across its axis where it has one."""
        if key != self.chosen or not self.outline.shown:
            return
        frame = motions.frame_along(self._axis)
        scales = (scale,) * 3 if self._axis is None else (1.0, scale, scale) if side else (scale, 1.0, 1.0)
        self.outline.move(motions.stretched(frame, scales, self.outline.extent(frame)[0]))

    def slide(self, name: str, value: float) -> None:
        """A slider is being moved: the outline follows, where the parameter is an extent of the lesion."""
        operation, side = self.editing.entry(self.chosen).operation, side_of(name, self._axis is not None)
        if side is not None and operation.centre is not None:
            self.resize(self.chosen, side, value / getattr(operation.parameters, name))

    def resized(self, key: str, side: int, scale: float) -> None:
        """It was let go: the parameter that it stands for changes, as far as it may."""
        entry = self._end_drag(key)
        if entry is not None and abs(scale - 1) >= 1e-3:
            extents = extents_of(self._axis is not None, side)
            self._change_or_go_back(scaled(entry.operation.parameters, extents, scale))

    def turn(self, key: str, ras) -> None:
        """The tip is being dragged: the outline turns."""
        if key != self.chosen or self._axis is None:
            return
        if not self._interacting:  # moved by a script
            self.turned(key, ras)
            return
        self.outline.move(motions.turned(*self._axis, ras))

    def turned(self, key: str, ras) -> None:
        """It was let go: the lesion runs there, and as far, if its length can be chosen."""
        entry = self._end_drag(key)
        if entry is None or self._axis is None or np.linalg.norm(np.subtract(ras, self._axis[1])) < 1e-3:
            return
        far, new_far = (np.linalg.norm(np.subtract(tip, self._axis[0])) for tip in (self._axis[1], ras))
        parameters = entry.operation.parameters
        if new_far > NEAREST_TIP_MM:
            parameters = aimed(parameters, np.subtract(to_lps(ras), to_lps(self._axis[0])))
            parameters = scaled(parameters, ALONG, new_far / far)
        self._change_or_go_back(parameters)

    def _change_or_go_back(self, parameters) -> None:
        """Nothing has changed where a parameter is at its limit already."""
        if parameters == self.editing.entry(self.chosen).operation.parameters:
            self._show_in_views()
        else:
            self.change_parameters(parameters)

    # Editing the chosen entry

    def change_parameters(self, parameters) -> None:
        """Give the chosen operation other parameters."""
        self._change(parameters=parameters)

    def change_rule(self, label_rule: str) -> None:
        """Give the chosen operation another label rule."""
        self._change(label_rule=label_rule)

    def reshape(self) -> None:
        """Another shape: a new seed."""
        self._change(seed=new_seed())

    def _change(self, **fields) -> None:
        if self.editing is not None and self.editing.entry(self.chosen) is not None:
            self.attempt(self.editing.change, self.chosen, **fields)

    def duplicate(self) -> None:
        """A like of the chosen one elsewhere."""
        key = self.attempt(self.editing.duplicate, self.chosen)
        if key is not None:
            self.choose(key)

    # Looking

    def show_before(self, before: bool) -> None:
        """Originals or result."""
        if self.editing is not None and before != self.before:
            self.before = before
            show_before(self.editing, before)
            self._on_refresh()

    def _edited(self, editing, box) -> None:
        self.autosave.want(editing)
        if box is not None:
            self.surfaces.outdate(editing.canvas)
        self._changed(editing, box)

    def _changed(self, editing, box) -> None:
        if self.editing.entry(self.chosen) is None:
            self.chosen = None
        self.difference.update(editing, box)
        self.marks, self.verdict = {}, ""
        self._show_in_views()
        self.quality.want(editing)
        self._on_refresh()

    def _show_in_views(self) -> None:
        if self.editing is None:
            return
        self.handles.follow(self.editing, self.chosen)
        entry, done = self.editing.entry(self.chosen), self.editing.done(self.chosen)
        note = done.notes[0] if done is not None and len(done.notes) == 1 else None
        self.outline.show(note, self.editing.case.grid, self.editing.ct.GetParentTransformNode())
        self._axis = None if note is None or note.axis is None else motions.handle_axis(*map(to_ras, note.axis),
                                                                                        LEAST_AXIS_MM)
        placed = entry is not None and self.outline.shown and entry.operation.centre is not None
        if placed and is_sized(entry.operation.parameters, self._axis is not None):
            frame = motions.frame_along(self._axis)
            self.box.show(self.chosen, *self.outline.extent(frame), frame, self.editing.ct)
        else:
            self.box.show(None)
        aimed_at = placed and self._axis is not None and is_aimed(entry.operation.parameters)
        self.tip.show(self.chosen if aimed_at else None, self._axis[1] if aimed_at else None, self.editing.ct)

    def _judging(self) -> None:
        self.verdict = _("Quality: being checked...")
        self._on_refresh()

    def _judged(self, entries, simulation) -> None:
        if self.editing is None or entries != self.editing.entries:
            return
        self.marks = marks_of(self.editing, entries, simulation)
        faults = simulation.verdict.faults
        self.verdict = _("Quality: beyond its limits: {faults}.").format(faults="; ".join(faults)) if faults else _(
            "Quality: passed.")
        self._on_refresh()

    def _lost(self, editing, sentence: str) -> None:
        self.editing = None
        self.close()
        self.say(sentence)
