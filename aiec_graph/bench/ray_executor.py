"""The executor that makes runs on Ray: on this machine, or on a cluster.

A run is a task of one CPU. What the runs on a data set share goes through the object store once,
where the processes of a machine map its arrays. Ray schedules the tasks, and begins those again
whose process or machine was lost.
"""

import logging
import os
import platform
import signal
import threading
import warnings
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

from aiec_graph.bench.engine import Executor, Kind, Outcome, Run, limited_threads, make
from aiec_graph.bench.store import ARITHMETIC, RUNS, environment
from aiec_graph.errors import InputError
from aiec_graph.plugins import load_plugins, loaded_plugins
from aiec_graph.wording import counted

LOCAL = "local"
"""The address of a Ray of the command's own."""
RETRIES = 3
"""How often Ray begins a run again whose process or machine was lost."""
SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_ZERO_COPY_TORCH_TENSORS": "1",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".*",  # of its processes' lines on the terminal: none
    "RAY_task_oom_retries": str(RETRIES),  # without end by default
}
"""Variables that Ray reads as it is imported, where the user has not set them."""
KEPT = 2  # data sets that a worker holds
LOOKS_S = 0.02
"""Seconds between two looks at whether Ray has started."""


class Command(NamedTuple):
    """What a worker must know of the command that it works for."""

    folder: Path
    """Where the command was started: relative paths are relative to it."""
    runs: Path
    """The file of finished runs."""
    inode: int
    """Its number in the file system."""
    arithmetic: dict[str, str | int]
    """What the last digits depend on."""
    plugins: tuple[str, ...]


def on_ray(address: str, jobs: int, console: Console) -> AbstractContextManager[Executor]:
    """Gives the executor that makes runs on Ray, for the length of a `with` block.

    The first run connects it, and the end of the block disconnects it. A Ray that the calling
    program has started is used and left running.

    Args:
        address: `LOCAL` for a Ray on this machine that ends with the command; `auto` or HOST:PORT
            for a cluster that runs.
        jobs: CPUs of a local Ray; 0: all.
        console: for where it runs and logs.

    Raises:
        InputError: jobs are given for a cluster.
    """
    if address != LOCAL and jobs:
        raise InputError(
            f"--jobs is for this machine; the cluster at {address} shares out its own CPUs: leave "
            "--jobs out"
        )

    return _open(lambda: _connected(address, jobs, console))


@contextmanager
def _open(connect: Callable[[], AbstractContextManager[Any]]) -> Generator[Executor]:
    with ExitStack() as stack:
        connection = cache(lambda: stack.enter_context(connect()))

        def execute(kind: Kind, runs: Sequence[Run]) -> Generator[Outcome]:
            if runs:
                yield from _make_all(connection(), kind, runs)

        yield execute


