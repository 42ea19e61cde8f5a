"""Training through Lightning: results, resuming, and the command line."""

import signal
from pathlib import Path

import pandas as pd
import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file

from aiec_graph.bench import vision as runner
from aiec_graph.bench.store import columns_of
from aiec_graph.bench.vision_config import VisionConfig
from aiec_graph.cli.main import main
from aiec_graph.core import ACTIVATIONS, AIEC
from aiec_graph.errors import InputError
from aiec_graph.train.settings import TrainSettings
from aiec_graph.vision import BACKBONES, VisionSettings, load_images, training
from aiec_graph.vision.sampling import EpochSampler, ShareSampler
from aiec_graph.vision.training import Log, train_images

ROOT = Path(__file__).parents[2]
TINY = ["--limit-train", "24", "--batch-size", "12", "--image-size", "16"]


def settings(**changes):
    base = {"limit_train": 24, "batch_size": 12, "image_size": 16, "epochs": 2, "warmup_epochs": 1}
    return VisionSettings(**(base | changes))


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    data = load_images("digits", settings(), tmp_path_factory.mktemp("root"))
    test = torch.utils.data.Subset(data.test, range(20))
    return data._replace(test=test)


def test_a_run_can_be_repeated_and_gone_on_with(digits, tmp_path):
    longer = settings(epochs=3)
    whole = train_images("shufflenet", "aiec", digits, longer, 1, Log(tmp_path / "whole"))
    again = train_images("shufflenet", "aiec", digits, longer, 1, Log(tmp_path / "again"))
    assert (whole.test_loss, whole.top1) == (again.test_loss, again.top1)
    assert same_weights(whole.network, again.network)
    with pytest.raises(StoppedError):
        train_images("shufflenet", "aiec", digits, longer, 1, Log(tmp_path / "cut", stop_after(2)))
    state = torch.load(tmp_path / "cut" / "last.ckpt", weights_only=True)
    assert state["epochs_done"] == 2
    resumed = train_images("shufflenet", "aiec", digits, longer, 1, Log(tmp_path / "cut"))
    assert same_weights(resumed.network, whole.network)
    assert (resumed.test_loss, resumed.val_top1) == (whole.test_loss, whole.val_top1)
    finished = train_images("shufflenet", "aiec", digits, longer, 1, Log(tmp_path / "cut"))
    assert finished.seconds_per_epoch == 0
    assert finished.train_loss == resumed.train_loss == whole.train_loss
    assert (finished.top1, finished.val_top1) == (resumed.top1, resumed.val_top1)


class StoppedError(Exception):
    """Stands for whatever ends a process in the middle of a run."""


def stop_after(epochs):
    def progress(epoch):
        if epoch.number == epochs:
            raise StoppedError

    return progress


def same_weights(one, other):
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(mine, theirs) for mine, theirs in pairs)


def test_a_damaged_checkpoint_is_set_aside_and_other_images_are_refused(digits, tmp_path):
    options = settings(epochs=1)
    train_images("shufflenet", "relu", digits, options, 1, Log(tmp_path))
    kept = tmp_path / "last.ckpt"
    with pytest.raises(InputError, match="trained on other images"):
        train_images("shufflenet", "relu", digits._replace(checksum="x"), options, 1, Log(tmp_path))
    kept.write_bytes(kept.read_bytes()[:-2000])
    with pytest.warns(UserWarning, match="damaged"):
        assert training.epochs_in(kept, digits.checksum) == 0
    assert (tmp_path / "last.ckpt.damaged").is_file() and not kept.exists()


def test_ctrl_c_reaches_whoever_called(digits, tmp_path):
    def press(_):
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train_images("shufflenet", "relu", digits, settings(), 1, Log(tmp_path, press))
    signal.signal(signal.SIGINT, before)  # Lightning ignores the signal from then on
    assert training.epochs_in(tmp_path / "last.ckpt", digits.checksum) == 1


def test_steps_without_images_are_refused(digits, tmp_path):
    for changes, message in (({"batch_size": 1}, "a step of one image"),):
        with pytest.raises(InputError, match=message):
            train_images("shufflenet", "relu", digits, settings(**changes), 1, Log(tmp_path))
    with pytest.raises(InputError, match="24 training images for 30 processes"):
        train_images("shufflenet", "relu", digits, settings(), 1, Log(tmp_path), devices=30)


