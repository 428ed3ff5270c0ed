"""Policy: what is one unit of work, when it is tried again, what it may cost, and what is written down.

The only place where models meet storage. Does not know the order of the work nor the environment.
"""
