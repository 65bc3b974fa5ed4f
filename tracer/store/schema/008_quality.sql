-- What else is to be said of a root: spans whose clock was corrected, siblings that its critical path
-- passed by, spans of the trace whose parent still runs, is late or lost. Facts from before count none.
ALTER TABLE tracer_facts ADD COLUMN IF NOT EXISTS SkewedCount UInt32 DEFAULT 0 CODEC(ZSTD(1)) AFTER DroppedCount;
ALTER TABLE tracer_facts ADD COLUMN IF NOT EXISTS AmbiguousCount UInt32 DEFAULT 0 CODEC(ZSTD(1)) AFTER SkewedCount;
ALTER TABLE tracer_facts ADD COLUMN IF NOT EXISTS LateCount UInt32 DEFAULT 0 CODEC(ZSTD(1)) AFTER AmbiguousCount;
