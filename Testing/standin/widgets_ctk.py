"""Stand-ins of CTK's widgets (github.com/commontk/CTK, Libs/Widgets): names, properties and signals, simple looks."""

from __future__ import annotations

import types

import qt

from .widget_properties import computed, stored

#: QDir.Filter, as ctkPathLineEdit names it.
PATH_FILTERS = {"Files": 0x002, "Dirs": 0x001, "Drives": 0x004, "Executable": 0x040, "Readable": 0x010,
                "Writable": 0x020, "Hidden": 0x100, "System": 0x200, "NoDot": 0x2000, "NoDotDot": 0x4000,
                "NoDotAndDotDot": 0x6000, "AllDirs": 0x400, "AllEntries": 0x007}


class ctkCollapsibleButton(qt.QAbstractButton):
    """A section with a head to click on."""

    contentsCollapsed = qt.Signal(bool)
    HEAD_HEIGHT = 24

    def __init__(self, *arguments):
        text, parent = arguments if len(arguments) == 2 else (*arguments, None)[:2] if _is_text(arguments) else (
            "", *arguments, None)[:2]
        super().__init__(parent)
        self.setText(text)
        self.setCheckable(True)
        self.setChecked(True)
        self.setContentsMargins(0, self.HEAD_HEIGHT, 0, 0)
        self.setSizePolicy(qt.QSizePolicy.Preferred, qt.QSizePolicy.Preferred)
        self.toggled.connect(lambda expanded: self.setCollapsed(not expanded))

    def _follow(self):
        self.setChecked(not self.collapsed)
        self._show_contents()
        self.contentsCollapsed.emit(self.collapsed)

    collapsed, setCollapsed = stored("collapsed", bool, False, _follow)
    flat, setFlat = stored("flat", bool, False)
    collapsedHeight, setCollapsedHeight = stored("collapsedHeight", int, 10)

    def _show_contents(self):
        for child in self.children():
            if child.isWidgetType() and not child.isWindow():
                child.setVisible(not self.collapsed)
        self.setMaximumHeight(self.HEAD_HEIGHT if self.collapsed else 16777215)
        self.updateGeometry()

    def childEvent(self, event):
        super().childEvent(event)
        if self.collapsed and event.added() and event.child().isWidgetType():
            event.child().hide()

    def sizeHint(self):
        layout = self.layout()
        height = self.HEAD_HEIGHT if self.collapsed or layout is None else layout.totalSizeHint().height()
        return qt.QSize(120 if layout is None else max(120, layout.totalSizeHint().width()), height)

    def minimumSizeHint(self):
        return self.sizeHint()

    def hitButton(self, position):
        return position.y() < self.HEAD_HEIGHT

    def paintEvent(self, event):
        painter, option = qt.QPainter(self), qt.QStyleOptionButton()
        option.initFrom(self)
        option.rect = qt.QRect(0, 0, self.width, self.HEAD_HEIGHT)
        painter.setPen(self.palette.mid().color())
        painter.drawRect(0, 0, self.width - 1, (self.HEAD_HEIGHT if self.collapsed else self.height) - 1)
        painter.fillRect(option.rect, self.palette.button().color().darker(110))
        painter.setPen(self.palette.buttonText().color())
        mark = "\u25b8" if self.collapsed else "\u25be"
        painter.drawText(option.rect.adjusted(6, 0, -6, 0), int(qt.Qt.AlignVCenter), f"{mark}  {self.text}")


def _is_text(arguments) -> bool:
    return bool(arguments) and isinstance(arguments[0], str)


