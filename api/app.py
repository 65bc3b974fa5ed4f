"""The application: routes, guards and errors put together."""

from __future__ import annotations

import asyncio
from typing import Final

from anyio import CapacityLimiter
from fastapi import FastAPI

from api import errors
from api.guards import Guards
from api.measure import Measure
from api.routes import (
    baselines,
    compare,
    critical_path,
    dependencies,
    docs,
    elsewhere,
    export,
    health,
    home,
    imports,
    metrics,
    services,
    slow_traces,
    storage,
    traces,
)
from api.routes import (
    errors as errors_routes,
)
from tracer import __version__
from tracer.service.serve import Service
from tracer.settings import Settings

DESCRIPTION = (
    "Questions about traces. Every answer is a JSON document that names its schema; times are "
    "nanoseconds since 1970 and RFC 3339; errors are problem details (RFC 9457)."
)
ASIDE_THREADS: Final = 3  # for health and metrics alone
IMPORTS_AT_ONCE: Final = 2  # bodies of the largest size held in memory
OWN = (health.router, metrics.router)  # what every role answers
ROUTERS = (
    home.router,
    docs.router,
    traces.router,
    slow_traces.router,
    critical_path.router,
    services.router,
    baselines.router,
    dependencies.router,
    errors_routes.router,
    compare.router,
    storage.router,
    imports.router,
    export.router,
    *OWN,
)
ROUTERS_OF = {  # of other roles: all
    "receive": (imports.router, *OWN, elsewhere.router_of("receive")),
    "analyse": (*OWN, elsewhere.router_of("analyse")),
}


def create_app(service: Service, *, settings: Settings) -> FastAPI:
    """The API of a running `service`; whoever started the service closes it."""
    app = FastAPI(
        title="tracer",
        version=__version__,
        description=DESCRIPTION,
        docs_url=None,  # the usual page loads its scripts from another host
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    app.state.service = service
    app.state.aside = CapacityLimiter(ASIDE_THREADS)
    app.state.import_room = asyncio.Semaphore(IMPORTS_AT_ONCE)
    errors.install(app)
    for router in ROUTERS_OF.get(settings.role, ROUTERS):
        app.include_router(router)
    app.add_middleware(Guards, settings=settings)
    app.add_middleware(Measure, told=service.asked)
    return app
