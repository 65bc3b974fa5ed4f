"""Parts that turn out to be damaged: named, set aside, and all others are served.

At start the engine itself sets aside what it cannot open (`detached/broken-on-start_…`). What is
only found while it is read fails the query, again and again: such a part is checked against its own
checksums and detached, and the query is asked again of the rest. Nothing is deleted: the files stay
below `detached/`, and `tracer storage` names them.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from tracer.errors import StoreFailure

log = logging.getLogger("tracer.store")

# Codes of the engine for bytes that are not what was written: short, changed, gone, unreadable.
_CODES: Final = {32, 33, 40, 74, 107, 226, 228, 246, 271, 432, 1001}
_STD: Final = 1001  # anything at all, unless it names a file of a part
_NO_SUCH_PART: Final = "NO_SUCH_DATA_PART"
_PART: Final = re.compile(r"/store/\w+/([0-9a-f-]{36})/([^/\s]+_\d+_\d+_\d+[_\d]*)/")
MOST_AT_ONCE: Final = 64  # damaged parts set aside for one question

Ask = Callable[[str], Sequence[Sequence[Any]]]
Run = Callable[[str], None]


class DamagedError(StoreFailure):
    """Stored bytes cannot be read back."""

    def __init__(self, message: str, table_uuid: str, part: str) -> None:
        super().__init__(message)
        self.table_uuid = table_uuid
        self.part = part  # '' when the engine did not say


def as_damage(code: int, text: str, first_line: str) -> DamagedError | None:
    """The engine's error, when it is about bytes on disk."""
    if code not in _CODES:
        return None
    match = _PART.search(text)
    if code == _STD and match is None:
        return None
    uuid, part = (match[1], match[2]) if match else ("", "")
    what = f"part {part}" if part else "a part"
    return DamagedError(
        f"{what} is damaged on disk and cannot be read; check the disk, see tracer storage, "
        f"restore the part from a copy or drop it ({first_line[:200]})",
        uuid,
        part,
    )


def set_aside(damage: DamagedError, ask: Ask, run: Run) -> None:
    """Detaches the part if it fails its own checksums; raises `damage` when it is not named.

    One that passes was misread once: the caller asks again.
    """
    if not damage.part:
        raise damage
    named = ask(
        "SELECT name FROM system.tables "
        f"WHERE database = currentDatabase() AND uuid = '{damage.table_uuid}'"
    )
    if not named:
        raise damage
    table = str(named[0][0])
    try:
        verdict = ask(f"CHECK TABLE {table} PART '{damage.part}'")
        if verdict and str(verdict[0][1]) == "1":
            log.warning("part %s of table %s was misread once", damage.part, table)
            return
        run(f"ALTER TABLE {table} DETACH PART '{damage.part}'")
    except StoreFailure as error:
        if _NO_SUCH_PART in str(error):
            return  # merged, dropped or set aside since
        raise damage from error
    log.warning(
        "part %s of table %s is damaged and was set aside, its rows are not served any more; "
        "tracer storage names it (%s)",
        damage.part,
        table,
        str(verdict[0][2])[:300] if verdict else damage,
    )
