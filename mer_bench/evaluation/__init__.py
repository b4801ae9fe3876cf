"""From predictions to scores: pure functions of a prediction table (pandas, numpy; never torch)."""
