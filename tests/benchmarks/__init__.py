"""How fast, and how large? One script per question; `python -m tests.benchmarks` asks them all.

moons       a loss and its gradient in micrograd's own demo
gpt         a training step of a small GPT, written in single operations
operations  nanoseconds per operation, in a deep graph and in a wide one
memory      bytes per node
growth      does the time per node stay the same, however long the chain?
derivatives what do derivatives cost, compared with the function itself?
compiled    `compile` against NumPy, PyTorch, jax.jit, CasADi and micrograd

`pip install -e ".[bench]" torch` brings all peers; one that is missing is a row that says
so. AUTOGRAD_ENGINE_BACKEND=python|native chooses our engine. Times are never asserted: a benchmark
fails only when two engines disagree about a gradient.
"""
