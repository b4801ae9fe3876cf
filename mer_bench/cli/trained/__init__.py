"""The commands on one trained network: make it, use it, look into it."""
