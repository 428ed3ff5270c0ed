"""Order: what happens to a scene, step by step, and where its settings come from.

Knows the order of the tasks and the environment. Does not know how a picture is computed or kept.
"""
