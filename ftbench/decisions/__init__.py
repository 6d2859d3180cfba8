"""What was decided about submissions: an append-only, hash-chained and signed record."""
