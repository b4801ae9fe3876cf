"""From predictions to scores: pure functions of a prediction table (pandas, scikit-learn; never torch)."""
