-- Spans as received. Columns up to Links.Attributes are the layout of the OpenTelemetry collector's
-- ClickHouse exporter; the rest are ours, all with defaults (tracer/columns/schema.py is the table).
-- Partitions are hours of the span's start, so that a disk budget can drop the oldest hour.
CREATE TABLE IF NOT EXISTS otel_traces (
    Timestamp DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    TraceId String CODEC(ZSTD(1)),
    SpanId String CODEC(ZSTD(1)),
    ParentSpanId String CODEC(ZSTD(1)),
    TraceState String CODEC(ZSTD(1)),
    SpanName LowCardinality(String) CODEC(ZSTD(1)),
    SpanKind LowCardinality(String) CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeName String CODEC(ZSTD(1)),
    ScopeVersion String CODEC(ZSTD(1)),
    SpanAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    Duration UInt64 CODEC(ZSTD(1)),
    StatusCode LowCardinality(String) CODEC(ZSTD(1)),
    StatusMessage String CODEC(ZSTD(1)),
    `Events.Timestamp` Array(DateTime64(9)) CODEC(ZSTD(1)),
    `Events.Name` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `Events.Attributes` Array(Map(LowCardinality(String), String)) CODEC(ZSTD(1)),
    `Links.TraceId` Array(String) CODEC(ZSTD(1)),
    `Links.SpanId` Array(String) CODEC(ZSTD(1)),
    `Links.TraceState` Array(String) CODEC(ZSTD(1)),
    `Links.Attributes` Array(Map(LowCardinality(String), String)) CODEC(ZSTD(1)),

    TenantId LowCardinality(String) DEFAULT '' CODEC(ZSTD(1)),
    IngestTime DateTime64(9) DEFAULT now64(9) CODEC(Delta(8), ZSTD(1)),
    Flags UInt32 DEFAULT 0 CODEC(ZSTD(1)),
    EndsBeforeStartNs UInt64 DEFAULT 0 CODEC(ZSTD(1)),
    DroppedAttributesCount UInt32 DEFAULT 0 CODEC(ZSTD(1)),
    DroppedEventsCount UInt32 DEFAULT 0 CODEC(ZSTD(1)),
    DroppedLinksCount UInt32 DEFAULT 0 CODEC(ZSTD(1)),
    SpanAttributeTypes Map(LowCardinality(String), LowCardinality(String)) DEFAULT map() CODEC(ZSTD(1)),
    ResourceAttributeTypes Map(LowCardinality(String), LowCardinality(String)) DEFAULT map() CODEC(ZSTD(1)),
    ResourceDroppedAttributesCount UInt32 DEFAULT 0 CODEC(ZSTD(1)),
    ResourceSchemaUrl LowCardinality(String) DEFAULT '' CODEC(ZSTD(1)),
    ScopeAttributes Map(LowCardinality(String), String) DEFAULT map() CODEC(ZSTD(1)),
    ScopeAttributeTypes Map(LowCardinality(String), LowCardinality(String)) DEFAULT map() CODEC(ZSTD(1)),
    ScopeDroppedAttributesCount UInt32 DEFAULT 0 CODEC(ZSTD(1)),
    ScopeSchemaUrl LowCardinality(String) DEFAULT '' CODEC(ZSTD(1)),
    `Events.AttributeTypes` Array(Map(LowCardinality(String), LowCardinality(String))) CODEC(ZSTD(1)),
    `Events.DroppedAttributesCount` Array(UInt32) CODEC(ZSTD(1)),
    `Links.AttributeTypes` Array(Map(LowCardinality(String), LowCardinality(String))) CODEC(ZSTD(1)),
    `Links.DroppedAttributesCount` Array(UInt32) CODEC(ZSTD(1)),
    `Links.Flags` Array(UInt32) CODEC(ZSTD(1)),
    SamplingWeight Float64 DEFAULT 0 CODEC(ZSTD(1)),
    Environment LowCardinality(String) DEFAULT if(ResourceAttributes['deployment.environment.name'] != '', ResourceAttributes['deployment.environment.name'], ResourceAttributes['deployment.environment']) CODEC(ZSTD(1)),
    ServiceNamespace LowCardinality(String) DEFAULT ResourceAttributes['service.namespace'] CODEC(ZSTD(1)),
    ServiceVersion LowCardinality(String) DEFAULT ResourceAttributes['service.version'] CODEC(ZSTD(1)),
    MessagingOperation LowCardinality(String) DEFAULT if(SpanAttributes['messaging.operation.type'] != '', SpanAttributes['messaging.operation.type'], SpanAttributes['messaging.operation']) CODEC(ZSTD(1)),

    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_ingest_time IngestTime TYPE minmax GRANULARITY 1,
    INDEX idx_duration Duration TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY intDiv(toUnixTimestamp64Nano(Timestamp), 3600000000000)
ORDER BY (ServiceName, SpanName, Timestamp)
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1;

-- One row per trace and commit: where a trace lies in time, and what arrived when.
-- Written before the spans of its commit, so that no stored span is without its row.
CREATE TABLE IF NOT EXISTS otel_traces_trace_id_ts (
    TraceId String CODEC(ZSTD(1)),
    Start DateTime CODEC(Delta(4), ZSTD(1)),
    End DateTime CODEC(Delta(4), ZSTD(1)),
    TenantId LowCardinality(String) DEFAULT '' CODEC(ZSTD(1)),
    IngestTime DateTime64(9) DEFAULT now64(9) CODEC(Delta(8), ZSTD(1)),
    StartNs Int64 DEFAULT toUnixTimestamp(Start) * 1000000000 CODEC(Delta(8), ZSTD(1)),
    EndNs Int64 DEFAULT (toUnixTimestamp(End) + 1) * 1000000000 CODEC(Delta(8), ZSTD(1)),
    HasRoot UInt8 DEFAULT 0 CODEC(ZSTD(1)),
    Spans UInt32 DEFAULT 0 CODEC(ZSTD(1)),
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_ingest_time IngestTime TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY intDiv(StartNs, 3600000000000)
ORDER BY (TraceId, StartNs)
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1;
