-- One row per (trace, root span): the only thing derived that is kept for its own sake.
-- A newer Version replaces an older one; IsDeleted marks a root that a later analysis did away with.
CREATE TABLE IF NOT EXISTS tracer_facts (
    TenantId LowCardinality(String) DEFAULT '',
    TraceId String CODEC(ZSTD(1)),
    RootSpanId String CODEC(ZSTD(1)),
    RootPathId UInt64 CODEC(ZSTD(1)),
    Environment LowCardinality(String) DEFAULT '',
    ServiceNamespace LowCardinality(String) DEFAULT '',
    ServiceName LowCardinality(String),
    Operation LowCardinality(String),
    SpanKind LowCardinality(String),
    ServiceVersion LowCardinality(String) DEFAULT '',
    Outcome LowCardinality(String) DEFAULT 'ok',
    IsMain UInt8 DEFAULT 1,
    RootMissing UInt8 DEFAULT 0,
    StartNs Int64 CODEC(Delta(8), ZSTD(1)),
    DurationNs Int64 CODEC(ZSTD(1)),
    SpanCount UInt32 CODEC(ZSTD(1)),
    ServiceCount UInt32 CODEC(ZSTD(1)),
    ErrorCount UInt32 CODEC(ZSTD(1)),
    OrphanCount UInt32 DEFAULT 0 CODEC(ZSTD(1)),
    DuplicateCount UInt32 DEFAULT 0 CODEC(ZSTD(1)),
    OverrunCount UInt32 DEFAULT 0 CODEC(ZSTD(1)),
    CycleCount UInt32 DEFAULT 0 CODEC(ZSTD(1)),
    DroppedCount UInt32 DEFAULT 0 CODEC(ZSTD(1)),
    SamplingWeight Float64 DEFAULT 0 CODEC(ZSTD(1)),
    `Paths.PathId` Array(UInt64) CODEC(ZSTD(1)),
    `Paths.Failed` Array(UInt8) CODEC(ZSTD(1)),
    `Paths.Bucket` Array(Int16) CODEC(ZSTD(1)),
    `Paths.Calls` Array(UInt32) CODEC(ZSTD(1)),
    `Paths.SelfNs` Array(Int64) CODEC(ZSTD(1)),
    `Paths.CriticalNs` Array(Int64) CODEC(ZSTD(1)),
    AnalysisVersion UInt16 DEFAULT 1,
    Version UInt64 CODEC(Delta(8), ZSTD(1)),
    IsDeleted UInt8 DEFAULT 0,
    INDEX idx_version Version TYPE minmax GRANULARITY 1,
    INDEX idx_start StartNs TYPE minmax GRANULARITY 1,
    INDEX idx_root_missing RootMissing TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(Version, IsDeleted)
PARTITION BY intDiv(StartNs, 3600000000000)
ORDER BY (TraceId, RootSpanId)
SETTINGS ttl_only_drop_parts = 1;

-- The call paths that facts name: (service identity, operation, kind) chained from a root.
CREATE TABLE IF NOT EXISTS tracer_paths (
    PathId UInt64,
    ParentPathId UInt64,
    TenantId LowCardinality(String) DEFAULT '',
    Environment LowCardinality(String) DEFAULT '',
    ServiceNamespace LowCardinality(String) DEFAULT '',
    ServiceName LowCardinality(String),
    Operation LowCardinality(String),
    SpanKind LowCardinality(String),
    FirstSeenNs Int64
)
ENGINE = ReplacingMergeTree
ORDER BY PathId;

-- Small named numbers that must survive a restart (watermarks).
CREATE TABLE IF NOT EXISTS tracer_state (
    Name String,
    Value Int64,
    Version UInt64
)
ENGINE = ReplacingMergeTree(Version)
ORDER BY Name;
