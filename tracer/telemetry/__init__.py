"""Own telemetry: numbers for Prometheus, lines for people and machines."""
