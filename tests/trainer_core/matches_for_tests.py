"""Matches made by hand."""

from dataclasses import dataclass

import numpy as np
import torch

from trainer_core.data.matches import MatchTensors


def matched(following, length, second=None, count_bucket=None):
    """(B, T) tensors as a model takes them; without a second candidate where none is given."""
    none = torch.zeros_like(length)
    return MatchTensors(
        length=length,
        next=following,
        second=none if second is None else second,
        count_bucket=(length > 0).long() if count_bucket is None else count_bucket,
        has_second=torch.zeros_like(length, dtype=torch.bool)
        if second is None
        else torch.ones_like(length, dtype=torch.bool),
    )


@dataclass
class Features:
    """Features of a stream of which only the first candidate matters."""

    length: np.ndarray
    next: np.ndarray

    @property
    def second(self):
        return np.zeros_like(self.next)

    @property
    def count(self):
        return np.minimum(self.length, 1)

    @property
    def has_second(self):
        return np.zeros(self.length.shape, bool)

    def at(self, places):
        return Features(self.length[places], self.next[places])
