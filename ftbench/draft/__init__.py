"""First drafts: a spec from somebody's two files, an entry from a spec. What was guessed is said, and why."""
