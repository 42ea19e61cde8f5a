"""What README and docs/start show runs as it stands there.

A ```bash block holds commands and a ```python block code; both are run, in the order of the page and
in one folder. What cannot be run here, since it installs, needs a network or real data, stands in
a ```shell block and is listed below. Other blocks show lines of files, and these have to be there.
"""

import os
import re
import runpy
import shlex
from pathlib import Path

import pytest
import torch
from torch_geometric.nn.models import GraphSAGE

from aiec_graph.cli.main import main

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = [ROOT / "docs" / "start" / f"{name}.md" for name in ("first-graph", "first-report")]
PAGES.append(ROOT / "docs" / "start" / "first-benchmark.md")
NOT_RUN = (
    "make ",
    "pip install ",
    "aiec data download ",
    "aiec --dataset reddit --model gcn sage --act relu gelu aiec --seeds 10",
    "aiec --dataset reddit --model gcn --act relu aiec --device cuda",
)
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(page):
    """Language and text of each fenced block."""
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def commands(page, language="bash"):
    """The lines of a page's blocks in a language."""
    found = [text for kind, text in blocks(page) if kind == language]
    return [line.strip() for text in found for line in text.splitlines() if line.strip()]


def run_command(line):
    """Runs a command as it stands, but for `auto`, which takes a minute, where none is named."""
    program, *arguments = shlex.split(line, comments=True)
    if program == "python":
        script = ROOT / arguments[0]
        runpy.run_path(str(script), run_name="__main__")
        return
    assert program == "aiec"
    if arguments[0] == "fit" and "--model" not in arguments:
        arguments += ["--model", "logistic_graph"]
    assert main(arguments) == 0, line


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder in which all pages are followed, one after the other."""
    before = Path.cwd()
    path = tmp_path_factory.mktemp("start")
    os.chdir(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["aiec"])
        patch.setenv("AIEC_DATA_ROOT", str(path / "datasets"))
        yield path
    os.chdir(before)


@pytest.mark.filterwarnings("ignore::aiec_graph.detect.DetectionWarning")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_and_snippet_of_the_start_runs(page, folder):
    for kind, text in blocks(page):
        if kind == "bash":
            for line in text.splitlines():
                run_command(line)
        elif kind == "python":
            exec(compile(text, str(page), "exec"), {})
        elif kind == "":
            written = "\n".join(p.read_text() for p in folder.glob("accounts/*.csv")).splitlines()
            assert set(text.splitlines()) <= set(written)


def test_the_commands_of_the_readme_are_run_as_part_of_the_start():
    assert set(commands(README)) <= {line for page in PAGES for line in commands(page)}
    assert len(commands(README)) == 3


@pytest.mark.parametrize("page", [README, *sorted((ROOT / "docs" / "start").glob("*.md"))])
def test_what_is_not_run_is_known(page):
    for line in commands(page, "shell"):
        assert line.startswith(NOT_RUN), line


@pytest.mark.parametrize("page", [README, ROOT / "docs" / "guides" / "extend.md"])
def test_the_training_loop_runs(page):
    loop = next(text for kind, text in blocks(page) if kind == "python" and "range(200)" in text)
    torch.manual_seed(0)
    model = GraphSAGE(64, hidden_channels=32, num_layers=2, out_channels=2)
    names = {
        "x": torch.randn(50, 64),
        "edge_index": torch.randint(0, 50, (2, 200)),
        "y": torch.randint(0, 2, (50,)),
        "train_mask": torch.rand(50) < 0.6,
        "model": model,
        "task_loss": torch.nn.functional.cross_entropy,
        "update": lambda loss: loss.backward(),
    }
    exec(compile(loop.replace("range(200)", "range(3)"), str(page), "exec"), names)
    assert not any("counter" in name for name in names["model"].state_dict())
