"""A store: an engine with the schema in it and, when embedded, the lock on its directory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tracer.errors import StoreFailure, TracerError, Unavailable
from tracer.settings import Settings
from tracer.store.durability import apply_durability
from tracer.store.engine import DATABASE, Engine, open_embedded, open_server
from tracer.store.inventory import tell_set_aside
from tracer.store.lock import DirectoryLock
from tracer.store.migrate import applied, migrate, migrations
from tracer.store.opening import explain
from tracer.store.priority import let_merges_give_way
from tracer.store.repeats import remember_inserts
from tracer.store.retention import apply_retention


@dataclass(frozen=True)
class Store:
    """An open engine; `close` gives back its directory."""

    engine: Engine
    lock: DirectoryLock | None

    def close(self) -> None:
        """Closes the engine, then lets go of the directory."""
        self.engine.close()
        if self.lock is not None:
            self.lock.release()


def open_store(settings: Settings, *, api_url: str = "", database: str = DATABASE) -> Store:
    """The only place that tells embedded from server.

    Raises PathInUse when another process owns the directory, Unavailable when it cannot be written
    or the server cannot be reached, BadSetting for a URL that is none.
    """
    lock = None
    if settings.store:
        engine = open_server(settings.store, create=settings.role != "query")
    else:
        directory = Path(settings.data)
        lock = DirectoryLock(directory, api_url)
        try:
            engine = open_embedded(
                directory / "store",
                memory_bytes=settings.engine_memory,
                database=database,
            )
        except TracerError as error:
            lock.release()
            raise explain(directory, error) from error
        except BaseException:
            lock.release()
            raise
    store = Store(engine, lock)
    try:
        if settings.role == "query":
            _check(engine)
            return store
        migrate(engine)
        if settings.store and not engine.cluster:
            remember_inserts(engine)
        tell_set_aside(engine)
        apply_retention(engine, settings)
        apply_durability(engine, to_disk=settings.durability == "disk")
        if lock is not None:
            let_merges_give_way()
    except TracerError as error:
        store.close()
        raise (explain(Path(settings.data), error) if lock else error) from error
    except BaseException:
        store.close()
        raise
    return store


def _check(engine: Engine) -> None:
    """Asking questions changes nothing: an account that may only read is enough."""
    newest = migrations()[-1][0]
    try:
        done = applied(engine)
    except StoreFailure as error:
        raise Unavailable(
            f"the store has no schema yet, start --role receive or analyse first ({error})"
        ) from error
    if done < newest:
        raise Unavailable(
            f"the store has schema {done} and this tracer needs {newest}; "
            "start the same version with --role receive or analyse first"
        )
