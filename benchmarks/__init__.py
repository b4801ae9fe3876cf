"""What parts of mer_bench cost, measured on this machine."""
