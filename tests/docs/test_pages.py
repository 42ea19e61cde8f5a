"""Pages by their sources: how long they are, what README names, which questions they answer."""

import re
from pathlib import Path

import pytest

from aiec_graph.cli.options import Signature
from aiec_graph.cli.table import COMMANDS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAGES = sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)
SHORT = {f"research/{name}.md": 1200 for name in ("channels", "variants", "when-aiec-helps")}
SHORT["research/photographs.md"] = 900
GENERATED = re.compile(r"<!-- measured: begin -->.*<!-- measured: end -->", re.DOTALL)
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#([^)\s]+))?\)")
QUESTIONS = {
    "score next month's file": ("guides/tomorrow.md", "aiec score model/ next-month/"),
    "cut at 90 % precision": ("guides/thresholds.md", "precision=0.9"),
    "use only the past": ("guides/time.md", "--as-of"),
    "put AIEC in my PyG model": ("guides/extend.md", 'convert(model, "aiec"'),
    "add a data set": ("guides/extend.md", "card.yaml"),
    "run on a GPU": ("start/install.md", "--device cuda"),
    "read the CSV columns": ("reference/files.md", "`best_epoch`"),
    "know why node X is flagged": ("guides/reasons.md", "aiec explain"),
    "reproduce Table 5": ("research/results.md", "configs/table5.yaml"),
    "cite this": ("research/index.md", "CITATION.cff"),
}


def linked(page):
    """The pages that a page links to."""
    text = page.read_text(encoding="utf-8")
    targets = [(page.parent / target).resolve() for target, _ in LINK.findall(text)]
    return {path for path in targets if path.suffix == ".md"}


def test_the_readme_is_short():
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 120


@pytest.mark.parametrize("page", [README, *PAGES], ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_a_page_names_are_there(page):
    for target, _ in LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_pages_that_messages_and_configurations_name_are_there():
    files = [
        f for name in ("aiec_graph", "configs", "research") for f in (ROOT / name).rglob("*.*")
    ]
    for file in files:
        if file.suffix in (".py", ".yaml"):
            for page in re.findall(r"\bdocs/[\w/-]+\.md", file.read_text(encoding="utf-8")):
                assert (ROOT / page).exists(), f"{file} names {page}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_no_page_is_long(page):
    most = SHORT.get(page.relative_to(DOCS).as_posix(), 1500)
    written = GENERATED.sub("", page.read_text(encoding="utf-8"))
    assert len(written.split()) <= most


def test_the_page_on_configuration_names_every_file_and_every_command_that_takes_one():
    text = (DOCS / "reference" / "configuration.md").read_text(encoding="utf-8")
    names = [file.stem for file in (ROOT / "configs").glob("*.yaml")]
    names += [name for name, command in COMMANDS.items() if Signature(*command.load()).takes_file]
    assert not [name for name in names if f"`{name}`" not in text]


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_is_answered_within_two_clicks(question):
    name, answer = QUESTIONS[question]
    front, target = DOCS / "index.md", DOCS / name
    near = linked(front)
    assert target in near | {page for middle in near for page in linked(middle)}
    assert answer in target.read_text(encoding="utf-8")
