"""Commands, Python examples and links of the pages are right: options exist, files are there, the examples run."""

import argparse
import re
import shlex
import tomllib
from pathlib import Path

import pytest

from FlareSegLib.cli.main import COMMANDS, build_parser, main

ROOT = Path(__file__).resolve().parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "Testing").rglob("README.md"))]
TEXTS = {str(page.relative_to(ROOT)): page.read_text(encoding="utf-8") for page in PAGES}
ENDINGS = {";", "|", "do", "done", "&&"}


def blocks(text: str, language: str = "") -> list[str]:
    """Fenced blocks of one language."""
    return [body for name, body in re.findall(r"^```(\w*)\n(.*?)^```", text, re.S | re.M) if name == language]


def words_of(line: str) -> list[list[str]]:
    """Commands of a line, each as words; a program in a program (``flareseg measure … -- flareseg segment …``), too."""
    if not re.match(r"\s*(flareseg|python|make|torchrun) ", line):  # a drawing, a sentence, other programs
        return []
    lexer = shlex.shlex(line.replace("[-", "-").replace("]", ""), posix=True, punctuation_chars=";|&")
    lexer.whitespace_split = True
    commands = [[]]
    for word in lexer:
        if word in ENDINGS:
            commands.append([])
        else:
            commands[-1].append(word)
    inner = [words[words.index("--") + 1:] for words in commands if "--" in words]
    return [words for words in commands + inner if words]


def documented() -> list[tuple[str, list[str]]]:
    """Every command of the pages' blocks and of the examples below ``--help``, with where it stands."""
    texts = [(page, body) for page, text in TEXTS.items() for body in blocks(text)]
    texts += [(f"{command.__name__} EXAMPLES", command.EXAMPLES)
              for command in COMMANDS if hasattr(command, "EXAMPLES")]
    lines = [(place, line) for place, body in texts for line in body.replace("\\\n", " ").splitlines()]
    return [(place, words) for place, line in lines for words in words_of(line)]


DOCUMENTED = documented()
FLARESEG = [(place, words[1:]) for place, words in DOCUMENTED if words[0] == "flareseg"]
FLARESEG += [(place, ["train", *words[words.index("FlareSegLib.cli.train") + 1:]])
             for place, words in DOCUMENTED if words[0] == "torchrun"]
PYTHON = [(place, words[1:]) for place, words in DOCUMENTED if words[0] == "python"]
MAKE = [(place, words[1]) for place, words in DOCUMENTED if words[0] == "make"]


def names(commands) -> list[str]:
    return [f"{place}: {' '.join(words)}" for place, words in commands]


@pytest.mark.parametrize(("place", "words"), FLARESEG, ids=names(FLARESEG))
def test_flareseg_takes_these_arguments(place, words):
    build_parser().parse_args(words)


def test_every_command_is_told_of():
    told = " ".join(TEXTS.values())
    assert [name for name in _subparsers(build_parser()) if f"flareseg {name}" not in told] == []


@pytest.mark.parametrize(("place", "words"), PYTHON, ids=names(PYTHON))
def test_the_program_is_there_and_names_its_options(place, words):
    path = ROOT / (words[1].replace(".", "/") if words[0] == "-m" else words[0])
    path = path / "__main__.py" if path.is_dir() else path.with_suffix(".py")
    source = path.read_text(encoding="utf-8")
    for neighbour in re.findall(r"^from \.(\w+) import .*\badd_\w+", source, re.M):  # declares options for several
        source += (path.parent / f"{neighbour}.py").read_text(encoding="utf-8")
    options = [word.removeprefix("--") for word in words[1:] if word.startswith("--")]
    unknown = [name for name in options if not re.search(rf'"(--)?{re.escape(name)}"', source)]
    assert unknown == []


def test_make_has_the_targets():
    rules = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    assert MAKE and {target for _, target in MAKE} <= set(rules)


def test_extras_can_be_installed():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    told = {name for text in TEXTS.values() for group in re.findall(r'"(?:\.|flareseg)\[([\w,-]+)]"', text)
            for name in group.split(",")}
    assert told and told <= set(extras)


@pytest.mark.parametrize("page", TEXTS)
def test_options_within_sentences_exist(page):
    """`flareseg COMMAND --option` in a sentence: the command has the option."""
    prose = re.sub(r"^```.*?^```", "", TEXTS[page], flags=re.S | re.M)
    for words in (span.split() for span in re.findall(r"`flareseg ([^`]+)`", prose)):
        parser = build_parser()
        for word in words:
            if word == "--":
                break
            if word.startswith("-"):
                assert word in parser._option_string_actions, f"{' '.join(words)}: {word}"
            elif _subparsers(parser):
                parser = _subparsers(parser)[word]


@pytest.mark.parametrize("page", TEXTS)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", TEXTS[page]):
        if re.match(r"\w+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (ROOT / page).parent / name if name else ROOT / page
        assert path.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)", path.read_text(encoding="utf-8"), re.M)
            assert anchor in {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}, target


EXAMPLES = [(page, body) for page, text in TEXTS.items() for body in blocks(text, "python")
            if "from FlareSegLib" in body]


@pytest.mark.parametrize(("page", "body"), EXAMPLES, ids=[page for page, _ in EXAMPLES])
def test_python_examples_run(page, body, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    sizes = ["--size", "48", "40", "12", "--spacing", "8", "8", "16"]
    assert main(["phantom", "-o", "ct.nii.gz", "--labels", "labels.nii.gz", *sizes]) == 0
    capsys.readouterr()
    exec(compile(body, page, "exec"), {})
    assert capsys.readouterr().out


def _subparsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    found = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return dict(found[0].choices) if found else {}
