"""`corefast up`: all programs on one machine, as children that are watched.

It knows their command lines and ready lines, and nothing else of them.
"""
