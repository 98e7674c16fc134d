"""How far a progress bar is, in numbers."""

from __future__ import annotations

from rich.progress import ProgressColumn, Task
from rich.text import Text


class Amount(ProgressColumn):
    """The column of a progress bar with the work done, the time, and the time left."""

    def render(self, task: Task) -> Text:
        """Returns the text of one bar."""
        return Text(progress_text(int(task.completed), task.total, task.finished_time or task.elapsed, task.time_remaining))


def progress_text(done: int, total: float | None, elapsed: float | None, left: float | None) -> str:
    """Returns how far a work is: "120/6,000, 0:40, 3 s left"; the time alone where the whole is not known."""
    parts = [] if not total else [f"{done:,}/{total:,.0f}"]
    parts += [] if elapsed is None else [f"{int(elapsed) // 60}:{int(elapsed) % 60:02}"]
    if total and left and done < total:
        parts.append(f"{duration_text(left)} left")
    return ", ".join(parts)


def duration_text(seconds: float) -> str:
    """Returns a rough time: "40 s", "12 min", "3 h"."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.0f} h"
