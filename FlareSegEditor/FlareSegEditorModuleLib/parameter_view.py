"""Controls for a disease's parameters, made from its typed fields; no disease is known here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import ctk
import numpy as np
import qt
from slicer.i18n import tr as _

from FlareSegLib.disease.parameters import Quantity, meanings

DIE = "\u2684"


class ParameterView:
    """Sliders, switches and choices with a die each: the main ones, and the others under "Advanced".

    Parameters
    ----------
    main, advanced : QWidget
        Empty widgets; each gets one child with the controls.
    section : ctkCollapsibleButton
        Holds `advanced`; hidden where there is nothing in it.
    on_change : callable
        ``on_change(parameters)`` when the person has chosen a value (sliders: let go).
    on_slide : callable
        ``on_slide(name, value)`` while a slider moves.
    """

    def __init__(self, main, advanced, section, on_change: Callable, on_slide: Callable = lambda name, value: None):
        self._places = {True: main, False: advanced}
        self._section, self._on_change, self._on_slide = section, on_change, on_slide
        self._grids: dict[bool, object] = {}
        self._controls: dict[str, _Control] = {}
        self._parameters = None
        self._rng = np.random.default_rng()

    @property
    def parameters(self):
        """The parameters that are shown, of the disease's own type; None for none."""
        return self._parameters

    def show(self, parameters) -> None:
        """Show parameters; controls are made anew only for another disease. None shows nothing."""
        if type(parameters) is not type(self._parameters):
            self._build(type(parameters) if parameters is not None else None)
        self._parameters = parameters
        for name, control in self._controls.items():
            control.show(getattr(parameters, name))

    def draw_all(self) -> None:
        """Draw every parameter from what is usual."""
        if self._parameters is not None:
            self._take(type(self._parameters)(**{name: meaning.sample(self._rng) for name, meaning
                                                 in meanings(type(self._parameters)).items()}))

    def control(self, name: str):
        """The widget that holds a parameter's value."""
        return self._controls[name].widget

    def die(self, name: str):
        """The button that draws a parameter."""
        return self._controls[name].die

    def enable(self, enabled: bool) -> None:
        """Let the person change values, or not."""
        for place in self._places.values():
            place.setEnabled(enabled)

    def _build(self, kind: type | None) -> None:
        for main, place in self._places.items():
            old = self._grids.pop(main, None)
            if old is not None:
                old.hide()
                old.deleteLater()
            self._grids[main] = holder = qt.QWidget()
            grid = qt.QGridLayout(holder)
            grid.setContentsMargins(0, 0, 0, 0)
            grid.setColumnStretch(1, 1)
            place.layout().addWidget(holder)
        self._controls = {}
        for name, meaning in (meanings(kind) if kind is not None else {}).items():
            self._add(name, meaning, self._grids[meaning.main].layout())
        others = any(not meaning.main for meaning in (meanings(kind).values() if kind is not None else ()))
        self._section.setVisible(others)

    def _add(self, name: str, meaning, grid) -> None:
        control = _control_for(meaning, lambda value: self._take(replace(self._parameters, **{name: value})),
                               lambda value: self._on_slide(name, value))
        control.widget.setObjectName(f"parameter_{name}")
        control.widget.toolTip = _tooltip(meaning)
        row = len(self._controls)
        label = qt.QLabel(_(meaning.text) + ":")
        label.wordWrap = True
        label.setMinimumWidth(110)
        label.toolTip = control.widget.toolTip
        grid.addWidget(label, row, 0)
        grid.addWidget(control.widget, row, 1)
        control.die = die = qt.QToolButton()
        die.text = DIE
        die.setObjectName(f"die_{name}")
        die.toolTip = _("Draw a value from what is usual.")
        die.connect("clicked()", lambda: self._take(replace(self._parameters, **{name: meaning.sample(self._rng)})))
        grid.addWidget(die, row, 2)
        self._controls[name] = control

    def _take(self, parameters) -> None:
        """The person wants these."""
        if parameters != self._parameters:
            self.show(parameters)
            self._on_change(parameters)


