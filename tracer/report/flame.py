"""`tracer.critical-path/1` for flame graph viewers: folded stacks, and speedscope's JSON.

Both are as wide as the document says: what it does not list is one frame of its own below the last
caller that is listed. Values are the chosen time of the chosen band.

Folded stacks: `a;b;c 1200`, one line a stack, as flamegraph.pl and its kin read them.
speedscope: https://github.com/jlfwong/speedscope/wiki/Importing-from-custom-sources, evented
profiles, one for each band.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from tracer import __version__
from tracer.report.path_names import path_names
from tracer.report.safe import safe_text

Document = Mapping[str, Any]

SPEEDSCOPE: Final = "https://www.speedscope.app/file-format-schema.json"
SEPARATOR: Final = ";"
STAND_IN: Final = "；"  # the same mark, full width: no separator, and no other name
LONGEST: Final = 200  # characters of a name; spans may have names of any length
_EXACT: Final = 1 << 53  # of a JavaScript number


class _Frame(NamedTuple):
    """One box: its name, its own time, and the boxes on it (places in the list of frames)."""

    name: str
    own_ns: int
    below: list[int]


def folded(document: Document) -> str:
    """Lines of the band and time of the document; stacks that own no time have none."""
    return "".join(_folded_lines(_frames(document, document["band"])))


def speedscope(document: Document) -> dict[str, Any]:
    """A file with one profile for each band that has time, the chosen one in front."""
    names: dict[str, int] = {}
    profiles: list[dict[str, Any]] = []
    active = 0
    title = f"{document['metric']} time"
    for band in document["bands"]:
        frames = _frames(document, band["name"])
        if not sum(frame.own_ns for frame in frames) and band["name"] != document["band"]:
            continue
        if band["name"] == document["band"]:
            active = len(profiles)
        profiles.append(_profile(frames, names, f"{title}, {_band_words(band['name'])}"))
    return {
        "$schema": SPEEDSCOPE,
        "name": f"tracer: {title}",
        "exporter": f"tracer@{__version__}",
        "activeProfileIndex": active,
        "shared": {"frames": [{"name": name} for name in names]},
        "profiles": profiles,
    }


def _band_words(name: str) -> str:
    return "all roots" if name == "all" else f"roots between their p{name.replace('-', ' and p')}"


def _frames(document: Document, band: str) -> list[_Frame]:
    """Frame 0 is the ground, which is no box; then the listed paths, then the rest of each."""
    metric, paths = document["metric"], document["paths"]
    frames = [_Frame("", 0, [])]
    for name, one in zip(path_names(paths, "·"), paths, strict=True):
        frames.append(_Frame(_name(name), one["bands"][band][f"{metric}_ns"], []))
    total = {one["name"]: one[f"{metric}_ns"] for one in document["bands"]}
    rest = [total[band]]
    rest += [
        one["bands"][band][f"inclusive_{metric}_ns"] - one["bands"][band][f"{metric}_ns"]
        for one in paths
    ]
    for at, one in enumerate(paths, 1):
        above = 0 if one["parent"] is None else one["parent"] + 1
        frames[above].below.append(at)
        rest[above] -= one["bands"][band][f"inclusive_{metric}_ns"]
    hidden = [document["paths_hidden"], *(one["paths_hidden"] for one in paths)]
    for at, (count, rest_ns) in enumerate(zip(hidden, rest, strict=True)):
        if count and rest_ns > 0:
            frames[at].below.append(len(frames))
            frames.append(_Frame(f"({count:,} more)", rest_ns, []))
    return frames


def _name(name: str) -> str:
    text = safe_text(name).replace(SEPARATOR, STAND_IN)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _folded_lines(frames: Sequence[_Frame]) -> Iterator[str]:
    stack = [(at, "") for at in reversed(frames[0].below)]
    while stack:
        at, above = stack.pop()
        frame = frames[at]
        name = f"{above}{SEPARATOR}{frame.name}" if above else frame.name
        if frame.own_ns:
            yield f"{name} {frame.own_ns}\n"
        stack += [(child, name) for child in reversed(frame.below)]


def _profile(frames: Sequence[_Frame], names: dict[str, int], title: str) -> dict[str, Any]:
    """Each box opens, owns its time, is covered by the boxes on it, and closes."""
    total = sum(frame.own_ns for frame in frames)
    unit, scale = ("nanoseconds", 1) if total < _EXACT else ("milliseconds", 1_000_000)
    events: list[dict[str, Any]] = []
    at_ns = 0
    stack = [(at, True) for at in reversed(frames[0].below)]
    while stack:
        at, opens = stack.pop()
        frame = frames[at]
        number = names.setdefault(frame.name, len(names))
        events.append({"type": "O" if opens else "C", "frame": number, "at": at_ns // scale})
        if opens:
            at_ns += frame.own_ns
            stack.append((at, False))
            stack += [(child, True) for child in reversed(frame.below)]
    return {
        "type": "evented",
        "name": title,
        "unit": unit,
        "startValue": 0,
        "endValue": at_ns // scale,
        "events": events,
    }
