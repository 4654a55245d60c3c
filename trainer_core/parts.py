"""Jobs that consist of jobs: each part in a folder of its own, and not done twice."""

from __future__ import annotations

from trainer_core.errors import KnownError
from trainer_core.job import Job
from trainer_core.records import ChildStarted
from trainer_core.spec import JobSpec, verb_of
from trainer_core.status import JobStatus, read_status


def run_part(job: Job, folder: str, name: str, spec: JobSpec) -> JobStatus:
    """Run one of a job's parts, unless an earlier session finished it.

    Args:
        job: The whole.
        folder: Of the part, within the job's.
        name: Of the part, for people.
        spec: What to do.

    Returns:
        The status of the finished part.

    Raises:
        JobStopped: A stop or pause was wanted of the whole.
        KnownError: The part failed, or paused of its own accord; the error is the part's.
    """
    job.check_stop()
    where = job.folder / folder
    job.record(ChildStarted(verb=verb_of(spec), name=name, folder=folder))
    status = read_status(where)
    if status.state != "finished":
        job.run_child(where, spec)
        job.check_stop()
        status = read_status(where)
    if status.state != "finished":
        raise _failure(status, name)
    return status


def _failure(status: JobStatus, name: str) -> KnownError:
    ended = status.ended
    if ended is None or not ended.what:
        return KnownError(
            f"The part `{name}` ended without a word.",
            safe="What was finished before is kept.",
            do="Start the same again; it goes on from there.",
        )
    return KnownError(ended.what, safe=ended.safe, do=ended.do, field=ended.field)
