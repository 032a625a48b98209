"""Editing a case by hand: a list of operations over the originals, of which the result is always the replay."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from .block import Change
from .case import LABEL_OF, Box, Case
from .history import LIMIT_BYTES, Delta, History
from .operation import Operation, apply, perform
from .recipe import Find
from .scene import Scene

Describe = Callable[[Scene, Operation, Change], Any]


@dataclass(frozen=True)
class Entry:
    """A line of the operation list.

    Attributes
    ----------
    operation : Operation
        What the person asked for; a composition stays one entry.
    shown : bool
        Hidden entries are left out of the result.
    key : str
        Stays the same while the entry is edited.
    """

    operation: Operation
    shown: bool = True
    key: str = field(default_factory=lambda: uuid4().hex)


@dataclass(frozen=True)
class Done:
    """An entry that is in the image.

    Attributes
    ----------
    operation : Operation
        As asked for.
    parts : tuple of Operation
        As done; of a composition several.
    boxes : tuple of tuple of slice
        What each of them changed.
    notes : tuple
        What the session's `describe` said of each.
    known : dict
        What has been measured since, of the case as it was just after it.
    """

    operation: Operation
    parts: tuple[Operation, ...]
    boxes: tuple[Box, ...]
    notes: tuple[Any, ...]
    known: dict[object, Any]


class Session:
    """One case being edited.

    Parameters
    ----------
    case : Case
        The originals; never changed.
    find : callable
        Name to `Disease`: ``catalogue.find``.
    describe : callable
        ``describe(scene before, operation, change)``: what is kept of a change in `Done.notes`, as the change itself is
        too large to be kept.
    limit_bytes : int
        Memory for taking steps back; beyond it the oldest are done again instead.

    Attributes
    ----------
    entries : tuple of Entry
        The list as the person sees it.

    Notes
    -----
    Every edit hands in a whole new list (`set_entries`); only what differs from the list before is done again. Undo and
    redo step through the lists, so that image, labels and list go together. What is taken out of the image is
    remembered by all operations that led to it, so that the way back costs no computation, whatever the way was.
    """

    def __init__(self, case: Case, find: Find, describe: Describe = lambda scene, operation, change: None,
                 limit_bytes: int = LIMIT_BYTES) -> None:
        self.original = case
        self.entries: tuple[Entry, ...] = ()
        self._find, self._describe, self._limit = find, describe, limit_bytes
        scene = Scene(case)
        scene.measure_what_lasts()
        self._first_known = scene.known
        self._before: list[tuple[Entry, ...]] = []
        self._after: list[tuple[Entry, ...]] = []
        self._remembered: OrderedDict[tuple[Operation, ...], tuple[Done, tuple[Delta, ...]]] = OrderedDict()
        self._begin()

    def _begin(self) -> None:
        self._history = History(self.original, self._limit)
        self._done: list[Done] = []

    @property
    def case(self) -> Case:
        """The result; its arrays are edited in place by the next step."""
        return self._history.case

    @property
    def memory_bytes(self) -> int:
        """What undo and redo take, without the case itself."""
        return self._history.memory_bytes + self._remembered_bytes

    @property
    def _remembered_bytes(self) -> int:
        return sum(delta.bytes for _, deltas in self._remembered.values() for delta in deltas)

    @property
    def done(self) -> tuple[Done, ...]:
        """What is in the image, in order: the shown entries."""
        return tuple(self._done)

    @property
    def scene(self) -> Scene:
        """The scene as it is now, for measuring and placing; not to be kept beyond the next step."""
        return Scene(self.case, self._done[-1].known if self._done else self._first_known)

    def scene_before(self, number: int) -> Scene:
        """The scene that the operation ``done[number]`` was placed in, for judging other places for it.

        Its labels and organs are those of then; its HU are those of now.
        """
        scene = self.scene
        for organ in LABEL_OF:
            scene.has(organ)
        labels = self._history.labels_before(sum(len(done.parts) for done in self._done[number:]))
        return Scene(self.case.with_arrays(self.case.hu, labels), {"boxes": scene.known["boxes"]})

    @property
    def can_undo(self) -> bool:
        """Whether there is a list before this one."""
        return bool(self._before)

    @property
    def can_redo(self) -> bool:
        """Whether a step was taken back."""
        return bool(self._after)

    def set_entries(self, entries: tuple[Entry, ...]) -> Box | None:
        """Make another list the current one; return the box of what changed, None where nothing did.

        Raises
        ------
        FlareSegError
            Where an entry cannot be done; list, image and labels are then as they were.
        """
        before = self.entries
        box = self._show(entries)
        if entries != before:
            self._before.append(before)
            self._after.clear()
        return box

    def undo(self) -> Box | None:
        """Go back to the list before; does nothing where there is none."""
        return self._step(self._before, self._after)

    def redo(self) -> Box | None:
        """Go forth again; does nothing where there is nothing."""
        return self._step(self._after, self._before)

    def _step(self, source: list[tuple[Entry, ...]], target: list[tuple[Entry, ...]]) -> Box | None:
        if not source:
            return None
        now = self.entries
        box = self._show(source[-1])
        source.pop()
        target.append(now)
        return box

    def _show(self, entries: tuple[Entry, ...]) -> Box | None:
        """Bring image and labels to a list: all of it or nothing."""
        before = [done.operation for done in self._done]
        try:
            box = self._show_operations([entry.operation for entry in entries if entry.shown])
        except BaseException:
            self._show_operations(before)
            raise
        self.entries = entries
        return box

    def _show_operations(self, wanted: list[Operation]) -> Box | None:
        same = 0
        while same < min(len(wanted), len(self._done)) and self._done[same].operation == wanted[same]:
            same += 1
        boxes = [box for done in self._done[same:] for box in done.boxes]
        self._take_back(same)
        for operation in wanted[len(self._done):]:
            self._do(operation)
        return _joined(boxes + [box for done in self._done[same:] for box in done.boxes])

    def _take_back(self, same: int) -> None:
        """Keep the first entries only; start anew where the history no longer reaches back that far."""
        if sum(len(done.parts) for done in self._done[same:]) > self._history.steps:
            self._begin()
            return
        while len(self._done) > same:
            way = tuple(done.operation for done in self._done)
            done = self._done.pop()
            deltas = [self._history.take_back() for _ in done.parts]
            self._remembered[way] = done, tuple(reversed(deltas))
            self._remembered.move_to_end(way)
        while self._remembered and self._remembered_bytes > self._limit:
            self._remembered.popitem(last=False)

    def _do(self, operation: Operation) -> None:
        way = (*(done.operation for done in self._done), operation)
        if way in self._remembered:
            done, deltas = self._remembered.pop(way)
            for delta in deltas:
                self._history.do_again(delta)
            self._done.append(done)
            return
        before = self.scene
        parts, known = self._perform(before, operation)
        notes = tuple(self._describe(before, part, change) for part, change in parts)
        for _, change in parts:
            self._history.do(change)
        self._done.append(Done(operation, tuple(part for part, _ in parts), tuple(change.box for _, change in parts),
                               notes, known))
        self.scene.measure_what_lasts()

    def _perform(self, scene: Scene,
                 operation: Operation) -> tuple[tuple[tuple[Operation, Change], ...], dict[object, Any]]:
        disease = self._find(operation.disease)
        if disease.parts is None:
            # Not `perform`: it would copy the whole case.
            change = apply(disease, scene, operation)
            return ((operation, change),), scene.known_after(change)
        after, parts = perform(self._find, scene, operation)
        return parts, after.known


def _joined(boxes: list[Box]) -> Box | None:
    """The smallest box that holds all."""
    if not boxes:
        return None
    return tuple(slice(min(box[a].start for box in boxes), max(box[a].stop for box in boxes)) for a in range(3))
