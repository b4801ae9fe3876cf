"""One network trained on everybody, and its use on new clips."""
