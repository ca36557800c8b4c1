"""``resilian bench ingest --latency``: how long a message takes from its publisher to the store.

Measured is the time from the moment a PUBLISH packet is handed to the publisher's connection to the moment the store
has confirmed the write that holds its reading, after which every read of the store has it. Both are on one clock.
Broker, spool and the forwarder's linger are within. The announcement on ``net/v1/touched`` follows within 0.2 s.
"""

import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from accelerator.bench import processes
from accelerator.bench.collector import collecting
from accelerator.bench.drain import publisher
from accelerator.bench.ingest import Size, circumstances, new_load, own_store
from accelerator.bench.load import Load
from accelerator.bench.pace import Paced
from accelerator.output import Progress
from accelerator.settings import Settings

_PERCENT: Final = (50, 99, 100)


async def latency(settings: Settings, size: Size, rate: int, progress: Progress) -> dict[str, Any]:
    """The figures of one run at ``rate`` messages a second, JSON values only.

    Raises:
        Missing: broker or store cannot be had.
        Found: messages did not arrive.
    """
    load = new_load(size, step_ms=max(1, 1000 * size.machines // rate))
    paced = Paced(load, size.count, rate)
    with tempfile.TemporaryDirectory(prefix="resilian-bench-") as name:
        folder = Path(name)
        command = [f"{__package__}.timed", str(folder / "confirmed.npy")]
        async with own_store(settings, folder, load) as url, processes.broker(folder) as (address, broker_name):
            async with (
                collecting(folder, address, load, url, settings.token, command) as collector,
                publisher(address) as session,
            ):
                cpu = processes.cpu_seconds(collector.pid)
                async with paced.beside(session):
                    for tenth in range(1, 11):
                        await paced.reaches(size.count * tenth // 10)
                        progress(size.count * tenth // 10, size.count)
                await collector.stored(size.count)
                cpu = processes.cpu_seconds(collector.pid) - cpu
            took = waited_ms(load, paced.handed_ns, np.load(folder / "confirmed.npy"))
            figures = {
                **{f"p{percent}_ms": round(float(np.percentile(took, percent)), 1) for percent in _PERCENT},
                "rate": rate,
                "cpu_us_per_message": round(cpu / size.count * 1e6, 2),
                "lost": size.count - len(took),
            }
            return {"latency": figures, **circumstances(size, broker_name, url)}


def waited_ms(load: Load, handed_ns: NDArray[np.int64], confirmed: NDArray[np.int64]) -> NDArray[np.float64]:
    """Milliseconds from handed over to first confirmed, one a message that was confirmed.

    Args:
        handed_ns: by message.
        confirmed: rows of machine's number, ``seq``, ns.
    """
    index = confirmed[:, 1] * len(load.keys) + confirmed[:, 0]
    first = np.full(len(handed_ns), np.iinfo(np.int64).max)
    np.minimum.at(first, index, confirmed[:, 2])
    stored = np.unique(index)
    waited: NDArray[np.float64] = (first[stored] - handed_ns[stored]) / 1e6
    return waited
