-- Latency histograms by minute and hour: caches of facts, rebuilt whole, never updated in place.
-- A rollup of a period counts only once its row in tracer_rollups names its Version.
CREATE TABLE IF NOT EXISTS tracer_rollups (
    Grain LowCardinality(String),
    PeriodNs Int64,
    Version UInt64,
    AnalysisVersion UInt16
)
ENGINE = ReplacingMergeTree(Version)
ORDER BY (Grain, PeriodNs);

-- Durations of single spans, by operation and caller. Buckets: tracer/columns/buckets.py.
CREATE TABLE IF NOT EXISTS tracer_operations (
    Grain LowCardinality(String),
    PeriodNs Int64 CODEC(Delta(8), ZSTD(1)),
    TenantId LowCardinality(String) DEFAULT '',
    Environment LowCardinality(String) DEFAULT '',
    ServiceNamespace LowCardinality(String) DEFAULT '',
    ServiceName LowCardinality(String),
    Operation LowCardinality(String),
    SpanKind LowCardinality(String),
    Outcome LowCardinality(String),
    CallerServiceName LowCardinality(String) DEFAULT '',
    CallerOperation LowCardinality(String) DEFAULT '',
    Spans Float64 CODEC(ZSTD(1)),
    Weight Float64 CODEC(ZSTD(1)),
    Weight2 Float64 CODEC(ZSTD(1)),
    Buckets Map(Int16, Float64) CODEC(ZSTD(1)),
    Exemplars Map(Int16, String) CODEC(ZSTD(1)),
    Version UInt64 CODEC(ZSTD(1)),
    AnalysisVersion UInt16
)
ENGINE = MergeTree
PARTITION BY (Grain, intDiv(PeriodNs, 86400000000000))
ORDER BY (ServiceName, Operation, PeriodNs)
SETTINGS ttl_only_drop_parts = 1;

-- Sums per trace, by call path: what one request spends there.
CREATE TABLE IF NOT EXISTS tracer_path_sums (
    Grain LowCardinality(String),
    PeriodNs Int64 CODEC(Delta(8), ZSTD(1)),
    PathId UInt64 CODEC(ZSTD(1)),
    Traces Float64 CODEC(ZSTD(1)),
    Weight Float64 CODEC(ZSTD(1)),
    Weight2 Float64 CODEC(ZSTD(1)),
    Calls Map(UInt32, Float64) CODEC(ZSTD(1)),
    SelfBuckets Map(Int16, Float64) CODEC(ZSTD(1)),
    CriticalBuckets Map(Int16, Float64) CODEC(ZSTD(1)),
    DurationBuckets Map(Int16, Float64) CODEC(ZSTD(1)),
    SpanWeight2 Float64 CODEC(ZSTD(1)),
    Version UInt64 CODEC(ZSTD(1)),
    AnalysisVersion UInt16
)
ENGINE = MergeTree
PARTITION BY (Grain, intDiv(PeriodNs, 86400000000000))
ORDER BY (PathId, PeriodNs)
SETTINGS ttl_only_drop_parts = 1;
