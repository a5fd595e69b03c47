"""The core's tables: small stores in verbs, the SQL above each.

What is secret (keys, sessions, bodies, names, URLs) is sealed before it gets here or sealed here; numbers and times
are in clear. A store that takes a `Unit` only adds to it; the caller commits.
"""
