"""The figures of this project: `python -m bench` lists them.

A figure of one function is a pytest-benchmark function in `bench_<module>.py`, named `<verb>_<case>`, which becomes
`<module>.<verb>_<case>`, or what it sets as `benchmark.extra_info["name"]`. Where one call does many operations,
`extra_info["messages"]` says how many, and the figure is for one; `extra_info["peer"]` names a foreign program. A
figure of running programs is a module of its own with `run(options) -> Iterator[Result]`, named in `figures.py`.
"""
