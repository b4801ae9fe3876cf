"""Frames -> what a model eats, once: optical flow and strain in one memory-mapped store per data set."""
