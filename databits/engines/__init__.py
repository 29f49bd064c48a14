"""Machine-learning engines that run inside the process: no account, no network, no GPU.

Each module loads its own heavy libraries, so import the one you need and nothing else.
"""
