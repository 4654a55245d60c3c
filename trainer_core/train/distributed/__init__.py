"""Several processes that train one model: who they are, how they start, and how they end."""

from trainer_core.train.distributed.world import NO_WISHES, Wishes, World

__all__ = ["NO_WISHES", "Wishes", "World"]
