"""A sweep on a cluster of Ray."""
