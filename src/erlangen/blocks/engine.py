"""Two engines for one reduction: in this process, block after block; or on Dask, many at a time."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from erlangen._errors import InputError, MissingExtraError, explain
from erlangen._progress import keeping, track
from erlangen._shown import AbstractShown
from erlangen.blocks.reduction import AbstractReduction

if TYPE_CHECKING:
    from erlangen.blocks.source import AbstractBlocks

State = TypeVar("State")
_log = logging.getLogger(__name__)

GROUPS = 16
"""Chains of blocks for each worker: enough for all to end at nearly one time, few enough for their sums to be small."""


SILENCE = 20.0
"""Seconds without news after which it is asked whether anybody works: workers need some to start, or to start again."""


@dataclass(frozen=True, eq=False)
class Part:
    """Sum over the blocks that were read before the work was stopped."""

    state: Any


class AbstractEngine(AbstractShown, ABC):
    """Where a reduction over blocks is computed."""

    @abstractmethod
    def run(self, reduction: AbstractReduction[State], blocks: AbstractBlocks) -> State:
        """Sum over all blocks.

        Parameters
        ----------
        reduction : AbstractReduction
            What is summed.
        blocks : AbstractBlocks
            The table.

        Returns
        -------
        object
            The sum over all blocks: the state of the reduction.
        """


@dataclass(frozen=True)
class SerialEngine(AbstractEngine):
    """One block after the other, in this process.

    Raises
    ------
    Interrupted
        Where it is stopped; ``partial`` is a `Part`, the sum over the blocks so far.
    """

    def run(self, reduction: AbstractReduction[State], blocks: AbstractBlocks) -> State:
        sums = [reduction.start()]
        with keeping("reading blocks", blocks.n_blocks) as kept:
            for i in track(range(blocks.n_blocks), "blocks"):
                sums[0] = reduction.fold(sums[0], blocks.load(i))
                kept.keep(lambda _: Part(sums[0]), i + 1)
        return sums[0]


@dataclass(frozen=True, eq=False)
class DaskEngine(AbstractEngine):
    """On Dask: threads of this process, or the workers of a cluster.

    Blocks form chains, and the sums of chains are merged in their order: which worker computed what, or whether one
    died and its blocks were computed again, does not change the answer.

    Parameters
    ----------
    client : distributed.Client, optional
        A cluster; by default the scheduler that Dask uses, which is the last client made, or else threads.
    workers : int, optional
        How many work at a time; by default what the cluster says.

    Raises
    ------
    InputError
        Where nobody is to work, or the cluster has ended.
    MissingExtraError
        Where Dask is not installed.
    """

    client: Any = None
    workers: int | None = None

    def run(self, reduction: AbstractReduction[State], blocks: AbstractBlocks) -> State:
        """Sum over all blocks on the workers of a Dask cluster.

        Raises
        ------
        InputError
            When the cluster has ended, or the work cannot be sent to it.
        MissingExtraError
            When Dask is not installed.
        """
        dask, client = _dask(), self._client()
        workers = self._workers(client)
        chains = _chains(dask, reduction, blocks, GROUPS * workers)
        _log.debug("%d blocks in %d chains on %s", blocks.n_blocks, len(chains), client or "threads of this process")
        sums: dict[int, Any] = {}

        def merged() -> State:
            ends = [sums[k] for k in sorted(sums)]
            state = reduction.start()
            for one in ends if client is None else client.gather(ends):  # all at once: each call is a journey
                state = reduction.merge(state, one)
            return state

        with keeping("reading blocks", len(chains)) as kept:
            done = _in_threads(dask, chains, 4 * workers) if client is None else _on_cluster(client, chains)
            for k, one in track(done, "blocks", total=len(chains)):
                sums[k] = one
                kept.keep(lambda _: Part(merged()), len(sums))
        return merged()

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            what, given = "Somebody has to work.", f"workers={self.workers}"
            raise InputError(explain(what, given=given, expected="1 or more", fix="DaskEngine(workers=2)"))

    def _client(self) -> Any:
        if self.client is not None and self.client.status in ("closed", "closing"):
            what, fix = "This cluster has ended.", "with er.blocks.local_cluster() as engine: ... all the work inside"
            raise InputError(explain(what, given=repr(self.client), expected="a cluster that runs", fix=fix))
        return self.client or _default_client()

    def __reduce__(self) -> Any:
        return DaskEngine, (None, self.workers)  # a client stays where it is when blocks travel to its workers

    def _workers(self, client: Any) -> int:
        if self.workers is not None:
            return self.workers
        if client is None:
            import os

            return os.cpu_count() or 1
        return max(1, len(client.scheduler_info()["workers"]))


def _chains(dask: Any, reduction: AbstractReduction, blocks: AbstractBlocks, most: int) -> list[Any]:
    """Delayed sums over neighbouring blocks, at most so many."""
    shared, table = dask.delayed(reduction, traverse=False), dask.delayed(blocks, traverse=False)
    fold, load = dask.delayed(_fold, pure=False), dask.delayed(_load, pure=False)
    count = min(most, blocks.n_blocks)
    ends = [k * blocks.n_blocks // count for k in range(count + 1)]
    if blocks.delayed(0) is None:  # one task loads the blocks of a chain itself: none travels between workers
        return [load(shared, table, range(*ends[k : k + 2])) for k in range(count)]
    chains = []
    for k in range(count):
        state = None
        for i in range(*ends[k : k + 2]):
            state = fold(shared, state, blocks.delayed(i))
        chains.append(state)
    return chains


def _in_threads(dask: Any, chains: list[Any], together: int) -> Iterator[tuple[int, Any]]:
    """Sums of chains with their numbers, some at a time, in threads of this process or on Dask's own scheduler."""
    for start in range(0, len(chains), together):
        yield from enumerate(dask.compute(*chains[start : start + together]), start)