class ctkPathLineEdit(qt.QWidget):
    """A path with a button to browse for it."""

    currentPathChanged, validInputChanged = qt.Signal(str), qt.Signal(bool)
    cpp_signals = {"currentPathChanged(QString)": "currentPathChanged", "validInputChanged(bool)": "validInputChanged"}

    def __init__(self, *arguments):
        super().__init__(arguments[-1] if arguments and not _is_text(arguments) else None)
        self._edit, self._browse = qt.QLineEdit(), qt.QToolButton()
        self._browse.setText("...")
        layout = qt.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._edit, 1)
        layout.addWidget(self._browse)
        self._edit.textChanged.connect(lambda text: self.currentPathChanged.emit(text))
        self._browse.clicked.connect(self.browse)

    def browse(self):
        folders = self.filters & PATH_FILTERS["Dirs"] and not self.filters & PATH_FILTERS["Files"]
        path = qt.QFileDialog.getExistingDirectory(self) if folders else qt.QFileDialog.getOpenFileName(self)
        if path:
            self.setCurrentPath(path)

    def setCurrentPath(self, path):
        self._edit.setText(path)

    def addCurrentPathToHistory(self):
        """The history is left out."""

    currentPath = computed(str, lambda self: self._edit.text, setCurrentPath)
    filters, setFilters = stored("filters", int, 0)
    nameFilters, setNameFilters = stored("nameFilters", list, [])
    settingKey, setSettingKey = stored("settingKey", str, "")
    label, setLabel = stored("label", str, "")
    showHistoryButton, setShowHistoryButton = stored("showHistoryButton", bool, True)
    showBrowseButton, setShowBrowseButton = stored(
        "showBrowseButton", bool, True, lambda self: self._browse.setVisible(self.showBrowseButton))


for _name, _value in PATH_FILTERS.items():
    setattr(ctkPathLineEdit, _name, _value)


class ctkSliderWidget(qt.QWidget):
    """A slider with a spin box, for floats."""

    valueChanged, valueIsChanging = qt.Signal(float), qt.Signal(float)
    cpp_signals = {"valueChanged(double)": "valueChanged", "valueIsChanging(double)": "valueIsChanging"}
    STEPS = 1000

    def __init__(self, *arguments):
        super().__init__(arguments[-1] if arguments else None)
        self._slider, self._spin_box = qt.QSlider(qt.Qt.Horizontal), qt.QDoubleSpinBox()
        self._slider.setRange(0, self.STEPS)
        layout = qt.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._slider, 1)
        layout.addWidget(self._spin_box)
        self._slider.valueChanged.connect(self._slid)
        self._spin_box.valueChanged.connect(self._changed)

    def _slid(self, step):
        self._spin_box.setValue(self.minimum + (self.maximum - self.minimum) * step / self.STEPS)

    def _changed(self, value):
        blocked = self._slider.blockSignals(True)
        self._slider.setValue(round(self.STEPS * (value - self.minimum) / ((self.maximum - self.minimum) or 1)))
        self._slider.blockSignals(blocked)
        self.valueChanged.emit(value)

    def setRange(self, minimum, maximum):
        self._spin_box.setRange(minimum, maximum)

    def _forward(kind, name):  # used while the class is built
        setter = "set" + name[0].upper() + name[1:]
        return (computed(kind, lambda self: getattr(self._spin_box, name),
                         lambda self, value: getattr(self._spin_box, setter)(value)),
                lambda self, value: getattr(self._spin_box, setter)(value))

    value, setValue = _forward(float, "value")
    minimum, setMinimum = _forward(float, "minimum")
    maximum, setMaximum = _forward(float, "maximum")
    singleStep, setSingleStep = _forward(float, "singleStep")
    decimals, setDecimals = _forward(int, "decimals")
    suffix, setSuffix = _forward(str, "suffix")
    prefix, setPrefix = _forward(str, "prefix")
    pageStep, setPageStep = stored("pageStep", float, 10.0)
    tracking, setTracking = stored("tracking", bool, True)
    del _forward


WIDGETS = (ctkCollapsibleButton, ctkPathLineEdit, ctkSliderWidget)


def build_ctk() -> types.ModuleType:
    """Return the module `ctk`."""
    ctk = types.ModuleType("ctk", "Stand-in: the few CTK widgets that are emulated.")
    for cls in WIDGETS:
        setattr(ctk, cls.__name__, cls)
    return ctk
