-- Whose clock timed a span (HOST_KEYS of columns/schema.py), so that clocks can be corrected without
-- reading the map of resource attributes. Parts from before are read through the expression.
ALTER TABLE otel_traces ADD COLUMN IF NOT EXISTS Host LowCardinality(String) DEFAULT multiIf(
    ResourceAttributes['k8s.node.name'] != '', ResourceAttributes['k8s.node.name'],
    ResourceAttributes['host.id'] != '', ResourceAttributes['host.id'],
    ResourceAttributes['host.name'] != '', ResourceAttributes['host.name'],
    ResourceAttributes['host.ip'] != '', ResourceAttributes['host.ip'],
    ResourceAttributes['ip'] != '', ResourceAttributes['ip'],
    ResourceAttributes['service.instance.id'] != '', ResourceAttributes['service.instance.id'],
    ResourceAttributes['telemetry.sdk.language'] = 'webjs', 'browser',
    '') AFTER ServiceVersion;
