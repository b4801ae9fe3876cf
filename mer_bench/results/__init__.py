"""From scores to tables: the record of a run and the leaderboards made from records (never torch)."""
