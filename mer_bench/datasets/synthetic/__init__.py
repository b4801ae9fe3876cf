"""Synthetic raw trees: drawn faces, laid out as the owner of each data set ships it."""
