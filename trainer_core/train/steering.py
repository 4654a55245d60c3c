"""What a person asks of a training at work: checkpoints, and changes of its plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from trainer_core import protocol
from trainer_core.errors import KnownError
from trainer_core.job import Job
from trainer_core.protocol.messages import name_of
from trainer_core.records import PlanChanged

if TYPE_CHECKING:
    from trainer_core.train.session import Session


class Orders:
    """What was asked since the last step, until it is carried out.

    Attributes:
        save: Whether a checkpoint is wanted.
        changes: Of the plan, and who asked for each; not answered yet.

    Args:
        job: Which gets the commands.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self.save = False
        self.changes: list[tuple[protocol.Peer, protocol.ChangePlan]] = []

    def take_in(self) -> None:
        """Look for new ones; never waits."""
        for peer, message in self._job.commands():
            if isinstance(message, protocol.ChangePlan):
                self.changes.append((peer, message))
            else:
                self.save = True

    def take_save(self) -> bool:
        """Whether a checkpoint was wanted; from now on it is not."""
        save, self.save = self.save, False
        return save


def carry_out_changes(session: Session) -> None:
    """Change the plan as it was asked for, on all ranks at this step.

    Each change is in the journal before it is answered, so that a training that is killed makes it
    again; one that makes no sense is refused.

    Raises:
        OSError: The journal cannot be written.
    """
    taken = _judged(session) if session.world.is_main else []
    told = session.world.told(msgspec.json.encode(taken))
    for change in msgspec.json.decode(told, type=list[PlanChanged]):
        session.plan = session.plan.changed(change)
    session.rhythm.set_end(session.plan.steps)


def _judged(session: Session) -> list[PlanChanged]:
    """The changes that make sense, recorded; everyone who asked is answered."""
    job, step, plan = session.job, session.state.step, session.plan
    asked, session.orders.changes = session.orders.changes, []
    taken = []
    for peer, message in asked:
        command = name_of(message)
        try:
            plan.check(step, message.lr, message.steps)
        except KnownError as error:
            job.server.send(
                peer,
                protocol.Refused(command=command, what=error.what, safe=error.safe, do=error.do),
            )
            continue
        change = PlanChanged(step=step, lr=message.lr, steps=message.steps, why=message.why)
        job.record(change)
        plan = plan.changed(change)
        taken.append(change)
        job.server.send(peer, protocol.Accepted(command=command))
    return taken
