"""The Flower app of a compiled benchmark: a server that keeps a ledger and clients that train an adapter.

These modules are copied unchanged into every compiled benchmark as the package `ftbench_app`; `plan.json` lies beside
them there. They import one another relatively and otherwise only flwr, torch, transformers, peft, safetensors, numpy,
rfc8785 and the standard library, so that a compiled benchmark works without ftbench.
"""
