"""Workers of a Dask cluster: the scheduler is told of all cases, and gives each to a worker that has what it needs.

Dask is the extra `cluster`; it is imported here alone. A task whose worker dies is given to another one by the
scheduler, ``distributed.scheduler.allowed-failures`` times (3 unless configured).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

from ..errors import FlareSegError
from ..jobs.processes import Died
from .records import Record
from .work import Task, segment_case

if TYPE_CHECKING:
    from distributed import Client, Future

    from .run import Workers

CONNECT_SECONDS = 20


def cluster_workers(scheduler: str, resources: dict[str, float],
                    log: Callable[[str], None] = lambda sentence: None) -> Workers:
    """Return workers that are those of a Dask scheduler.

    All machines see the inputs and the batch's folder under the same paths, and have the same FlareSeg and model.

    Parameters
    ----------
    scheduler : str
        Its address, ``tcp://host:8786``.
    resources : dict
        What a case takes of its worker, for instance ``{"GPU": 1}``; only workers that were started with
        ``--resources "GPU=1"`` get cases then.
    log : callable
        Gets a sentence where no worker is there yet.

    Raises
    ------
    FlareSegError
        "missing_package" without Dask.
    """
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        raise FlareSegError("missing_package", "A cluster needs Dask; install it here and on the workers with: "
                                               "pip install distributed.") from error
    return lambda tasks: _run(tasks, scheduler, resources, log)


def _run(tasks: list[Task], scheduler: str, resources: dict[str, float],
         log: Callable[[str], None]) -> Generator[tuple[Task, Record | Died], None, None]:
    import dask
    import distributed

    try:
        client = distributed.Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:  # TimeoutError is an OSError
        raise FlareSegError("scheduler_unreachable", f"No Dask scheduler answers at {scheduler}; check the address and "
                                                     "that it runs.") from error
    with client:
        if not _suitable(client, resources):
            wanted = " ".join(f"{name}={amount:g}" for name, amount in resources.items())
            log(f"Waiting for a worker{f' that offers {wanted}' if wanted else ''}; none is there yet.")
        run = uuid.uuid4().hex[:8]
        futures = {client.submit(segment_case, task, key=f"flareseg-{run}-{number}", pure=False,
                                 resources=resources or None): task for number, task in enumerate(tasks)}
        try:
            for future in distributed.as_completed(futures, loop=client.loop):
                task = futures.pop(future)
                yield task, _made(future, dask.config.get("distributed.scheduler.allowed-failures", 3))
        finally:  # those that are running end by themselves; what they complete counts
            client.cancel(list(futures), force=True)


def _suitable(client: Client, resources: dict[str, float]) -> bool:
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    return any(all(worker.get("resources", {}).get(name, 0) >= amount for name, amount in resources.items())
               for worker in workers)


def _made(future: Future[Record], allowed_failures: int) -> Record | Died:
    """A task's record; what is raised here would be raised for every other case, too."""
    from distributed import KilledWorker

    if future.cancelled():
        raise FlareSegError("scheduler_unreachable", "The Dask scheduler has ended or has forgotten the work; give the "
                                                     "same command again.")
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, KilledWorker):
        return Died(allowed_failures + 1)
    if isinstance(error, FlareSegError):
        raise error
    raise FlareSegError("worker_died", f"The cluster's workers cannot run FlareSeg ({type(error).__name__}); install "
                                       "the same versions of FlareSeg and its packages on all machines.") from error
