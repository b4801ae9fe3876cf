"""The flow store: its files, its parameters, its resumable build."""
