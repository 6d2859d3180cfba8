"""What runs at a participant's site: a SuperNode that stays, and runs only what the site allows."""
