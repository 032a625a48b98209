"""Traps of PythonQt and of Slicer's module loading, found in the source before anybody runs it.

PythonQt: a property hides its getter (``button.text()`` fails), ``isinstance`` with a Qt class is false for subclasses.
Slicer's event loop holds Python's interpreter lock, so that threads starve.
"""

import ast
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
MODULES = sorted(path.parent for path in REPOSITORY.glob("FlareSeg*/FlareSeg*.py") if path.stem == path.parent.name)
SOURCES = sorted(path for folder in MODULES for path in folder.rglob("*.py"))
UI_FILES = sorted(path for folder in MODULES for path in folder.rglob("*.ui"))

#: Qt, CTK and qMRML properties that the getter of the same name would be tempting for.
PROPERTIES = {"text", "checked", "isChecked", "enabled", "isEnabled", "visible", "isVisible", "value", "minimum",
              "maximum", "currentIndex", "currentText", "count", "toolTip", "collapsed", "currentPath", "plainText",
              "width", "height", "sizeHint", "minimumSizeHint", "windowTitle", "objectName", "rowCount",
              "columnCount", "temporaryPath", "revision", "majorVersion", "minorVersion", "currentNodeID"}
#: Names in PROPERTIES that are methods of MRML, VTK or Python objects that the module calls.
OTHER_METHODS: set[str] = set()
#: A sentence for the user, as a whole string.
SENTENCE = re.compile(r"[A-Z]\S*( \S+){2,}[.?:]")
HEAVY = {"torch", "skimage", "scipy", "SimpleITK", "safetensors", "PIL", "PyTorchUtils", "SampleData"}
INTERACTIVE = re.compile(r"Q(PushButton|CheckBox|ComboBox|SpinBox|DoubleSpinBox|LineEdit|Slider|RadioButton|ToolButton"
                         r"|PlainTextEdit|TextEdit|TableWidget)|ctk\w+|qMRML\w+(Box|Button|Widget)")


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def property_calls(module: ast.Module) -> list[str]:
    """Calls without arguments of what is a property in PythonQt."""
    calls = (node for node in ast.walk(module) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute))
    return [f"line {call.lineno}: {call.func.attr}()" for call in calls
            if call.func.attr in PROPERTIES - OTHER_METHODS and not call.args and not call.keywords]


def isinstance_with_qt(module: ast.Module) -> list[str]:
    """Calls of isinstance that name a class of qt, ctk or a Slicer widget."""
    found = []
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance":
            text = ast.unparse(node.args[1])
            if re.search(r"\b(qt|ctk)\.|slicer\.q(MRML|Slicer)", text):
                found.append(f"line {node.lineno}: isinstance with {text}")
    return found


def star_imports(module: ast.Module) -> list[str]:
    """Star imports; Slicer's shadow modules of the standard library."""
    return [f"line {node.lineno}: from {node.module} import *" for node in ast.walk(module)
            if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names)]


