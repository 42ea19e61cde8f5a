"""The command `vision` on small folders: what takes effect, what is said, what is found again."""

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from aiec_graph.bench.config import Override
from aiec_graph.bench.progress import ReadingLog
from aiec_graph.bench.vision import ImageRuns
from aiec_graph.bench.vision_config import VisionConfig
from aiec_graph.cli.main import main
from aiec_graph.errors import InputError
from aiec_graph.vision import VisionSettings

SMALL = ["--backbone", "shufflenet", "--act", "relu", "--seeds", "1", "--epochs", "1"]
SMALL += ["--image-size", "8", "--batch-size", "8", "--augment", "none"]


@pytest.fixture
def pets(tmp_path, monkeypatch):
    monkeypatch.setenv("AIEC_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    for p, part in enumerate(("train", "val", "test")):
        for k, name in enumerate(("blue", "red")):
            (tmp_path / "pets" / part / name).mkdir(parents=True)
            for i in range(8 - 2 * p):
                rng = np.random.default_rng([p, k, i])
                pixels = rng.integers(0, 80, (8, 8, 3), dtype=np.uint8)
                pixels[..., 2 * (1 - k)] += 150
                Image.fromarray(pixels).save(tmp_path / "pets" / part / name / f"{i}.png")
    return tmp_path / "pets"


def test_overrides_of_size_limit_and_augmentation_take_effect(pets):
    changes = {"image_size": 16, "limit_train": 10, "augment": "full"}
    for name, value in changes.items():
        config = VisionConfig(
            dataset=[str(pets)],
            backbone=["shufflenet"],
            act=["relu"],
            overrides=[Override({"act": "relu"}, {name: value})],
            train=VisionSettings(image_size=8, augment="none"),
        )
        (spec,) = config.specs()
        data = ImageRuns(config).load(spec)
        assert data.image_size == (16 if name == "image_size" else 8)
        assert len(data.train) == (10 if name == "limit_train" else 16)
        images = [data.train[0][0] for _ in range(4)]
        varied = any(not np.array_equal(images[0], other) for other in images)
        assert varied == (name == "augment")


def test_overrides_and_skip_choose_an_ablation_by_its_name():
    config = VisionConfig(
        dataset=["cifar10"],
        backbone=["shufflenet"],
        act=["relu", "aux_only", "union", "aiec", "aiec:tau=0.1", "aiec:lambda_gate=0"],
        overrides=[
            Override({"act": "aiec"}, {"lr": 0.25}),
            Override({"act": "aux_only"}, {"lr": 0.5}),
        ],
        skip=[{"act": "union"}],
    )
    config.check()
    rates = {spec.act_label: spec.settings.lr for spec in config.specs()}
    assert rates == {"relu": 0.0005, "aux_only": 0.5, "aiec": 0.25, "aiec:tau=0.1": 0.25}
    wrong = replace(config, overrides=[Override({"act": "aux_onli"}, {"lr": 0.5})])
    with pytest.raises(InputError, match="aux_only"):
        wrong.check()


def test_a_long_check_of_pictures_says_how_far_it_is(capsys, monkeypatch):
    now = iter([0.0, 1.0, 11.0, 12.0, 22.5])
    monkeypatch.setattr("aiec_graph.bench.progress.time.monotonic", lambda: next(now))
    log = ReadingLog()
    for done in (100, 1000, 1100, 2000):
        log(done, 60_000)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"checking pictures: {n} of 60,000" for n in ("1,000", "2,000")]


def test_what_is_said_and_found_again(pets, tmp_path, capsys, monkeypatch):
    run = ["vision", "--dataset", "pets/", *SMALL]
    assert main([*run, "--out", "plain"]) == 0
    lines = capsys.readouterr().err.splitlines()
    (line,) = [line for line in lines if "epoch 1 of 1" in line]
    for words in ("pets shufflenet relu", "loss ", "validation ", "left for this run"):
        assert words in line
    (row,) = pd.read_csv("plain/runs.csv").to_dict("records")
    assert (row["train_images"], row["val_images"], row["test_images"]) == (16, 12, 8)

    assert main([*run, "--out", "plain", "--checkpoint"]) == 0
    assert "the finished runs have no checkpoints" in capsys.readouterr().err

    assert main([*run, "--out", "kept", "--checkpoint"]) == 0
    (kept,) = (tmp_path / "kept" / "checkpoints").iterdir()
    (tmp_path / "elsewhere").mkdir()
    shutil.move("pets", "elsewhere/moved")
    capsys.readouterr()
    for command in ("channels", "score"):
        out = ["--out", f"{command}.csv"]
        assert main([command, str(kept), *out]) == 2
        assert "name the data by --dataset" in capsys.readouterr().err
        assert main([command, str(kept), "--dataset", "elsewhere/moved", *out]) == 0
    rows = pd.read_csv("score.csv")
    assert len(rows) == 8 and 100 * (rows["class"] == rows["predicted"]).mean() == row["test_top1"]
    shutil.move("elsewhere/moved", "elsewhere/pets")
    assert main(["score", str(kept), "--data-root", "elsewhere", "--out", "again.csv"]) == 0
    pd.testing.assert_frame_equal(pd.read_csv("again.csv"), rows)
    assert main(["score", str(kept), "x", "--dataset", "y"]) == 2
    assert main(["score", str(kept), "elsewhere", "--out", "a.txt"]) == 2
    assert main(["score", str(kept), str(tmp_path / "kept" / "settings"), "--out", "b.csv"]) == 2


def test_several_trainings_at_a_time_leave_no_device_to_several_processes(pets, capsys):
    for options, message in (
        (["--jobs", "-1"], "jobs must be at least 0"),
        (["--jobs", "2", "--devices", "2"], "leave out --jobs"),
    ):
        assert main(["vision", "--dataset", str(pets), *options]) == 2
        assert message in capsys.readouterr().err
