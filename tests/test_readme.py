"""The README's Python runs as it stands there."""

import re
from pathlib import Path

import torch

README = Path(__file__).parents[1] / "README.md"


def test_the_readme_is_short():
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 120


def test_files_that_the_readme_names_are_there():
    text = README.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (README.parent / target).exists(), target


def test_the_training_loop_of_the_readme_runs():
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    (loop,) = [block for block in blocks if "AIECPenalty" in block]
    torch.manual_seed(0)
    names = {
        "x": torch.randn(50, 64),
        "edge_index": torch.randint(0, 50, (2, 200)),
        "y": torch.randint(0, 2, (50,)),
        "train_mask": torch.rand(50) < 0.6,
    }
    exec(compile(loop.replace("range(200)", "range(3)"), str(README), "exec"), names)
    assert not any("counter" in name for name in names["model"].state_dict())