@contextmanager
def _connected(address: str, jobs: int, console: Console) -> Generator[Any]:
    """The module `ray`, connected for the length of the block."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    import ray

    if ray.is_initialized():
        yield ray
        return
    own = {"num_cpus": jobs or None, "include_dashboard": False} if address == LOCAL else {}
    logging.getLogger("ray").setLevel(logging.ERROR)
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    # One thread starts and ends Ray and lives as long, for Ray's processes end with the thread that
    # started them. An interrupt or SIGTERM ends the waiting here, and leaves no Ray half made.
    with ThreadPoolExecutor(1) as keeper:
        try:
            try:
                context = _await(keeper.submit(ray.init, address, **quiet, **own))
            except (OSError, ValueError, RuntimeError) as error:
                reason = str(error).strip().partition("\n")[0]
                raise InputError(
                    f"--ray-address {address}: {reason}. Start a cluster with `ray start --head`, "
                    f"or take --ray-address {LOCAL}"
                ) from None
            console.print(_describe(ray, context), highlight=False, markup=False, soft_wrap=True)
            yield ray
        finally:
            keeper.submit(ray.shutdown).result()  # ends the workers, and a local Ray


def _await(start: Future[Any]) -> Any:
    """What a start of Ray gives, while SIGTERM does what it did before.

    Ray's C++ part sets a handler of its own, which dumps where it is and aborts the process three
    seconds later: the one of before is set again at once.
    """
    is_main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    while True:
        ended = wait([start], LOOKS_S if is_main else None).done
        if is_main:
            signal.signal(signal.SIGTERM, before)
        if ended:
            return start.result()


def _describe(ray: Any, context: Any) -> str:
    nodes = [node for node in ray.nodes() if node["Alive"]]
    cpus = int(ray.cluster_resources().get("CPU", 0))
    machines = f"{counted(len(nodes), 'machine')}, {counted(cpus, 'CPU')}"
    return f"Ray: {machines}; its logs: {context.address_info['session_dir']}/logs"


def _make_all(ray: Any, kind: Kind, runs: Sequence[Run]) -> Generator[Outcome]:
    path = kind.folder / RUNS
    made_here = environment(kind.libraries)
    arithmetic = {name: made_here[name] for name in ARITHMETIC if name != "device"}
    command = Command(Path.cwd(), path, path.stat().st_ino, arithmetic, loaded_plugins())
    task = ray.remote(num_cpus=1, max_retries=RETRIES)(_make_in_task)
    data: dict[Any, Any] = {}
    began: dict[Future[Outcome], Run] = {}
    for run in runs:
        key = kind.data_key(run.spec)
        if key not in data:
            data[key] = _put(ray, kind.load(run.spec))
        # In a list a reference stays one: the worker looks whether it has the object.
        began[task.remote(command, kind, run, [data[key]]).future()] = run
    for future in as_completed(began):
        yield _outcome(ray, future, began[future])


def _put(ray: Any, data: Any) -> Any:
    with warnings.catch_warnings():
        # Ray warns that nobody may write to a tensor that is mapped; `Kind.load` says so.
        warnings.filterwarnings("ignore", "Zero-copy tensor serialization")
        return ray.put(data)


def _outcome(ray: Any, future: Future[Outcome], run: Run) -> Outcome:
    try:
        return future.result()
    except ray.exceptions.RayTaskError as error:  # raised by the run itself
        raise error.cause from None
    except ray.exceptions.RayError as error:  # its process or machine was lost each time
        reason = " ".join(str(error).split())
        return Outcome(run, reason=reason, node="", attempt=RETRIES + 1)


def _make_in_task(command: Command, kind: Kind, run: Run, data: list[Any]) -> Outcome:
    """Makes a run in a worker of Ray."""
    import ray

    _check_place(command, kind)
    load_plugins(command.plugins)
    with limited_threads(1):  # the task has one CPU
        outcome = make(kind, run, _fetch(data[0]))
    context = ray.get_runtime_context()
    attempt = 1 + context.worker.core_worker.get_current_task_attempt_number()
    return outcome._replace(node=_node(), attempt=attempt)


@lru_cache(maxsize=KEPT)
def _fetch(reference: Any) -> Any:
    """An object of the store, whose arrays this process maps."""
    import ray

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return ray.get(reference)


def _node() -> str:
    import ray

    return f"{platform.node()}:{ray.get_runtime_context().get_node_id()[:8]}"


def _check_place(command: Command, kind: Kind) -> None:
    """Checks that a run means here what it means to the command.

    Raises:
        InputError: this machine does not see the results folder, or computes other last digits.
    """
    try:
        os.chdir(command.folder)
        is_same = command.runs.stat().st_ino == command.inode
    except OSError:
        is_same = False
    if not is_same:
        raise InputError(
            f"the machine {platform.node()} does not see {command.folder / command.runs.parent}: "
            "put --out into a folder that all machines of the cluster share"
        )
    found = environment(kind.libraries)
    for name, value in command.arithmetic.items():
        if found[name] != value:
            raise InputError(
                f"the machine {platform.node()} has {name.replace('_', ' ')} {found[name]}, and "
                f"this one {value}, which may give other last digits: let one cluster be of equal "
                "machines"
            )
