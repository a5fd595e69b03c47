"""What the documents list is what there is."""

import re
from pathlib import Path

from corefast.cli import PROGRAMS

ROOT = Path(__file__).parent.parent


def test_readme_names_every_command():
    table = (ROOT / "README.md").read_text().partition("\n## Commands\n")[2].partition("\n## ")[0]
    assert set(PROGRAMS) <= set(re.findall(r"\b[a-z]+\b", table))


def test_every_decision_is_listed_under_its_number():
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(r"\| \[(\d{3})\]\((\S+)\) \|", (folder / "README.md").read_text())
    assert [name for _, name in listed] == sorted(path.name for path in folder.glob("[0-9]*.md"))
    assert all(name.startswith(number) for number, name in listed)
