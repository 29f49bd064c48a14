"""What every benchmark shares: rounds by turns, clients in threads, and the lines of the table."""

import contextlib
import math
import os
import resource
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

T = TypeVar("T")
Step = Callable[[str], bool]
"""One pair of calls by a person of that name; False when there is nothing left to do."""
WARM = 0.5  # seconds of a round that are not counted: plans, caches and pools fill
_COLUMNS = ("what", "database", "floor", "product", "unit", "ratio", "target", "met", "notes")


class Line(NamedTuple):
    """One line of the table; the ratio is product to floor, whatever is measured."""

    what: str
    database: str
    floor: float | None
    product: float
    unit: str
    least: float | None = None
    """Target: the ratio is at least this."""
    most: float | None = None
    """Target: the ratio is at most this."""
    cap: float | None = None
    """Target: the product's own figure is at most this."""
    notes: str = ""

    @property
    def ratio(self) -> float | None:
        return self.product / self.floor if self.floor else None

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None where there is none."""
        if self.cap is not None:
            return self.product <= self.cap
        if self.ratio is None or (self.least is None and self.most is None):
            return None
        return self.ratio >= (self.least or 0) and self.ratio <= (self.most or math.inf)


class Pace(NamedTuple):
    """What clients did in the counted part of a round."""

    times: list[float]
    """Seconds of each pair."""
    seconds: float
    cpu: float
    """Seconds of processor that the clients' own processes took; a server's are not in it."""
    done: int
    """Pairs of the whole round, the uncounted ones included."""

    @property
    def rate(self) -> float:
        return len(self.times) / self.seconds

    def said(self) -> str:
        """p50 and p95 of a pair, and processor time a pair, in milliseconds."""
        cpu = self.cpu / len(self.times) * 1e3
        return f"{share(self.times, 0.5) * 1e3:.1f}/{share(self.times, 0.95) * 1e3:.1f}/{cpu:.2f}"


def drive(step: Step, people: Sequence[str], start: float, seconds: float) -> Pace:
    """Threads, one a person, that never pause; what ends in `seconds` from `start` on is counted.

    `start` is a moment of `time.monotonic`; the threads work from now on, which warms them up.
    """
    until = start + seconds
    ended: list[list[tuple[float, float]]] = [[] for _ in people]
    failed: list[BaseException] = []

    def client(n: int) -> None:
        try:
            while (begun := time.monotonic()) < until and not failed:
                if not step(people[n]):
                    raise RuntimeError("the items ran out: ask for more of them or fewer seconds")
                ended[n].append((begun, time.monotonic()))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=client, args=(n,)) for n in range(len(people))]
    for thread in threads:
        thread.start()
    time.sleep(max(0.0, start - time.monotonic()))
    before = time.process_time()
    for thread in threads:  # they end with the counted part, or when one of them fails
        thread.join()
    cpu = time.process_time() - before
    if failed:
        raise failed[0]
    pairs = [pair for each in ended for pair in each]
    counted = [end - begun for begun, end in pairs if begun >= start and end <= until]
    return Pace(counted, seconds, cpu, len(pairs))


def together(paces: Sequence[Pace]) -> Pace:
    """What several processes did in the same part of a round."""
    times = [t for pace in paces for t in pace.times]
    cpu = sum(pace.cpu for pace in paces)
    return Pace(times, paces[0].seconds, cpu, sum(pace.done for pace in paces))


def by_turns(
    rounds: int, first: Callable[[], T], second: Callable[[], T]
) -> tuple[list[T], list[T]]:
    """Both, one after the other, `rounds` times: whatever else the machine does hits both alike."""
    pairs = [(first(), second()) for _ in range(rounds)]
    return [a for a, _ in pairs], [b for _, b in pairs]


def middle(paces: Sequence[Pace]) -> Pace:
    """The round of the median rate."""
    return sorted(paces, key=lambda pace: pace.rate)[len(paces) // 2]


def median(figures: Iterable[float]) -> float:
    return statistics.median(figures)


def share(times: Sequence[float], part: float) -> float:
    """The figure that this part of the figures does not exceed."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


class Clock(NamedTuple):
    """What a call took: seconds, and those of them that this process computed in."""

    seconds: float
    cpu: float

    @staticmethod
    def middle(clocks: Iterable["Clock"]) -> "Clock":
        """The medians."""
        both = list(zip(*clocks, strict=True))
        return Clock(statistics.median(both[0]), statistics.median(both[1]))

    @staticmethod
    def said(floor: Iterable["Clock"], product: Iterable["Clock"]) -> str:
        """The processor time of both sides, for the notes; a server's is not in it."""
        low, high = Clock.middle(floor).cpu, Clock.middle(product).cpu
        return f"cpu s: floor {low:.2f}, product {high:.2f}"


def clocked(fn: Callable[[], object]) -> Clock:
    """What a call takes."""
    begun, computed = time.perf_counter(), time.process_time()
    fn()
    return Clock(time.perf_counter() - begun, time.process_time() - computed)


def peak_memory() -> int:
    """The most memory this process has held, in MiB."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) // 1024
    # Elsewhere; on Linux it would also count what the parent held when it started this process.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def machine(folder: Path) -> str:
    """Cores, load, and what one write to the disk costs: what a reader needs to judge the rest."""
    with tempfile.TemporaryFile(dir=folder) as file:
        times = []
        for _ in range(200):
            file.write(b"x" * 4096)
            file.flush()
            times.append(clocked(lambda: os.fdatasync(file.fileno())).seconds)
    low, high = share(times, 0.5) * 1e6, share(times, 0.95) * 1e6
    return (
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, "
        f"4 KiB append and fdatasync p50 {low:.0f} µs, p95 {high:.0f} µs"
    )


def table(lines: Sequence[Line]) -> str:
    """The lines as a table of text."""
    rows = [_COLUMNS, *(_cells(line) for line in lines)]
    widths = [max(len(row[n]) for row in rows) for n in range(len(_COLUMNS))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if n in (2, 3, 5) else cell.ljust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _cells(line: Line) -> tuple[str, ...]:
    target = ""
    if line.least is not None:
        target = f"≥ {line.least:g}"
    elif line.most is not None:
        target = f"≤ {line.most:g}"
    elif line.cap is not None:
        target = f"≤ {line.cap:g} {line.unit}"
    met = {True: "yes", False: "NO", None: ""}[line.met]
    ratio = "" if line.ratio is None else f"{line.ratio:.2f}"
    floor = "" if line.floor is None else _number(line.floor)
    product = _number(line.product)
    return (line.what, line.database, floor, product, line.unit, ratio, target, met, line.notes)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
