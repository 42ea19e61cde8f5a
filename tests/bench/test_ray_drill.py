"""A sweep on Ray, of which processes are killed, ends with the rows of one on no Ray that ran alone.

The suite kills one run. `python -m tests.bench.test_ray_drill --kills 20` kills as many as it is told,
at other moments each time (`--seed`), and prints what it did. Killed are: a worker of Ray, whatever
it does; a run, that is a worker that makes one; and the whole sweep, the process of the command,
which is then given again.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import psutil
import pytest

from aiec_graph.cli.main import main
from aiec_graph.files import DRAFT

ROOT = Path(__file__).parents[2]
TIMES = ["seconds_per_epoch", "peak_memory_mb", "threads"]
AGAIN = "tries them again"
"""What the command says where a run was lost more often than Ray begins one again."""
ON_RAY = ("--ray-address", "local")
STOPS = {"sweep": signal.SIGKILL, "term": signal.SIGTERM, "int": signal.SIGINT}
RUN = ("ray::_make",)
WORKER = (*RUN, "ray::IDLE")
"""What stands first in the title of a worker, busy or not."""
LONGEST_S = 1.0
"""The next process is killed at most so many seconds after a random number of rows is there."""


def options(seeds: int, epochs: int) -> list[str]:
    """The sweep: both activations on a small simulated graph."""
    return [
        *("--dataset", "elliptic", "--simulate", "0.02", "--data-root", "data", "--model", "gcn"),
        *("--act", "relu", "aiec", "--seeds", str(seeds), "--epochs", str(epochs)),
        *("--patience", str(epochs), "--checkpoint"),
    ]


class Sweep:
    """A sweep in a process of its own, and the processes that Ray started for it."""

    def __init__(self, folder: Path, out: str, sweep: Sequence[str]) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        environment["AIEC_CACHE_DIR"] = str(folder / "cache")
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "run_bench.py"), *sweep, "--out", out],
            cwd=folder,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        self.runs = folder / out / "runs.csv"
        self.seen: dict[int, psutil.Process] = {}

    def look(self) -> list[psutil.Process]:
        """All processes that live now below the sweep's."""
        try:
            found = psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []
        self.seen |= {process.pid: process for process in found}
        return found

    def workers(self, doing: Sequence[str] = WORKER) -> list[psutil.Process]:
        """The workers of Ray, by the titles that it gives them."""
        found = []
        for process in self.look():
            try:
                title = process.cmdline()
            except (psutil.NoSuchProcess, psutil.ZombieProcess):
                continue
            if title and title[0].startswith(tuple(doing)):
                found.append(process)
        return found

    def wait(self, doing: Sequence[str] = WORKER) -> list[psutil.Process]:
        """Workers, as soon as there are any; none where the sweep ended before."""
        while self.process.poll() is None:
            if found := self.workers(doing):
                return found
            time.sleep(0.02)
        return []

    def finished(self) -> int:
        """Rows that are written."""
        return max(self.runs.read_bytes().count(b"\n") - 1, 0) if self.runs.exists() else 0

    def stop(self, what: str) -> None:
        """Ends the command by a signal; an interrupt goes to all its processes, as Ctrl-C does."""
        if what == "int":
            os.killpg(self.process.pid, STOPS[what])
        else:
            self.process.send_signal(STOPS[what])

    def end(self) -> tuple[int, str]:
        """Waits for the end, and for that of every process that Ray started.

        Ray's agents, which make no runs, need a minute and more to see that a sweep was killed;
        they are not waited for then.

        Returns:
            The exit code and what the command said.
        """
        said = self.process.communicate()[1]
        _, left = psutil.wait_procs(list(self.seen.values()), timeout=30)
        names = [one.name() for one in left if one.status() != psutil.STATUS_ZOMBIE]
        for process in left:
            process.kill()
        if self.process.returncode == -signal.SIGKILL:
            names = [name for name in names if not name.endswith("Agent")]
        assert not names, f"outlived the sweep: {names}"
        assert "Traceback" not in said, said
        return self.process.returncode, said


