"""Where things run: the entry points of services and the settings of work pools; thin adapters without logic.

Knows how to start Prefect's own programs. Does not know what a flow does.
"""
