"""docs/reliability.md names tests; they exist."""

import ast
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
NAMED = sorted(set(re.findall(r"`(Testing/[\w/]+\.py)::(test_\w+)`",
                              (REPOSITORY / "docs/reliability.md").read_text(encoding="utf-8"))))


def test_every_chapter_names_some():
    chapters = (REPOSITORY / "docs/reliability.md").read_text(encoding="utf-8").split("\n## ")[1:]
    assert len(chapters) == 8 and all("::test_" in chapter for chapter in chapters)


@pytest.mark.parametrize("file, name", NAMED, ids=lambda part: part)
def test_it_is_there(file, name):
    tree = ast.parse((REPOSITORY / file).read_text(encoding="utf-8"))
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
