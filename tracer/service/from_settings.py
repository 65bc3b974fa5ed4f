"""The settings in the words of each part that they are for."""

from __future__ import annotations

from tracer.ingest.otlp.limits import Limits
from tracer.ingest.otlp.tls import Certificates
from tracer.ingest.redact import SECRET_KEYS
from tracer.ingest.steps import StepSettings
from tracer.service.settle import Rules
from tracer.settings import Settings


def step_settings(settings: Settings, own_instance: str = "") -> StepSettings:
    """The ingest steps as the settings want them."""
    return StepSettings(
        retention_ns=settings.retention_raw,
        secret_keys=SECRET_KEYS + settings.redact_keys,
        own_instance=own_instance,
    )


def limits_of(settings: Settings) -> Limits:
    """What clients may take of the process, as the settings want it."""
    return Limits(
        request_bytes=settings.max_request_bytes,
        read_timeout_s=settings.read_timeout / 1e9,
        connections=settings.max_connections,
        streams=settings.max_streams,
    )


def certificates_of(settings: Settings) -> Certificates | None:
    """For all listeners, None without TLS. Raises BadSetting when the files cannot be used."""
    if not settings.tls_cert:
        return None
    return Certificates(settings.tls_cert, settings.tls_key, settings.tls_client_ca)


def rules(settings: Settings) -> Rules:
    """When a trace is ready and how it is analysed, as the settings want it."""
    return Rules(
        settings.settle,
        settings.root_wait,
        settings.max_trace_age,
        settings.max_services,
        settings.max_operations,
        max_skew_ns=settings.max_clock_skew or None,
    )
