"""Ways of dealing rows to clients, a module for each kind; `ftbench.data.partition` is their registry."""
