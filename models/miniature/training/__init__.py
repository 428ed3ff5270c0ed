"""How the weights of the miniature are made: one recipe a file, each one command, each resumable.

Knows the film stage, the classes of the model and an optimiser. Does not know flows, tasks or stores: what it writes is
read by `models.loading` like the files of any other model.
"""