def test_each_image_is_drawn_once_and_none_twice():
    sampler = EpochSampler(11, seed=1, epoch=3)
    assert sorted(image for _, image in sampler) == list(range(11))
    assert list(sampler) == list(sampler)
    other = EpochSampler(11, seed=1, epoch=4)
    assert [i for _, i in sampler] != [i for _, i in other]
    assert list(ShareSampler(5)) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("precision", ["bf16-mixed", "16-mixed"])
def test_mixed_precision_trains(precision, digits, tmp_path):
    options = settings(precision=precision, epochs=1, image_size=8)
    result = train_images("shufflenet", "aiec", digits, options, 1, Log(tmp_path))
    assert result.train_loss > 0


def test_counters_are_cleared_every_epoch(digits, tmp_path):
    result = train_images("vit_tiny", "aiec", digits, settings(), 1, Log(tmp_path))
    layers = [m for m in result.network.modules() if isinstance(m, AIEC)]
    assert len(layers) == 12
    assert all(int(layer.counter.phi.sum()) <= 24 for layer in layers)


def test_the_learning_rate_warms_up_and_falls(digits, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    seen = []

    class Watching(training.Classifier):
        def on_train_epoch_start(self):
            super().on_train_epoch_start()
            seen.append(self.optimizers().param_groups[0]["lr"])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "Classifier", Watching)
        options = settings(epochs=6, warmup_epochs=2, lr=0.01)
        train_images("shufflenet", "relu", digits, options, 1, Log(tmp_path))
    peak = 0.01 * 12 / 512
    assert seen[0] == pytest.approx(1e-6)
    assert seen[1] == pytest.approx((1e-6 + peak) / 2)
    assert seen[2] <= peak
    assert seen[2] > seen[3] > seen[4] > seen[5] > 0
    logs = EventAccumulator(str(tmp_path / "logs")).Reload()
    assert {"loss", "loss_task", "val_top1"} <= set(logs.Tags()["scalars"])
    assert len(logs.Scalars("val_top1")) == 6


def test_a_loss_that_is_no_number_is_told(digits, tmp_path):
    options = settings(lr=1e12, clip=1e12, epochs=4, warmup_epochs=0)
    with pytest.raises(InputError, match="smaller --lr"):
        train_images("vit_tiny", "relu", digits, options, 1, Log(tmp_path))


def test_options_that_aiec_does_not_have(digits, tmp_path):
    with pytest.raises(InputError, match="unknown AIEC option 'gaet'"):
        train_images(
            "shufflenet", "aiec", digits, settings(act_options={"gaet": "union"}), 1, Log(tmp_path)
        )


def test_results_of_the_command(tmp_path, capsys, monkeypatch):
    out = tmp_path / "run"
    arguments = ["vision", "--backbone", "shufflenet", "--act", "relu", "aiec", *TINY]
    arguments += ["--epochs", "1", "--seeds", "2", "--out", str(out), "--checkpoint"]
    assert main(arguments) == 0
    runs = pd.read_csv(out / "runs.csv")
    assert list(runs.columns) == columns_of(runner.ImageRuns)
    assert runs.notna().all(axis=None)
    assert runs[["backbone", "act", "seed"]].to_numpy().tolist() == [
        ["shufflenet", act, seed] for act in ("relu", "aiec") for seed in (3407, 3417)
    ]
    assert runs["test_top1"].between(0, 100).all()
    text = (out / "table.md").read_text()
    assert "digits ShuffleNet" in text
    assert "paper" not in text
    summary = pd.read_csv(out / "summary.csv")
    own = runs[runs["act"] == "aiec"]["test_top1"]
    row = summary[summary["act"] == "aiec"].iloc[0]
    assert row["test_top1_mean"] == pytest.approx(own.mean())
    assert row["test_top1_std"] == pytest.approx(own.std(ddof=1))
    assert len(list((out / "checkpoints").iterdir())) == 4
    for path in (out / "checkpoints").iterdir():
        assert load_file(path)
    before = (out / "runs.csv").read_bytes()
    monkeypatch.setattr(runner, "train_images", None)
    assert main(arguments) == 0
    assert (out / "runs.csv").read_bytes() == before
    # λ_gate concerns AIEC alone, so relu's rows stand.
    monkeypatch.setattr(runner, "train_images", _must_be_aiec)
    capsys.readouterr()
    assert main([*arguments, "--lambda-gate", "5"]) == 2
    assert "asked for aiec" in capsys.readouterr().err


