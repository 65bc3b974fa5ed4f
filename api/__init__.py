"""The web door: questions over HTTP, answered by the use cases in tracer.service."""
