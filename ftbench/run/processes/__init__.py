"""Processes of a run: started under guard, followed, limited, and ended whatever happens."""