def _on_cluster(client: Any, chains: list[Any]) -> Iterator[tuple[int, Any]]:
    """Futures of sums with their numbers, as workers finish; what is left when nobody asks further is given up."""
    try:
        futures = client.compute(list(chains))
    except (TypeError, AttributeError, ValueError) as error:
        what, given = "This work cannot be sent to other processes.", f"{type(error).__name__}: {str(error)[:120]}"
        fix = (
            "functions without open files, locks or generators in them; .on(er.blocks.SerialEngine()) needs no sending"
        )
        raise InputError(explain(what, given=given, expected="what pickle takes", fix=fix)) from None
    numbers = {future.key: k for k, future in enumerate(futures)}
    try:
        for future in _finished(client, futures):
            yield numbers[future.key], future
    finally:
        client.cancel([future for future in futures if not future.done()])


def _finished(client: Any, futures: list[Any]) -> Iterator[Any]:
    """Futures as they end; a cluster that has lost its last worker is not waited for."""
    from distributed import wait

    left: Any = set(futures)
    while left:
        try:
            seen: Any = wait(left, timeout=SILENCE, return_when="FIRST_COMPLETED")
        except TimeoutError:
            if not client.scheduler_info()["workers"]:
                raise _workers_gone() from None
            continue
        left = seen.not_done
        yield from seen.done


def _load(reduction: AbstractReduction[State], blocks: AbstractBlocks, chain: range) -> State:
    state = reduction.start()
    for i in chain:
        state = reduction.fold(state, blocks.load(i))
    return state


def _fold(reduction: AbstractReduction[State], state: State | None, block: Any) -> State:
    from erlangen.blocks.source import matrix

    return reduction.fold(reduction.start() if state is None else state, matrix(block))


def _default_client() -> Any:
    """The client that Dask would use; None where nobody made one."""
    import sys

    if "distributed" not in sys.modules:
        return None
    from distributed import default_client

    try:
        return default_client()
    except ValueError:
        return None


