"""The optional compiled kernel of STSTNet."""
