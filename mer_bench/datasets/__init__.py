"""Raw folders of a data set -> one annotation table (table.py); one reader per file."""
