"""Acquisition: bytes on a wire or in a file become raw results.

A driver never calibrates, never flags, never stores.
"""