class AskedError(InputError):
    pass


def _must_be_aiec(backbone, act, *_):
    assert act == "aiec"
    raise AskedError("asked for aiec")


CONFIGS = sorted(
    p
    for p in (ROOT / "configs").glob("*.yaml")
    if "backbone:" in p.read_text() and "dataset:" in p.read_text()
)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_every_configuration_runs_on_a_few_digits(path, tmp_path):
    small = ["--dataset", "digits", "--backbone", "shufflenet", "--act", "aiec", "--epochs", "1"]
    is_study = "tune: true" in path.read_text()
    small += ["--workers", "0", "--precision", "32-true", *TINY]
    small += ["--corrupted", "0", "--reference", "aiec", "--seeds", "2" if is_study else "1"]
    small += ["--space", '{"lr": [0.001]}', "--aiec-space", '{"lambda_gate": [1]}']
    assert main(["vision", "--config", str(path), *small, "--out", str(tmp_path / "run")]) == 0
    assert len(pd.read_csv(tmp_path / "run" / "runs.csv")) == (2 if is_study else 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--backbone", "vit_tny"], "Did you mean 'vit_tiny'"),
        (["--act", "rleu"], "Did you mean 'relu'"),
        (["--dataset", "digit"], "Did you mean 'digits'"),
        (["--backbone", "vit_tiny", "--image-size", "30"], "in multiples of 4, not 30"),
        (["--dataset", "cifar10", "--data-root", "/nowhere"], "Give --download"),
        (["--epochs", "0"], "epochs must be at least 1"),
        (["--epoch", "1"], "unknown option '--epoch'. Did you mean '--epochs'"),
        (["--precision", "8"], "precision must be one of"),
        (["--drop-path", "1"], "drop_path must be"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(arguments, message, tmp_path, capsys):
    assert main(["vision", *arguments, "--out", str(tmp_path / "run")]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert message in line


def test_help_teaches(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["vision", "--help"])
    shown = capsys.readouterr().out
    for word in (*BACKBONES, *ACTIVATIONS, "--image-size", "TensorBoard", "RandAugment"):
        assert word in shown


@pytest.mark.skipif(not dist.is_gloo_available(), reason="gloo is not available")
def test_two_processes_train_as_one(digits, tmp_path):
    options = settings(act_options={"count": "all"}, drop_path=0.0)
    one, two = (
        train_images("vit_tiny", "aiec", digits, options, 1, Log(tmp_path / str(n)), devices=n)
        for n in (1, 2)
    )
    assert two.train_loss == pytest.approx(one.train_loss, rel=1e-5), "the mean over both shares"
    assert two.test_loss == pytest.approx(one.test_loss, rel=1e-4)
    assert (two.val_top1, two.top1) == (one.val_top1, one.top1)
    assert two.seconds_per_epoch > 0
    layers = [m for m in two.network.modules() if isinstance(m, AIEC)]
    assert {int(layer.counter.phi.sum()) for layer in layers} == {24}, "summed over the processes"


def test_the_gates_weigh_as_on_graphs_and_the_papers_200_in_its_tables_and_figures():
    def weights(**changes):
        config = VisionConfig(backbone=["vit_tiny", "resnet18"], act=["aiec"], **changes)
        return [spec.settings.lambda_gate for spec in config.specs()]

    assert weights() == [TrainSettings().lambda_gate] * 2 == [0.1, 0.1]
    assert weights(train=VisionSettings(lambda_gate=20)) == [20, 20]
    for name in ("table1", "table2", "table3", "table8", "figure4"):
        assert "lambda_gate: 200" in (ROOT / "configs" / f"{name}.yaml").read_text()


@pytest.mark.parametrize("changes", [{"lambda_gate": 0}, {"act_options": {"gate": "none"}}])
def test_without_a_gate_it_is_not_called_aiec(changes):
    cell = runner.ImageSpec("digits", "vit_tiny", "aiec", settings(**changes))
    assert cell.act_label == "aux_only"
    assert runner.ImageSpec("digits", "vit_tiny", "aiec", settings()).act_label == "aiec"