@contextmanager
def local_cluster(workers: int | None = None, *, memory: str = "auto") -> Iterator[DaskEngine]:
    """Run a Dask cluster on this machine: one process of one thread for each core.

    Parameters
    ----------
    workers : int, optional
        Processes; by default one for each core.
    memory : str
        Memory of each, as Dask writes it: ``"1.5GB"``.

    Yields
    ------
    DaskEngine
        The engine to put blocks on, with its ``client``; its processes end with the block of code.

    Raises
    ------
    InputError
        Where the workers do not start; each imports the script, which must start no cluster while it is imported.
    MissingExtraError
        Where Dask's scheduler is not installed.

    Examples
    --------
    In a script, under ``if __name__ == "__main__":``.

    >>> import erlangen as er
    >>> with er.blocks.local_cluster(2) as engine:  # doctest: +SKIP
    ...     sym = er.discover(f, er.actions.affine(8), table.on(engine))
    """
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise _missing("distributed") from None
    import os
    from multiprocessing import parent_process

    count = (os.cpu_count() or 1) if workers is None else workers
    if count < 1 or parent_process() is not None:
        raise _unstarted(f"workers={count}" if count < 1 else "a worker that runs the whole script again")
    settings: dict[str, Any] = {"dashboard_address": None, "memory_limit": memory}
    try:
        with _one_thread():
            cluster = LocalCluster(n_workers=count, threads_per_worker=1, processes=True, **settings)
    except RuntimeError as error:
        raise _unstarted(str(error).splitlines()[0]) from None
    with cluster, Client(cluster) as client:
        yield DaskEngine(client, count)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let processes that start inside the block do linear algebra on one thread, and keep memory that they free.

    Threads are counted when a process loads its libraries, and what the caller's environment says would win. Dask asks
    workers to give back all memory at once; arrays of one block are then mapped and cleared anew for the next one.
    """
    import os

    wanted = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    wanted |= {"MALLOC_MMAP_THRESHOLD_": str(32 * 2**20), "MALLOC_TRIM_THRESHOLD_": str(128 * 2**20)}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _workers_gone() -> InputError:
    what, given = "No worker is left.", "a cluster whose workers died, and did not come back"
    expected = "functions from modules that workers can import, and blocks that fit into a worker's memory"
    fix = "functions in the script itself, or in an installed package; smaller blocks"
    return InputError(explain(what, given=given, expected=expected, fix=fix))


def _unstarted(given: str) -> InputError:
    what, expected = "The workers did not start.", "a script that workers can import, and 1 worker or more"
    fix = 'put what starts the cluster under: if __name__ == "__main__":'
    return InputError(explain(what, given=given, expected=expected, fix=fix))


@contextmanager
def connected(address: str, *, timeout: float = 10.0) -> Iterator[DaskEngine]:
    """Use a Dask cluster that is running.

    Parameters
    ----------
    address : str
        Of its scheduler: ``"tcp://host:8786"``.
    timeout : float
        Seconds to wait for an answer.

    Yields
    ------
    DaskEngine
        The engine to put blocks on.

    Raises
    ------
    InputError
        Where no scheduler answers.
    MissingExtraError
        Where Dask's scheduler is not installed.
    """
    try:
        from distributed import Client
    except ImportError:
        raise _missing("distributed") from None
    try:
        client = Client(address, timeout=timeout)
    except (OSError, ValueError, TimeoutError) as error:
        what, fix = "No Dask scheduler answers.", "start one: dask scheduler; dask worker tcp://host:8786"
        given = f"{address}: {type(error).__name__}"
        raise InputError(explain(what, given=given, expected="an address such as tcp://host:8786", fix=fix)) from None
    with client:
        yield DaskEngine(client)


def _dask() -> Any:
    try:
        import dask
    except ImportError:
        raise _missing("dask") from None
    return dask


def _missing(package: str) -> MissingExtraError:
    what, fix = "Blocks on several workers need Dask.", 'pip install "erlangen[scale]"'
    return MissingExtraError(explain(what, given=f"no {package}", expected="dask and distributed", fix=fix))
