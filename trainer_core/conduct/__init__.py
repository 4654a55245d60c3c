"""How a job behaves while it works: when it holds, that the computer stays awake, who is told.

What it minds stands in `trainer_core.manners`. Nothing in here imports torch.
"""