class _Control:
    """A widget with a value; `show` sets it without telling anybody."""

    def __init__(self, widget, read: Callable, write: Callable):
        self.widget, self.read, self._write = widget, read, write
        self.die = None
        self.quiet = False

    def show(self, value) -> None:
        self.quiet = True
        try:
            self._write(value)
        finally:
            self.quiet = False


def _control_for(meaning, on_value: Callable, on_slide: Callable) -> _Control:
    if isinstance(meaning, Quantity):
        return _automatic(meaning, on_value, on_slide) if meaning.automatic else _slider(meaning, on_value, on_slide)
    return _switch(meaning, on_value) if set(meaning.options) == {False, True} else _choice(meaning, on_value)


def _make_slider(meaning: Quantity):
    slider = ctk.ctkSliderWidget()
    span = meaning.high - meaning.low
    slider.decimals = 0 if meaning.whole else 1 if span >= 10 else 2
    slider.minimum, slider.maximum = float(meaning.low), float(meaning.high)
    slider.singleStep = 1.0 if span >= 10 or meaning.whole else 0.05
    slider.pageStep = max(slider.singleStep, span / 20)
    slider.suffix = f" {meaning.unit}" if meaning.unit else ""
    slider.tracking = False  # a value is told when the slider is let go
    return slider


def _slider(meaning: Quantity, on_value: Callable, on_slide: Callable) -> _Control:
    slider = _make_slider(meaning)

    def read():
        return int(round(slider.value)) if meaning.whole else float(slider.value)

    def write(value):
        slider.value = float(value)

    control = _Control(slider, read, write)
    slider.connect("valueChanged(double)", lambda value: None if control.quiet else on_value(read()))
    slider.connect("valueIsChanging(double)", lambda value: None if control.quiet else on_slide(value))
    return control


def _automatic(meaning: Quantity, on_value: Callable, on_slide: Callable) -> _Control:
    """A slider with a box: ticked, the disease chooses for the organ and phase at hand."""
    holder, box, slider = qt.QWidget(), qt.QCheckBox(_("automatic")), _make_slider(meaning)
    row = qt.QHBoxLayout(holder)
    row.setContentsMargins(0, 0, 0, 0)
    row.addWidget(box)
    row.addWidget(slider)
    box.toolTip = _("The disease finds the value itself: from its organ, the contrast phase or its shape.")

    def read():
        if box.checked:
            return None
        return int(round(slider.value)) if meaning.whole else float(slider.value)

    def write(value):
        box.checked = value is None
        slider.enabled = value is not None
        if value is not None:
            slider.value = float(value)

    control = _Control(holder, read, write)

    def changed(*_ignored):
        slider.enabled = not box.checked
        if not control.quiet:
            on_value(read())

    box.connect("toggled(bool)", changed)
    slider.connect("valueChanged(double)", changed)
    slider.connect("valueIsChanging(double)", lambda value: None if control.quiet else on_slide(value))
    return control


def _switch(meaning, on_value: Callable) -> _Control:
    box = qt.QCheckBox()

    def write(value):
        box.checked = bool(value)

    control = _Control(box, lambda: bool(box.checked), write)
    box.connect("toggled(bool)", lambda checked: None if control.quiet else on_value(bool(checked)))
    return control


def _choice(meaning, on_value: Callable) -> _Control:
    box = qt.QComboBox()
    box.addItems([str(option) for option in meaning.options])

    def write(value):
        box.currentIndex = meaning.options.index(value)

    control = _Control(box, lambda: meaning.options[box.currentIndex], write)
    box.connect("currentIndexChanged(int)",
                lambda index: None if control.quiet or index < 0 else on_value(meaning.options[index]))
    return control


def _tooltip(meaning) -> str:
    if not isinstance(meaning, Quantity):
        return _(meaning.text)
    unit = f" {meaning.unit}" if meaning.unit else ""
    return _("{text}: {low:g} to {high:g}{unit}, usually {least:g} to {most:g}{unit}").format(
        text=_(meaning.text), low=meaning.low, high=meaning.high, least=meaning.usual[0], most=meaning.usual[1],
        unit=unit)
