"""What call paths of a document are called: by service and operation, and apart where they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Document = Mapping[str, Any]


def path_names(paths: Sequence[Document], separator: str) -> list[str]:
    """`service operation`, with environment and namespace where these are new below the caller.

    They are named only if the paths have several: staging and production must not look the same.
    """
    places = [(str(one["environment"]), str(one["namespace"])) for one in paths]
    several = [len({place[at] for place in places}) > 1 for at in range(2)]
    names = []
    for one, place in zip(paths, places, strict=True):
        name = f"{one['service']}{separator}{one['operation']}"
        above = None if one["parent"] is None else places[one["parent"]]
        told = [part for part, shown in zip(place, several, strict=True) if shown and part]
        names.append(f"{name} ({', '.join(told)})" if told and above != place else name)
    return names
