"""The databases of benchmarks/store_peers.py, ours among them: each a private server in a folder that is deleted."""
