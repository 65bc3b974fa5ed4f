-- How parts of the span tables are written and merged.
-- A block is written as a compact part: few files, half the cost. What is merged from several must be
-- wide: only wide parts are merged column by column, at half the cost of row by row. (A part is wide
-- only when it reaches both limits, so the one in bytes must not be in the way.)
-- Many small parts are merged at once rather than few at a time again and again: every span is
-- rewritten about twice on its way to a large part, not four times.
-- Exports are refused before the disk is really full: what analysis writes, merges and a clean stop
-- still have room then.
ALTER TABLE otel_traces MODIFY SETTING
    min_rows_for_wide_part = 98305, min_bytes_for_wide_part = 0,
    vertical_merge_algorithm_min_rows_to_activate = 98305,
    merge_selector_base = 12, min_parts_to_merge_at_once = 8,
    min_free_disk_bytes_to_perform_insert = 67108864;

ALTER TABLE otel_traces_trace_id_ts MODIFY SETTING
    merge_selector_base = 12, min_parts_to_merge_at_once = 8,
    min_free_disk_bytes_to_perform_insert = 67108864;

ALTER TABLE tracer_facts MODIFY SETTING merge_selector_base = 12, min_parts_to_merge_at_once = 8;
