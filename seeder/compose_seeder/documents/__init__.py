"""What the text of a source says: JSON, lines, CSV, children, variables."""
