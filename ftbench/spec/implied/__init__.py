"""What a spec implies: bytes of a round, what privacy costs, which faults strike.

Shared by estimate, checks and verifier. So where the verifier says that it counts for itself, it is independent of the
app and of whoever submits, which compute the same with code of their own; it is not independent of ftbench's estimate.
"""
