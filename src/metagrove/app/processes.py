"""One function over many pieces of work, in processes, one that dies never taking the others along."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any

__all__ = ["in_parallel", "processors"]


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_parallel(
    make: Callable[[Any, int], Any],
    work: Sequence[tuple[int, Any]],
    jobs: int,
    *,
    finish: Callable[[int, Any], None],
    lost: Callable[[Any], Any],
) -> None:
    """Each piece of work made, in processes where there are several, and given to `finish` under its number.

    `make` takes the piece and the threads it may use; `lost` answers for a piece whose process died.
    """
    jobs = min(jobs, len(work))
    if jobs < 2:
        for index, piece in work:
            finish(index, make(piece, processors()))
        return
    # a process that died takes its neighbours' work along; alone, only the piece that kills its process is lost
    for index, piece in _in_processes(make, work, jobs, finish):
        if _in_processes(make, [(index, piece)], 1, finish):
            finish(index, lost(piece))


def _in_processes(
    make: Callable[[Any, int], Any], work: Sequence[tuple[int, Any]], jobs: int, finish: Callable[[int, Any], None]
) -> list[tuple[int, Any]]:
    """The work whose process died; all else is finished."""
    died = []
    with ProcessPoolExecutor(max_workers=jobs, initializer=_quiet) as pool:
        try:
            waiting = {pool.submit(make, piece, 1): (index, piece) for index, piece in work}
            for future in as_completed(waiting):
                try:
                    made = future.result()
                except BrokenProcessPool:
                    died.append(waiting[future])
                else:
                    finish(waiting[future][0], made)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in multiprocessing.active_children():
                process.terminate()
            raise
    return sorted(died, key=lambda item: item[0])


def _quiet() -> None:
    """A worker that an interruption at the terminal ends without a word."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
