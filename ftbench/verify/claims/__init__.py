"""What arithmetic can tell of bare scores: a table that somebody published, without a bundle behind it."""
