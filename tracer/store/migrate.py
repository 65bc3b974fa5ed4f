"""Brings a database to the newest schema: numbered `.sql` files, each applied once, in order."""

from __future__ import annotations

import re
from importlib.resources import files

from tracer.errors import StoreFailure
from tracer.store.cluster import spread
from tracer.store.engine import Engine

_STATEMENT_END = re.compile(r";[ \t]*(?:\n|$)")
REGISTER = (
    "CREATE TABLE IF NOT EXISTS tracer_migrations "
    "(Number UInt32, Name String, AppliedAt DateTime DEFAULT now()) "
    "ENGINE = MergeTree ORDER BY Number"
)
_COMMENT = re.compile(r"^\s*--.*$", re.MULTILINE)


def migrations() -> list[tuple[int, str, list[str]]]:
    """(number, file name, statements) of every migration, in order."""
    found = []
    for entry in files("tracer.store.schema").iterdir():
        if entry.name.endswith(".sql"):
            text = _COMMENT.sub("", entry.read_text(encoding="utf-8"))
            statements = [part.strip() for part in _STATEMENT_END.split(text) if part.strip()]
            found.append((int(entry.name.split("_")[0]), entry.name, statements))
    return sorted(found)


def migrate(engine: Engine) -> None:
    """Applies what is missing; raises StoreFailure when the database is newer than this code.

    A crash in the middle is harmless: every statement can run again.
    """
    _apply(engine, REGISTER)
    done = applied(engine)
    steps = migrations()
    for number, name, statements in steps:
        if number <= done:
            continue
        for statement in statements:
            _apply(engine, statement)
        engine.command(f"INSERT INTO tracer_migrations (Number, Name) VALUES ({number}, '{name}')")


def applied(engine: Engine) -> int:
    """The number of the newest migration in the database.

    Raises StoreFailure when it is newer than this code.
    """
    done = int(engine.rows("SELECT max(Number) FROM tracer_migrations")[0][0])
    newest = migrations()[-1][0]
    if done > newest:
        raise StoreFailure(
            f"the database has schema {done}, this tracer knows {newest}; "
            "run the newer version or give another --data"
        )
    return done


def _apply(engine: Engine, statement: str) -> None:
    for one in spread(statement, engine.cluster, engine.database):
        engine.command(one)
