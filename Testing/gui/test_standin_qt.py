"""The stand-in's `qt` behaves as PythonQt does, and where PythonQt would go on in silence it fails.

The expected values were observed on PythonQt 4.1 built with Qt 5.15 (github.com/MeVisLab/pythonqt).
"""

import ctk
import pytest
import qt
import slicer
import vtk
from standin import failures
from standin.qt_signals import UnknownSignal


@pytest.fixture
def button():
    return qt.QPushButton("text")


def test_a_property_is_a_value(button):
    assert button.text == "text" and button.enabled is True
    with pytest.raises(TypeError):
        button.text()


def test_getters_of_another_name_stay_methods(button):
    assert button.isEnabled() is True and qt.QComboBox().currentIndex == -1


@pytest.mark.parametrize(("value", "text"), [(5, "5"), ("a", "a")])
def test_values_are_converted_to_text(button, value, text):
    button.text = value
    assert button.text == text


def test_text_is_not_converted_to_a_number():
    box = qt.QSpinBox()
    box.value = 7.9
    assert box.value == 7
    with pytest.raises(AttributeError):
        box.value = "12"


@pytest.mark.parametrize("name", ["enable", "_private", "nothing"])
def test_no_new_attributes(button, name):
    with pytest.raises(AttributeError):
        setattr(button, name, True)


def test_a_method_is_not_overwritten(button):
    with pytest.raises(AttributeError):
        button.click = None


def test_no_new_attributes_on_slicers_objects():
    for each in (slicer.app, ctk.ctkCollapsibleButton(), slicer.qMRMLNodeComboBox(),
                 slicer.modules.flareseg if hasattr(slicer.modules, "flareseg") else slicer.app):
        with pytest.raises(AttributeError):
            each.nothing = 1


def test_unknown_attributes(button):
    for each in (button, slicer.app, slicer.modules, slicer.util, slicer, ctk, qt):
        with pytest.raises(AttributeError):
            _ = each.thisDoesNotExist


def test_a_subclass_has_attributes_of_its_own():
    class Mine(qt.QWidget):
        pass

    mine = Mine()
    mine.anything = 4
    assert mine.anything == 4


def test_dynamic_properties_are_attributes(button):
    button.setProperty("dynamic", "q")
    assert button.dynamic == "q"
    button.dynamic = "r"
    assert button.property("dynamic") == "r"
    assert button.property("unset") is None


def test_names(button):
    button.objectName = "mine"
    assert button.name == "mine" and button.className() == "QPushButton" and button.inherits("QAbstractButton")


def test_enums_are_numbers_on_class_and_object():
    assert qt.Qt.Checked == 2 and qt.QProcess().Running == 2 and qt.QSizePolicy.Preferred == 5
    box = qt.QCheckBox()
    box.checked = True
    assert box.checkState() == 2


def test_static_methods_and_properties_of_the_same_name():
    assert qt.QCoreApplication.applicationName() == slicer.app.applicationName == "Slicer"
    assert callable(qt.QTimer.singleShot)


def test_slots_get_as_many_arguments_as_they_take(button):
    calls = []
    button.connect("clicked(bool)", lambda: calls.append(()))
    button.connect("clicked( bool )", lambda checked: calls.append((checked,)))
    button.connect("clicked()", lambda checked="none": calls.append((checked,)))
    button.clicked.connect(lambda: calls.append("new style"))
    button.click()
    assert calls == [(), (False,), ("none",), "new style"]


def test_slots_of_a_receiver(button):
    other = qt.QCheckBox()
    button.connect("clicked()", other, "toggle()")
    button.click()
    assert other.checked


@pytest.mark.parametrize("signal", ["clickd(bool)", "clicked(int)", "clicked", "currentNodeChanged(vtkMRMLNode*)"])
def test_unknown_signals(button, signal):
    with pytest.raises(UnknownSignal):
        button.connect(signal, print)


def test_no_slot(button):
    with pytest.raises(TypeError):
        button.connect("clicked()", None)
    with pytest.raises(AttributeError):
        button.connect("clicked()", qt.QCheckBox(), "togle()")


def test_disconnecting(button):
    calls = []

    def slot():
        calls.append(1)

    button.connect("clicked()", slot)
    assert button.disconnect("clicked()", slot) is True
    assert button.disconnect("clicked()", slot) is False
    button.click()
    assert calls == []


def test_signals_of_stand_ins():
    section, calls = ctk.ctkCollapsibleButton("Title"), []
    section.connect("contentsCollapsed(bool)", calls.append)
    section.collapsed = True
    section.collapsed = True
    assert calls == [True]


def fail():
    raise ZeroDivisionError


def by_button():
    button = qt.QPushButton()
    button.connect("clicked()", fail)
    button.click()


def by_timer():
    loop = qt.QEventLoop()
    qt.QTimer.singleShot(0, fail)
    qt.QTimer.singleShot(5, loop.quit)
    qt.QEventLoop.exec(loop)


def by_observer():
    tag = slicer.mrmlScene.AddObserver("ModifiedEvent", lambda caller, event: fail())
    slicer.mrmlScene.Modified()
    slicer.mrmlScene.RemoveObserver(tag)


@pytest.mark.parametrize("way", [by_button, by_timer, by_observer])
def test_what_a_slot_raises_fails_the_test(way):
    way()
    with pytest.raises(failures.UncaughtError, match="ZeroDivisionError"):
        failures.raise_collected()


def test_what_qt_and_vtk_report_fails_the_test(button):
    qt.QVBoxLayout(button)
    qt.QVBoxLayout(button)
    with pytest.raises(failures.UncaughtError, match="already has a layout"):
        failures.raise_collected()
    vtk.vtkImageReslice().Update()
    with pytest.raises(failures.UncaughtError, match="0 connections"):
        failures.raise_collected()


def test_expected_failures_fail_nothing():
    with failures.expected() as errors:
        by_button()
    assert [type(error) for error in errors] == [ZeroDivisionError]


def test_dialogs_that_nobody_has_announced():
    from standin import dialogs

    for ask in (lambda: slicer.util.confirmYesNoDisplay("Really?"), lambda: slicer.util.errorDisplay("No."),
                lambda: qt.QFileDialog.getOpenFileName(None, "Title"), lambda: qt.QDialog().exec_()):
        with pytest.raises(dialogs.UnexpectedDialog):
            ask()
    with dialogs.answered("Really", qt.QMessageBox.No) as shown:
        assert slicer.util.confirmYesNoDisplay("Really?") is False
    assert shown == ["Really?"]
    with pytest.raises(AssertionError, match="0 dialogs"), dialogs.answered("Really"):
        pass


def test_restarting_and_installing_fail():
    import slicer.packaging

    with pytest.raises(AssertionError):
        slicer.util.restart()
    with pytest.raises(AssertionError):
        slicer.packaging.pip_ensure(["torch"])
    with pytest.raises(LookupError):
        slicer.util.selectModule("Nothing")