def result(folder: Path, out: str) -> tuple[pd.DataFrame, dict[str, bytes]]:
    """The rows but for times, in the order of their runs, and the bytes of all checkpoints."""
    assert not list((folder / out).rglob(f"{DRAFT}*"))
    rows = pd.read_csv(folder / out / "runs.csv").drop(columns=TIMES)
    rows = rows.sort_values(["config_hash", "seed"], ignore_index=True)
    return rows, {file.name: file.read_bytes() for file in (folder / out / "checkpoints").iterdir()}


def drill(folder: Path, kills: Sequence[str], seed: int, sweep: Sequence[str]) -> Iterator[str]:
    """Kills processes of sweeps at random moments, and compares what they end with.

    Args:
        folder: for the results.
        kills: what to kill in turn: worker, run, sweep; term and int stop the sweep by a signal.
        seed: of the moments.
        sweep: the command's options.

    Yields:
        What happened, a line each.
    """
    alone = Sweep(folder, "alone", sweep)
    assert alone.end()[0] == 0
    rows, files = result(folder, "alone")
    chance, left, part = random.Random(seed), list(kills), 0
    goals = sorted(chance.choices(range(len(rows) - 1), k=len(kills)))
    yield f"alone: {len(rows)} rows"
    while left:
        out = f"killed-{part}"
        part += 1
        code = 2
        while code:  # the same command again, until it is done
            running = Sweep(folder, out, [*sweep, *ON_RAY])
            while left and running.wait():
                while running.finished() < goals[-len(left)] and running.wait():
                    time.sleep(0.02)
                time.sleep(chance.uniform(0, LONGEST_S))
                what, found = left[0], running.wait(RUN if left[0] == "run" else WORKER)
                if not found or running.process.poll() is not None:
                    break
                left.pop(0)
                before = running.finished()
                if what in STOPS:
                    running.stop(what)
                else:
                    chance.choice(found).kill()
                yield f"{what} killed with {before} rows of {len(rows)}"
                if what in STOPS:
                    break
            code, said = running.end()
            yield f"exit {code}, {running.finished()} rows"
            assert code in (0, -signal.SIGKILL, 130, 143) or AGAIN in said, said
        again, same = result(folder, out)
        pd.testing.assert_frame_equal(again, rows)
        assert same == files
        journal = pd.read_csv(folder / out / "journal.csv")
        tries = journal.loc[journal["state"] == "finished", "attempt"].value_counts().to_dict()
        yield f"rows and checkpoints equal; by attempts: {tries}"


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_killed_run_on_ray_is_made_again(tmp_path, monkeypatch):
    pytest.importorskip("ray")
    sweep = options(seeds=2, epochs=40)
    running = Sweep(tmp_path, "killed", [*sweep, *ON_RAY])
    running.wait(RUN)[0].kill()
    code, said = running.end()
    assert code == 0, said
    assert "worker" not in said and "(raylet)" not in said, said
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AIEC_CACHE_DIR", "cache")
    assert main([*sweep, "--out", "alone"]) == 0
    rows, files = result(tmp_path, "alone")
    again, same = result(tmp_path, "killed")
    pd.testing.assert_frame_equal(again, rows)
    assert same == files
    journal = pd.read_csv(tmp_path / "killed" / "journal.csv")
    assert sorted(journal["attempt"]) == [1, 1, 1, 2]
    assert set(journal["state"]) == {"finished"}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--what", nargs="+", default=["worker", "run", "sweep"])
    given = parser.parse_args()
    chosen = [given.what[i % len(given.what)] for i in range(given.kills)]
    with TemporaryDirectory() as place:
        for line in drill(Path(place), chosen, given.seed, options(seeds=4, epochs=100)):
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
