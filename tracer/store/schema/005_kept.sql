-- Call paths are forgotten like everything else: when nothing that is kept can name them any more.
ALTER TABLE tracer_paths ADD COLUMN IF NOT EXISTS LastSeenNs Int64 DEFAULT FirstSeenNs;

-- A damaged part is set aside at start and all others are served, however many or large the damaged
-- ones are: the engine's own limits (100 parts, 1 GiB) would refuse the whole table.
ALTER TABLE otel_traces MODIFY SETTING
    max_suspicious_broken_parts = 1000000, max_suspicious_broken_parts_bytes = 1000000000000000;

ALTER TABLE otel_traces_trace_id_ts MODIFY SETTING
    max_suspicious_broken_parts = 1000000, max_suspicious_broken_parts_bytes = 1000000000000000;

ALTER TABLE tracer_facts MODIFY SETTING
    max_suspicious_broken_parts = 1000000, max_suspicious_broken_parts_bytes = 1000000000000000;

ALTER TABLE tracer_operations MODIFY SETTING
    max_suspicious_broken_parts = 1000000, max_suspicious_broken_parts_bytes = 1000000000000000;

ALTER TABLE tracer_path_sums MODIFY SETTING
    max_suspicious_broken_parts = 1000000, max_suspicious_broken_parts_bytes = 1000000000000000;
