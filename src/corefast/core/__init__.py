"""The business's own client: keys, sessions, messages and events of one number, served to fronts over the gateway.

Knows nothing of HTTP. Only `app` constructs things; everywhere else dependencies are arguments.
"""