def heavy_imports(module: ast.Module) -> list[str]:
    """Imports at file scope of packages that may be missing or take long."""
    found = []
    for node in module.body:
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else \
            [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
        found += [f"line {node.lineno}: import {name}" for name in names if name.split(".")[0] in HEAVY]
    return found


def translated_f_strings(module: ast.Module) -> list[str]:
    """f-strings inside _(): no translation is ever found for them."""
    return [f"line {node.lineno}" for node in ast.walk(module)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_"
            and any(isinstance(argument, ast.JoinedStr) for argument in node.args)]


def untranslated(module: ast.Module) -> list[str]:
    """Sentences and widget texts outside _(), in files that translate; other files run where Slicer is not at hand."""
    if not any(isinstance(node, ast.ImportFrom) and node.module == "slicer.i18n" for node in module.body):
        return []
    shown = [node for part in module.body if not getattr(part, "name", "").endswith("Test") for node in ast.walk(part)]
    exempt = {id(each) for node in shown if isinstance(node, (ast.Expr, ast.Call))
              for each in (ast.walk(node) if _is_translation(node) else [getattr(node, "value", None)])}
    texts = {id(node.value) for node in shown if isinstance(node, ast.Assign)
             and ast.unparse(node.targets[0]).endswith((".text", ".toolTip", ".title", ".helpText"))}
    return [f"line {node.lineno}: {node.value!r}" for node in shown
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in exempt
            and (re.fullmatch(SENTENCE, node.value) or id(node) in texts and re.search("[A-Za-z]", node.value))]


def _is_translation(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) in ("_", "translate")


def version_checks(module: ast.Module) -> list[str]:
    """What asks for Slicer's version or for what only some versions have; one file does that for all."""
    return [f"line {node.lineno}: {ast.unparse(node)}" for node in ast.walk(module)
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "hasattr"
            and "slicer.modules" not in ast.unparse(node)
            or isinstance(node, ast.Compare) and re.search("majorVersion|minorVersion|revision", ast.unparse(node))]


def threads(module: ast.Module) -> list[str]:
    """Threads: in Slicer's event loop they starve unless a `Follower` lets them work (FlareSegModuleLib.background)."""
    return [f"line {node.lineno}: {ast.unparse(node)}" for node in ast.walk(module)
            if isinstance(node, (ast.Import, ast.ImportFrom)) and re.search(r"threading|concurrent|multiprocessing",
                                                                            ast.unparse(node))]


CHECKS = [property_calls, isinstance_with_qt, star_imports, heavy_imports, translated_f_strings, untranslated,
          version_checks, threads]
#: Threads: the follower itself, and what is cancelled while it follows.
ALLOWED = {version_checks: {"compatibility.py"}, threads: {"background.py", "run.py", "batch_section.py"}}


def test_there_is_something_to_check():
    assert MODULES and len(SOURCES) > 10 and UI_FILES


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
@pytest.mark.parametrize("check", CHECKS)
def test_no_trap(check, path):
    assert path.name in ALLOWED.get(check, ()) or check(tree(path)) == []


@pytest.mark.parametrize(("check", "code"), [
    (property_calls, "name = button.text()"),
    (isinstance_with_qt, "isinstance(w, (str, qt.QWidget))"),
    (star_imports, "from slicer.parameterNodeWrapper import *"),
    (heavy_imports, "import torch.nn"),
    (heavy_imports, "from skimage.measure import label"),
    (translated_f_strings, "_(f'{n} slices')"),
    (untranslated, "from slicer.i18n import tr as _\nraise ValueError('Choose another CT.')"),
    (untranslated, "from slicer.i18n import tr as _\nself.label.text = 'Ready'"),
    (version_checks, "hasattr(editor, 'setSourceVolumeNode')"),
    (version_checks, "slicer.app.minorVersion > 10"),
    (threads, "from concurrent.futures import ThreadPoolExecutor"),
])
def test_the_check_finds_its_trap(check, code):
    assert check(ast.parse(code))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_files_and_functions_are_short(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 400
    assert [node.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)
            and node.end_lineno - node.lineno + 1 > 50] == []


def test_what_the_modules_import_of_the_library_is_light():
    """Slicer starts as fast with the extension as without, and with none of its packages installed."""
    names = {node.module for path in SOURCES for node in tree(path).body
             if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("FlareSegLib.")}
    code = f"import sys, {', '.join(sorted(names))}; print([name for name in {sorted(HEAVY)} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert names and done.stdout.strip() == "[]"


def widgets(path: Path) -> list[ET.Element]:
    return list(ET.parse(path).getroot().iter("widget"))


def text_property(widget: ET.Element, name: str) -> str | None:
    found = widget.find(f"property[@name='{name}']/string")
    return None if found is None else found.text


def parameters(path: Path) -> set[str]:
    """Fields of the parameter node of the .ui file's module."""
    module = path.parents[2]
    classes = [node for node in tree(module / f"{module.name}.py").body if isinstance(node, ast.ClassDef)]
    wrapper = next(node for node in classes if node.name == f"{module.name}ParameterNode")
    return {node.target.id for node in wrapper.body if isinstance(node, ast.AnnAssign)}


@pytest.mark.parametrize("path", UI_FILES, ids=lambda path: path.name)
def test_every_parameter_of_the_panel_exists(path):
    named = [text_property(widget, "SlicerParameterName") for widget in widgets(path)]
    named = [name for name in named if name is not None]
    assert named and set(named) <= parameters(path)
    assert len(named) == len(set(named))


@pytest.mark.parametrize("path", UI_FILES, ids=lambda path: path.name)
def test_every_control_has_a_tooltip(path):
    silent = [widget.get("name") for widget in widgets(path)[1:]
              if INTERACTIVE.fullmatch(widget.get("class")) and not text_property(widget, "toolTip")]
    assert silent == []


@pytest.mark.parametrize("path", UI_FILES, ids=lambda path: path.name)
def test_every_control_is_in_the_keyboard_order(path):
    order = [stop.text for stop in ET.parse(path).getroot().iter("tabstop")]
    controls = [widget.get("name") for widget in widgets(path)[1:] if INTERACTIVE.fullmatch(widget.get("class"))
                and widget.get("class") not in ("ctkCollapsibleButton",)]
    assert sorted(order) == sorted(controls)
    assert order == [name for name in controls if name in order], "as the eye reads the panel"


@pytest.mark.parametrize("path", UI_FILES, ids=lambda path: path.name)
def test_every_node_selector_hears_of_the_scene(path):
    root = ET.parse(path).getroot()
    selectors = {widget.get("name") for widget in widgets(path) if widget.get("class") == "qMRMLNodeComboBox"}
    connected = {connection.findtext("receiver") for connection in root.iter("connection")
                 if connection.findtext("slot") == "setMRMLScene(vtkMRMLScene*)"}
    assert selectors <= connected


@pytest.mark.parametrize("path", UI_FILES, ids=lambda path: path.name)
def test_the_code_uses_only_widgets_that_exist(path):
    module = path.parents[2]
    names = {widget.get("name") for widget in widgets(path)}
    used = {name for source in module.rglob("*.py")
            for name in re.findall(r"(?:self\.|\b)ui\.([A-Za-z0-9]+)\b(?!\()", source.read_text(encoding="utf-8"))}
    assert used - {"ui"} <= names
