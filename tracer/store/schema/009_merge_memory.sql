-- Memory of merges: it grows with the parts merged at once and with the block read of each.
-- While few threads were free the engine allowed only small merges, so small parts piled up and were
-- then merged by the dozens; a merge of any size may begin as long as one thread is free.
ALTER TABLE otel_traces MODIFY SETTING
    max_parts_to_merge_at_once = 16, merge_max_block_size_bytes = 2097152,
    number_of_free_entries_in_pool_to_lower_max_size_of_merge = 1;

ALTER TABLE otel_traces_trace_id_ts MODIFY SETTING
    max_parts_to_merge_at_once = 16, merge_max_block_size_bytes = 2097152,
    number_of_free_entries_in_pool_to_lower_max_size_of_merge = 1;

ALTER TABLE tracer_facts MODIFY SETTING
    max_parts_to_merge_at_once = 16, merge_max_block_size_bytes = 2097152,
    number_of_free_entries_in_pool_to_lower_max_size_of_merge = 1;
