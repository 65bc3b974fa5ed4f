"""Why an answer is empty although spans came in."""

from __future__ import annotations

from tracer.report import figures as fig


def waiting_line(traces: int) -> str:
    """For answers without anything analysed."""
    are = "is" if traces == 1 else "are"
    return (
        f"{fig.counted(traces, 'trace')} {are} here but not analysed yet: that happens some "
        "seconds after the last span of a trace (tracer serve --settle)"
    )
