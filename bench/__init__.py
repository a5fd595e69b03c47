"""The figures of this project: `python -m bench` lists them.

A figure of one function is a pytest-benchmark test in `bench_<module>.py`, named `bench_<noun>_<verb>`, which becomes
`<noun>.<verb>` in the results (`bench_session_encrypt` → `session.encrypt`); `benchmark.extra_info["per_call"]` says
how many operations one call does, where that is not one. A figure of running programs is a module of its own with
`run(options) -> Iterator[Result]`, named in `figures.py`.
"""
