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


def reason_to_hold(session: Session) -> str | None:
    """Why to wait at this step, in words; None on ranks that have no say.

    A checkpoint that is due and has no room is waited for, at the last step as well: whoever frees
    some loses nothing.
    """
    step = session.state.step
    if not session.world.is_main:
        return None
    due = step >= session.steps or session.is_scheduled(step) or session.saver.has_failed
    if due and step != session.saved_step and (lack := session.disk.lack()) is not None:
        return lack
    reason = session.job.hold_reason if step < session.steps else None
    return None if reason is None else reason.text


def hold(session: Session) -> Wanted:
    """Save, free the device, and wait until the reason is over or somebody ends the training.

    All ranks hold together; rank 0 has the reasons. Whatever could not be saved before stays on the
    device, where it can be saved from.

    Returns:
        Whether to end. Then the device may have been left free: there is nothing to compute with.

    Raises:
        KnownError: A weight is no number.
    """
    saved = _save(session)
    parked = _park(session) if saved else None
    session.job.state("waiting")
    began_s, told = time.monotonic(), ""
    try:
        while True:
            wanted, told = _wait(session, told)
            if wanted or _bring_back(session, parked):
                return wanted
            told = _tell(session, GPU_IS_FULL, told)
            if wanted := _sleep(session, RETRY_S):
                return wanted
    finally:
        seconds = time.monotonic() - began_s
        session.job.record(records.Released(step=session.state.step, seconds=seconds))


def _save(session: Session) -> bool:
    """Save where there is anything to save and room for it; whether nothing can be lost now."""
    session.saver.wait()
    if not _any_rank(session, _is_unsaved(session)):
        return True
    if _any_rank(session, session.world.is_main and session.disk.lack() is not None):
        return False
    session.save("hold")
    return not _any_rank(session, _is_unsaved(session))


def _is_unsaved(session: Session) -> bool:
    step = session.state.step
    return session.world.is_main and step > 0 and session.saved_step != step


def _any_rank(session: Session, applies: bool) -> bool:
    return bool(session.world.sum_(torch.tensor(int(applies))))


def _wait(session: Session, told: str) -> tuple[Wanted, str]:
    """Until it is over or somebody wants an end; which, and the reason that was told last."""
    while True:
        reason = reason_to_hold(session)
        session.orders.take_in()
        change = bool(session.orders.changes)
        mine = Wishes(session.job.wanted, hold=reason is not None, change=change)
        wishes = session.world.agree(mine, now=True)
        if wishes.change:
            carry_out_changes(session)
        if wishes.wanted or not wishes.hold:
            return wishes.wanted, told
        if reason is not None:
            told = _tell(session, reason, told)
        time.sleep(POLL_S)


def _sleep(session: Session, seconds: float) -> Wanted:
    """Wait for so long, or until somebody wants an end."""
    for _ in range(round(seconds / POLL_S)):
        if wanted := session.world.agree_to_end(session.job.wanted):
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
    if not _any_rank(session, not is_back):
        return True
    if is_back and parked is not None:
        parked.leave_again()
    return False


def _tensors(session: Session) -> list[Tensor]:
    model = session.model
    return [*model.parameters(), *model.buffers(), *session.optimizer.held()]
