"""Runs that are stopped by kill -9, SIGTERM and Ctrl-C end with the undisturbed run's weights.

`python -m tests.vision.test_stops --runs 5 --stops 4` stops whole runs at random moments.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[2]
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
CODES = {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}


def make_pictures(root):
    for part in ("train", "test"):
        for k in range(2):
            (root / part / str(k)).mkdir(parents=True)
            for i in range(14):
                rng = np.random.default_rng([k, i, len(part)])
                pixels = rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(root / part / str(k) / f"{i}.png")


def command(data, out, epochs):
    arguments = "--backbone shufflenet --act aiec --seeds 1 --batch-size 8 --image-size 8"
    arguments += f" --augment full --checkpoint --epochs {epochs} --warmup-epochs 1"
    start = [sys.executable, "-W", "ignore", str(ROOT / "run_bench.py"), "vision"]
    return [*start, *arguments.split(), "--dataset", str(data), "--out", str(out)]


def epochs_done(out):
    return sum(len(p.read_text().splitlines()) for p in out.glob("training/*/history.csv"))


def stop(data, out, epochs, how, after, delay):
    """Stops a run a while after so many epochs; says whether it was in time."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command(data, out, epochs), env=environment, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    while process.poll() is None and epochs_done(out) < after:
        time.sleep(0.01)
    time.sleep(delay)
    process.send_signal(how)
    said = process.communicate(timeout=120)[1]
    if process.returncode == 0:
        return False
    assert process.returncode == CODES[how], said
    assert "Traceback" not in said, said
    if how != signal.SIGKILL:
        assert said.splitlines()[-1].endswith("the same command continues")
    return True


def finish(data, out, epochs):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command(data, out, epochs), env=environment, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    (kept,) = (out / "checkpoints").iterdir()
    hidden = [p for p in out.rglob(".*") if p.name != ".lock"]
    assert not hidden, f"nothing half-written is left: {hidden}"
    assert not list(out.glob("training/*/*.ckpt")), "what it went on from is gone"
    return kept.read_bytes(), len((out / "runs.csv").read_text().splitlines())


def test_a_killed_run_ends_with_the_undisturbed_weights(tmp_path, monkeypatch):
    monkeypatch.setenv("AIEC_CACHE_DIR", str(tmp_path / "cache"))
    make_pictures(tmp_path / "d")
    whole = finish(tmp_path / "d", tmp_path / "whole", 3)
    assert stop(tmp_path / "d", tmp_path / "cut", 3, signal.SIGKILL, 1, 0.0)
    assert epochs_done(tmp_path / "cut") >= 1
    assert finish(tmp_path / "d", tmp_path / "cut", 3) == whole


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--stops", type=int, default=4, help="of each run")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as place:
        data, epochs = Path(place) / "d", 10
        make_pictures(data)
        whole = finish(data, Path(place) / "whole", epochs)
        for run in range(options.runs):
            out, made = Path(place) / str(run), []
            for i in range(options.stops):
                how = SIGNALS[(run + i) % 3]
                # Before its first line of its own, Python itself answers to a signal.
                after = min(epochs_done(out) + rng.randint(1, 2), epochs - 1)
                if stop(data, out, epochs, how, after, rng.random() * 0.5):
                    made.append(f"{how.name} in epoch {epochs_done(out) + 1}")
            assert finish(data, out, epochs) == whole
            sys.stdout.write(f"run {run}: equal to the last bit after {', '.join(made)}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
