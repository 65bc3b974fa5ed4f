-- Spans as received. Columns up to Links.Attributes are the layout of the OpenTelemetry collector's
-- ClickHouse exporter; the rest are ours, all with defaults (tracer/columns/schema.py is the table).
-- Partitions are hours of the span's start, so that a disk budget can drop the oldest hour.
-- Fresh parts are lightly compressed, because that is half of what an insert costs; retention
-- recompresses them when they are a day old. How parts are merged is in 004_merges.sql.
CREATE TABLE IF NOT EXISTS otel_traces (
    Timestamp DateTime64(9) CODEC(Delta(8), Default),
    TraceId String,
    SpanId String,
    ParentSpanId String,
    TraceState String,
    SpanName LowCardinality(String),
    SpanKind LowCardinality(String),
    ServiceName LowCardinality(String),
    ResourceAttributes Map(LowCardinality(String), String),
    ScopeName String,
    ScopeVersion String,
    SpanAttributes Map(LowCardinality(String), String),
    Duration UInt64,
    StatusCode LowCardinality(String),
    StatusMessage String,
    `Events.Timestamp` Array(DateTime64(9)),
    `Events.Name` Array(LowCardinality(String)),
    `Events.Attributes` Array(Map(LowCardinality(String), String)),
    `Links.TraceId` Array(String),
    `Links.SpanId` Array(String),
    `Links.TraceState` Array(String),
    `Links.Attributes` Array(Map(LowCardinality(String), String)),

    TenantId LowCardinality(String) DEFAULT '',
    IngestTime DateTime64(9) DEFAULT now64(9) CODEC(Delta(8), Default),
    Flags UInt32 DEFAULT 0,
    EndsBeforeStartNs UInt64 DEFAULT 0,
    DroppedAttributesCount UInt32 DEFAULT 0,
    DroppedEventsCount UInt32 DEFAULT 0,
    DroppedLinksCount UInt32 DEFAULT 0,
    SpanAttributeTypes Map(LowCardinality(String), LowCardinality(String)) DEFAULT map(),
    ResourceAttributeTypes Map(LowCardinality(String), LowCardinality(String)) DEFAULT map(),
    ResourceDroppedAttributesCount UInt32 DEFAULT 0,
    ResourceSchemaUrl LowCardinality(String) DEFAULT '',
    ScopeAttributes Map(LowCardinality(String), String) DEFAULT map(),
    ScopeAttributeTypes Map(LowCardinality(String), LowCardinality(String)) DEFAULT map(),
    ScopeDroppedAttributesCount UInt32 DEFAULT 0,
    ScopeSchemaUrl LowCardinality(String) DEFAULT '',
    `Events.AttributeTypes` Array(Map(LowCardinality(String), LowCardinality(String))),
    `Events.DroppedAttributesCount` Array(UInt32),
    `Links.AttributeTypes` Array(Map(LowCardinality(String), LowCardinality(String))),
    `Links.DroppedAttributesCount` Array(UInt32),
    `Links.Flags` Array(UInt32),
    SamplingWeight Float64 DEFAULT 0,
    Environment LowCardinality(String) DEFAULT if(ResourceAttributes['deployment.environment.name'] != '', ResourceAttributes['deployment.environment.name'], ResourceAttributes['deployment.environment']),
    ServiceNamespace LowCardinality(String) DEFAULT ResourceAttributes['service.namespace'],
    ServiceVersion LowCardinality(String) DEFAULT ResourceAttributes['service.version'],
    MessagingOperation LowCardinality(String) DEFAULT if(SpanAttributes['messaging.operation.type'] != '', SpanAttributes['messaging.operation.type'], SpanAttributes['messaging.operation']),

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
    TraceId String,
    Start DateTime CODEC(Delta(4), Default),
    End DateTime CODEC(Delta(4), Default),
    TenantId LowCardinality(String) DEFAULT '',
    IngestTime DateTime64(9) DEFAULT now64(9) CODEC(Delta(8), Default),
    StartNs Int64 DEFAULT toUnixTimestamp(Start) * 1000000000 CODEC(Delta(8), Default),
    EndNs Int64 DEFAULT (toUnixTimestamp(End) + 1) * 1000000000 CODEC(Delta(8), Default),
    HasRoot UInt8 DEFAULT 0,
    Spans UInt32 DEFAULT 0,
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_ingest_time IngestTime TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY intDiv(StartNs, 3600000000000)
ORDER BY (TraceId, StartNs)
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1;
