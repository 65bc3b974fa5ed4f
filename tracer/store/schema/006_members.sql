-- Who takes part, on a server that several processes share: receivers with the ingest time below
-- which all they took is stored, and analysers, of which the one that came first works.
-- SeenAt is the server's clock. A newer beat replaces an older one; who was not seen for a while is
-- gone.
CREATE TABLE IF NOT EXISTS tracer_members (
    Name String,
    Duty LowCardinality(String),
    SinceNs Int64,
    HorizonNs Int64,
    IsGone UInt8 DEFAULT 0,
    Beat UInt64,
    SeenAt DateTime64(9) DEFAULT now64(9)
)
ENGINE = ReplacingMergeTree(Beat)
ORDER BY (Duty, Name)
TTL toDateTime(SeenAt) + toIntervalDay(1);
