"""Image networks with settings chosen on validation images."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

pytest.importorskip("timm")
pytest.importorskip("lightning")

from aiec_graph.bench import vision_tune
from aiec_graph.bench.report.vision_study import comparisons
from aiec_graph.bench.study.statistics import compare
from aiec_graph.cli.main import main
from aiec_graph.errors import DivergedError
from aiec_graph.vision import training

SMALL = ["--backbone", "shufflenet", "--batch-size", "12", "--epochs", "1", "--image-size", "8"]
SMALL += ["--seeds", "2", "--warmup-epochs", "0", "--augment", "none"]
SPACES = ["--space", '{"lr": [0.001, 0.01]}', "--aiec-space", '{"lambda_gate": [1, 20]}']


def test_settings_are_chosen_without_the_test_and_confirmed_on_fresh_seeds(tmp_path, monkeypatch):
    monkeypatch.setenv("AIEC_CACHE_DIR", str(tmp_path / "cache"))
    for part, count in (("train", 8), ("test", 5)):
        for level, name in enumerate(("dark", "bright")):
            (tmp_path / "d" / part / name).mkdir(parents=True)
            for i in range(count):
                image = Image.new("RGB", (8, 8), (200 * level + i, i, len(part)))
                image.save(tmp_path / "d" / part / name / f"{i}.png")
    looked: list[int] = []
    predict = training.predict_images

    def watch(network, data, *rest):
        looked.append(len(data))
        return predict(network, data, *rest)

    fit = vision_tune.fit_images

    def diverge(backbone, act, data, settings, *rest):
        if act == "relu" and settings.lr == 0.01:
            raise DivergedError("the loss is nan")
        return fit(backbone, act, data, settings, *rest)

    monkeypatch.setattr(training, "predict_images", watch)
    monkeypatch.setattr(vision_tune, "fit_images", diverge)
    out = tmp_path / "study"
    arguments = ["vision", "--tune", *SMALL, *SPACES, "--act", "relu", "aiec"]
    arguments += ["--dataset", str(tmp_path / "d"), "--corrupted", "4", "--out", str(out)]
    assert main(arguments) == 0
    tuned, runs = pd.read_csv(out / "tuning" / "runs.csv"), pd.read_csv(out / "runs.csv")
    assert (len(tuned), len(runs), looked) == (3, 4, [10] * 4), "tuning looks at no test image"
    assert not any("test" in name for name in tuned.columns)
    assert not set(tuned["seed"]) & set(runs["seed"])
    candidates = pd.read_csv(out / "report" / "candidates.csv")
    for _, own in candidates.groupby("act"):
        assert len(own) == 2
        assert own.loc[own["is_chosen"], "val_top1"].item() == own["val_top1"].max()
    assert candidates.loc[candidates["val_top1"].isna(), "settings"].tolist() == ["lr 0.01"]
    tried = set(candidates.loc[candidates["act"] == "aiec", "settings"])
    assert tried == {"lambda_gate 1", "lambda_gate 20"}
    corrupted = pd.read_csv(out / "report" / "corrupted.csv")
    assert len(corrupted) == 4 * 21 and (corrupted["images"] == 4).all()
    page = (out / "report" / "index.md").read_text()
    for word in ("## Accuracy on corrupted test images", "AIEC − ReLU", "chosen", "diverged"):
        assert word in page
    before = (out / "runs.csv").read_bytes()
    monkeypatch.setattr(training, "predict_images", None)
    assert main(arguments) == 0
    assert (out / "runs.csv").read_bytes() == before


def test_differences_are_paired_by_seed():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            **{"dataset": "d", "backbone": "resnet18", "act": np.repeat(["relu", "aiec"], 5)},
            **{"seed": [*range(5), *range(5)], "test_top1": rng.normal(50, 5, 10)},
        }
    )
    (row,) = comparisons(frame.sample(frac=1, random_state=1), "test_top1", ["relu"]).to_dict(
        "records"
    )
    top1 = frame["test_top1"].to_numpy()
    wanted = compare(top1[5:] - top1[:5], 0.0)
    assert row["difference"] == pytest.approx(wanted.difference)
    assert row["p"] == pytest.approx(wanted.p)
    assert (row["act"], row["reference"]) == ("aiec", "relu")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--aiec-space", '{"lambda_gate": [1]}'], "space has 4 candidates and aiec_space 1"),
        (["--space", '{"rl": [1, 2, 3, 4]}'], "unknown setting 'rl'"),
        (["--space", '{"lr": [1, 2, 3, "x"]}'], "lr must be a number, not 'x'"),
        (["--seeds", "1"], "seeds must be at least 2"),
        (["--reference", "gelu", "--act", "relu", "aiec"], "unknown reference among --act 'gelu'"),
        (["--act", "relu", "aiec:lambda_gate=5"], "lambda_gate is chosen by aiec_space already"),
    ],
)
def test_mistakes(arguments, message, tmp_path, capsys):
    assert main(["vision", "--tune", *arguments, "--out", str(tmp_path / "o")]) == 2
    assert message in capsys.readouterr().err
