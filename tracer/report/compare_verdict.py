"""The one sentence of a comparison: what changed, by how much, how sure, and because of what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tracer.report import figures as fig

Document = Mapping[str, Any]

LEAD: Final = "p95"
TITLES: Final = {
    "p50": "p50",
    "p95": "p95",
    "p99": "p99",
    "slowest_5_percent": "mean of the slowest 5 %",
}
_WORTH: Final = 0.1  # of the change: less is not worth a clause


def verdict(document: Document) -> dict[str, Any]:
    """`direction` is slower | faster | same | unsure, of the statistic that is named."""
    by_name = {one["statistic"]: one for one in document["statistics"]}
    lead = by_name[LEAD]
    direction = _direction(lead)
    text = f"{_what_changed(document, lead)}{_size(document, lead)}"
    if document["status"] == "refused":
        refusal = document["refusal"]
        text = f"not compared: {refusal['reason']} ({refusal['fix']}). As they stand: {text}"
        return {"statistic": LEAD, "direction": "unsure", "text": text}
    shown = lead
    if not _has_cause(lead):
        shown = next((one for one in _others(by_name) if _has_cause(one)), lead)
    if shown is not lead:
        moved = f"{TITLES[shown['statistic']]} {_moved(shown)}{_interval(shown)}"
        text += f"; {'but' if direction == 'same' else 'and'} the {moved}"
    text += _because(document, shown)
    return {"statistic": shown["statistic"], "direction": _direction(shown), "text": f"{text}."}


def _has_cause(one: Document) -> bool:
    return bool(one["paths"]) or any(kind["is_named"] for kind in one["mix"])


def _others(by_name: Mapping[str, Document]) -> Sequence[Document]:
    """The tail first: a fault in few requests shows there only."""
    found = [by_name[name] for name in ("slowest_5_percent", "p99", "p50")]
    return [one for one in found if _direction(one) in ("slower", "faster")]


def _direction(one: Document) -> str:
    bounds = one["change_interval_ns"]
    if bounds is None:
        return "unsure"
    return "slower" if bounds[0] > 0 else "faster" if bounds[1] < 0 else "same"


def _what_changed(document: Document, one: Document) -> str:
    subject = document["subject"]
    of = f"{subject['service']} {subject['operation']}" if subject else "all requests"
    if _direction(one) == "same":
        before, after = fig.duration(one["before_ns"]), fig.duration(one["after_ns"])
        return f"{TITLES[one['statistic']]} of {of} did not change measurably: {before} → {after}"
    return f"{TITLES[one['statistic']]} of {of} {_moved(one)}"


def _moved(one: Document) -> str:
    way = "rose" if one["change_ns"] >= 0 else "fell"
    return f"{way} from {fig.duration(one['before_ns'])} to {fig.duration(one['after_ns'])}"


def _size(document: Document, one: Document) -> str:
    traces = (
        f"{fig.count(document['candidate']['traces'])} against "
        f"{fig.counted(document['baseline']['traces'], 'trace')}"
    )
    bounds = one["change_interval_ns"]
    if bounds is None:
        return f" ({traces}: too few to say whether by chance)"
    return f" ({_change(bounds)}, {traces})"


def _interval(one: Document) -> str:
    return f" ({_change(one['change_interval_ns'])})"


def _change(bounds: Sequence[int]) -> str:
    return f"95 % interval of the change {signed(bounds[0])} … {signed(bounds[1])}"


def signed(value_ns: float) -> str:
    """`+5ms`, `-3ms`, `0ns`."""
    return f"{'+' if value_ns > 0 else ''}{fig.duration(value_ns)}"


def _because(document: Document, one: Document) -> str:
    """The largest part that goes the way of the change, and how many more there are."""
    change_ns = one["change_ns"]
    parts = [(path["change_ns"], _path_words(path)) for path in one["paths"]]
    parts += [(kind["change_ns"], _mix_words(kind)) for kind in one["mix"] if kind["is_named"]]
    with_it = sorted(
        (part for part in parts if part[0] * change_ns > 0 and part[0] / change_ns >= _WORTH),
        key=lambda part: -abs(part[0]),
    )
    if not with_it:
        return _otherwise(document, one)
    share = with_it[0][0] / change_ns
    whole = fig.percent(share) if share <= 1 else "more than all"
    way = "rise" if change_ns > 0 else "fall"
    text = f"; {whole} of the {way} is {with_it[0][1]}"
    if more := len(with_it) - 1:
        text += f", and {fig.counted(more, 'part')} more below"
    return text


def _otherwise(document: Document, one: Document) -> str:
    """Nothing is named for the number: what changed all the same, if anything did."""
    changed = document["changed_paths"]
    if changed["items"]:
        first = changed["items"][0]
        more = changed["total"]["value"] - 1
        rest = f" (and {fig.counted(more, 'more path')})" if more else ""
        return f"; what changed is {_name(first)} {_factor_words(first['factors'][0])}{rest}"
    if _direction(one) in ("slower", "faster"):
        return "; no single path can be named for it"
    return "; no call path changed"


def _path_words(path: Document) -> str:
    """The factor that did most of it."""
    before, after = path["before"], path["after"]
    factor = max(
        ("calls_ns", "self_ns", "share_ns", "presence_ns"),
        key=lambda name: path[name] * (1 if path["change_ns"] > 0 else -1),
    )
    if factor == "presence_ns":
        gone = path["change_ns"] < 0
        return f"{_name(path)}, which is {'not called any more' if gone else 'new'}"
    if factor == "calls_ns":
        words = f"being called {times(after['calls'])} instead of {times(before['calls'])}"
    elif factor == "self_ns":
        words = (
            f"taking {fig.duration(after['self_ns_per_call'])} a call "
            f"instead of {fig.duration(before['self_ns_per_call'])}"
        )
    else:
        words = (
            f"being waited for during {fig.percent(after['critical_share'])} of its time "
            f"instead of {fig.percent(before['critical_share'])}"
        )
    return f"{_name(path)} {words}"


def _factor_words(factor: Document) -> str:
    before, after = factor["before"], factor["after"]
    if factor["factor"] == "calls":
        return f"being called {times(after)} instead of {times(before)}"
    if factor["factor"] == "self_ns_per_call":
        return f"taking {fig.duration(after)} a call instead of {fig.duration(before)}"
    return f"being waited for during {fig.percent(after)} instead of {fig.percent(before)}"


def _mix_words(kind: Document) -> str:
    failed = " that fail" if kind["outcome"] == "error" else ""
    more = "more" if kind["share_after"] > kind["share_before"] else "fewer"
    return (
        f"{more} requests of {kind['service']} {kind['operation']}{failed} "
        f"({fig.percent(kind['share_after'])} of the traffic "
        f"instead of {fig.percent(kind['share_before'])})"
    )


def _name(path: Document) -> str:
    return f"`{path['service']} {path['operation']}`"


def times(calls: float | None) -> str:
    """`once`, `twice`, `11 times`, `1.2 times`."""
    if calls is None or calls < 0.005:
        return "never"
    shown = f"{calls:.0f}" if calls >= 10 else f"{calls:.2f}".rstrip("0").rstrip(".")
    return {"1": "once", "2": "twice"}.get(shown, f"{shown} times")
