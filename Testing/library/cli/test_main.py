"""The command as a whole: fast help, one line for each failure, standard exit statuses."""

import subprocess
import sys
from pathlib import Path

import pytest

from FlareSegLib import __version__, errors
from FlareSegLib.cli.main import main
from FlareSegLib.errors import EXIT_CODES, FlareSegError

#: Nothing of these may be loaded to print a help text.
HEAVY = {"torch", "SimpleITK", "numpy", "scipy", "skimage", "tqdm", "PIL", "safetensors"}


def test_help_loads_nothing_heavy():
    code = ("import sys; from FlareSegLib.cli.main import main\n"
            "try: main(['segment', '--help'])\n"
            "finally: print(sorted(set(sys.modules) & set(sys.argv[1:])), file=sys.stderr)")
    done = subprocess.run([sys.executable, "-c", code, *HEAVY], capture_output=True, text=True)
    assert done.returncode == 0 and "--organs" in done.stdout
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize("command", [[], ["segment"], ["models"], ["models", "import"], ["phantom"]])
def test_every_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    assert ended.value.code == 0
    assert "usage: flareseg" in capsys.readouterr().out


def test_version(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.strip() == f"flareseg {__version__}"


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["segment"], ["segment", "ct.nii"], ["models"],
                                       ["segment", "ct.nii", "-o", "a.nii", "--device", "abacus"]])
def test_wrong_arguments_end_with_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "flareseg" in capsys.readouterr().err


def test_exit_codes_are_distinct_and_all_in_use():
    """1 is a defect, 2 wrong arguments; a code that nothing raises would be a promise to scripts that nobody keeps."""
    library = Path(errors.__file__).parent
    text = "\n".join(path.read_text("utf-8") for path in library.rglob("*.py") if path.name != "errors.py")
    assert len(set(EXIT_CODES.values())) == len(EXIT_CODES) and not {0, 1, 2} & set(EXIT_CODES.values())
    assert [code for code in EXIT_CODES if f'"{code}"' not in text] == []


@pytest.mark.parametrize(("raised", "status", "text"), [
    (FlareSegError("not_ct", "No CT."), 13, "flareseg: error: No CT.\n"),
    (KeyboardInterrupt(), 130, "Stopped; nothing was written.\n"),
])
def test_failures_are_one_line(monkeypatch, capsys, raised, status, text):
    def run(options):
        raise raised

    monkeypatch.setattr("FlareSegLib.cli.phantom_command.run", run)
    assert main(["phantom", "-o", "a.nii"]) == status
    out, err = capsys.readouterr()
    assert (out, err) == ("", text)


def test_a_defect_keeps_its_traceback(monkeypatch):
    def run(options):
        raise ZeroDivisionError

    monkeypatch.setattr("FlareSegLib.cli.phantom_command.run", run)
    with pytest.raises(ZeroDivisionError):
        main(["phantom", "-o", "a.nii"])
