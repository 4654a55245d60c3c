"""A training that waits by itself, as its manners say, and goes on as if nothing had been."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from trainer_core import records
from trainer_core.job import Wanted
from trainer_core.train.distributed import Wishes
from trainer_core.train.parking import Parked, park
from trainer_core.train.steering import carry_out_changes

if TYPE_CHECKING:
    from trainer_core.train.session import Session

POLL_S = 0.2
"""How often to look whether it is over, and at what is asked."""
RETRY_S = 10.0
"""How long to wait before a GPU without room is tried again."""
GPU_IS_FULL = "another program has the GPU's memory"


def hold(session: Session) -> Wanted:
    """Save, free the device, and wait until the conditions are over or somebody ends the training.

    All ranks hold together; rank 0's manners decide.

    Returns:
        Whether to end; then the work is saved.

    Raises:
        KnownError: The work could not be saved before the end, or a weight is no number.
    """
    step = session.state.step
    if step > 0 and session.saved_step != step:
        session.save("hold")
    session.saver.wait()
    is_unsaved = session.world.is_main and step > 0 and session.saved_step != step
    saved = not session.world.sum_(torch.tensor(int(is_unsaved)))
    # What could not be saved stays where it can be saved from.
    parked = _park(session) if saved else None
    session.job.state("waiting")
    began_s, told = time.monotonic(), ""
    try:
        while True:
            wanted, told = _wait(session, told)
            if wanted or _bring_back(session, parked):
                break
            told = _tell(session, GPU_IS_FULL, told)
            if wanted := _sleep(session, RETRY_S):
                break
    finally:
        seconds = time.monotonic() - began_s
        session.job.record(records.Released(step=step, seconds=seconds))
    if wanted and not saved:
        session.save(wanted)
    return wanted


def _wait(session: Session, told: str) -> tuple[Wanted, str]:
    """Until it is over or somebody wants an end; which, and the reason that was told last."""
    while True:
        reason = session.job.hold_reason
        session.orders.take_in()
        change = bool(session.orders.changes)
        mine = Wishes(session.job.wanted, hold=reason is not None, change=change)
        wishes = session.world.agree(mine, now=True)
        if wishes.change:
            carry_out_changes(session)
        if wishes.wanted or not wishes.hold:
            return wishes.wanted, told
        if reason is not None:
            told = _tell(session, reason.text, told)
        time.sleep(POLL_S)


def _sleep(session: Session, seconds: float) -> Wanted:
    """Wait for so long, or until somebody wants an end."""
    for _ in range(round(seconds / POLL_S)):
        if wanted := session.world.agree(Wishes(session.job.wanted), now=True).wanted:
            return wanted
        time.sleep(POLL_S)
    return ""


def _tell(session: Session, reason: str, told: str) -> str:
    if reason != told:
        session.job.record(records.Held(step=session.state.step, reason=reason))
    return reason


def _park(session: Session) -> Parked | None:
    """Free the device's memory."""
    device = session.compute.device
    if not is_worth_freeing(device):
        return None
    parked = park(_tensors(session), device)
    if parked is None:
        session.job.note(
            "warning",
            "The GPU's memory is not free",
            "There is no room for it in the computer's memory. The training waits all the same;"
            " pause it to free the GPU.",
            session.state.step,
        )
    return parked


def is_worth_freeing(device: torch.device) -> bool:
    """Whether anybody has use for the memory of this device; a processor's is paged out if so."""
    return device.type != "cpu"


def _bring_back(session: Session, parked: Parked | None) -> bool:
    """Put everything back, on all ranks or on none; whether it is there."""
    is_back = parked is None or parked.bring_back()
    if not session.world.sum_(torch.tensor(int(not is_back))):
        return True
    if is_back and parked is not None:
        parked.leave_again()
    return False


def _tensors(session: Session) -> list[Tensor]:
    model = session.model
    return [*model.parameters(), *model.buffers(), *session.optimizer.held()]
