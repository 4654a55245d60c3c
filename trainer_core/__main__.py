"""`hearth-core`: start, watch and steer jobs from a terminal."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from trainer_core import __version__, protocol
from trainer_core import spec as specs
from trainer_core.answers.options import add_questions
from trainer_core.data.lab.options import add_tokenizers
from trainer_core.data.preview.options import add_preview
from trainer_core.errors import ExitCode, KnownError
from trainer_core.job import run_job
from trainer_core.rule_tasks import RULE_TASKS
from trainer_core.spawn import process_of
from trainer_core.status import JobStatus, read_status
from trainer_core.train.probe.options import add_probe
from trainer_core.training_plan import note_of

GOMP_SPINS = "20000"
"""How long OpenMP threads spin before they sleep; torch reads it when it is imported.

Its default of some milliseconds makes a step several times slower as soon as another program wants
a core; with this one an idle computer is as fast and a busy one is not lost.
"""

TORCH_LOG_LEVEL = "ERROR"
"""What torch's own code says less urgently about its connections, nobody can act upon."""

_CHANGE_S = 60.0
"""A running training answers between two steps."""

Command = Callable[[argparse.Namespace], ExitCode]


def _run(args: argparse.Namespace) -> ExitCode:
    """Run the job of a folder, or go on with it."""
    return run_job(args.folder)


def _start(args: argparse.Namespace) -> ExitCode:
    """Begin a job from a TOML file in a new folder and follow it in the terminal."""
    from trainer_core.terminal import follow

    spec = specs.load(args.spec)
    return follow(args.folder, spec)


def _resume(args: argparse.Namespace) -> ExitCode:
    """Go on with the job of a folder and follow it in the terminal."""
    from trainer_core.terminal import follow

    return follow(args.folder, None)


def _join(args: argparse.Namespace) -> ExitCode:
    """Lend this machine to a training that was started on another one."""
    from trainer_core.train.distributed.joining import join

    return join(args.address, args.machine, args.corpus, args.index)


def _tour(args: argparse.Namespace) -> ExitCode:
    """Take the tour in the terminal."""
    from trainer_core.tour.terminal import take_tour

    spec = specs.convert(
        {
            "budget_s": args.minutes * 60.0,
            "steps": args.steps,
            "max_bytes": args.megabytes * 1_000_000,
            "seed": args.seed,
        },
        specs.TourSpec,
        "the tour's options",
    )
    return take_tour(args.folder, spec)


def _rules(args: argparse.Namespace) -> ExitCode:
    """Train on a rule task and score it."""
    from trainer_core.rules.terminal import run_rules

    return run_rules(args)


def _status(args: argparse.Namespace) -> ExitCode:
    """Say what a folder's job does."""
    if not args.folder.is_dir():
        raise KnownError(
            f"{args.folder} is not a job folder.", safe="Nothing was changed.", do="Check the path."
        )
    status = read_status(args.folder)
    print(json.dumps(_plain(status), indent=2) if args.json else _sentence(status))
    return ExitCode.OK


def _plain(status: JobStatus) -> dict[str, object]:
    """The status as JSON values; not-a-number becomes null, which JSON has."""
    plain: dict[str, object] = msgspec.json.decode(msgspec.json.encode(status))
    plain["resumable"] = status.resumable
    return plain


def _sentence(status: JobStatus) -> str:
    parts = [f"{status.verb or 'unknown job'}: {status.state}"]
    if status.alive:
        parts.append(f"process {status.pid}")
    if status.held and not status.ended:
        parts.append(status.held.reason)
    if status.progress and not status.ended:
        p = status.progress
        parts.append(f"{p.phase} {p.done:,.0f} of {p.total:,.0f} {p.unit}".rstrip())
    if status.validations:
        last = status.validations[-1]
        parts.append(f"validation loss {last.loss:.4f} at step {last.step:,}")
    if status.ended and status.ended.what:
        parts.append(f"{status.ended.what} {status.ended.safe} {status.ended.do}".rstrip())
    if status.resumable:
        parts.append("can be resumed")
    return "; ".join(parts)


def _command(message: protocol.Message) -> Command:
    def send(args: argparse.Namespace) -> ExitCode:
        protocol.send_command(args.folder, message)
        return ExitCode.OK

    return send


def _change(args: argparse.Namespace) -> ExitCode:
    """Change the plan of a training, at work or at rest."""
    from trainer_core.train.at_rest import change

    if process_of(args.folder) is not None:
        wanted = specs.convert(
            {"lr": args.lr, "steps": args.steps, "why": note_of(args.why)},
            protocol.ChangePlan,
            "the change",
        )
        protocol.send_command(args.folder, wanted, _CHANGE_S)
        return ExitCode.OK
    made = change(args.folder, args.lr, args.steps, args.why)
    print(f"The change holds from step {made.step:,} on.")
    return ExitCode.OK


def _rewind(args: argparse.Namespace) -> ExitCode:
    """Take a training at rest back to a checkpoint."""
    from trainer_core.train.at_rest import rewind

    gone = rewind(args.folder, args.to, args.skip)
    print(f"Back at step {args.to:,}; {len(gone):,} later checkpoints were removed.")
    return ExitCode.OK


def _sample(args: argparse.Namespace) -> ExitCode:
    """Let a trained model continue a prompt."""
    from trainer_core.generate.terminal import sample

    return sample(args)


def _template(args: argparse.Namespace) -> ExitCode:
    """Print a spec with every setting at its default."""
    print(specs.to_toml(_TEMPLATES[args.verb]), end="")
    return ExitCode.OK


_TEMPLATES: dict[str, specs.Section] = {
    "preview": specs.PreviewSpec(source=specs.PythonLibrary()),
    "tokenizers": specs.TokenizersSpec(
        source=specs.PythonLibrary(), candidates=(specs.BpeTokenizer(), specs.ByteTokenizer())
    ),
    "prepare": specs.PrepareSpec(source=specs.PythonLibrary()),
    "inspect": specs.InspectSpec(corpus="data/corpus"),
    "dump": specs.DumpSpec(corpus="data/corpus", output="text"),
    "index": specs.IndexSpec(corpus="data/corpus"),
    "lookup": specs.LookupSpec(index="index", text="Once upon a time"),
    "duplicates": specs.DuplicatesSpec(index="index"),
    "contamination": specs.ContaminationSpec(index="index"),
    "value": specs.ValueSpec(index="index"),
    "probe": specs.ProbeSpec(),
    "train": specs.TrainSpec(corpus="data/corpus"),
    "evaluate": specs.EvaluateSpec(run="run"),
    "generate": specs.GenerateSpec(run="run"),
    "export": specs.ExportSpec(run="run", destination="model"),
    "tour": specs.TourSpec(),
    "rules": specs.RulesSpec(task="simple_dummy2"),
    "queue": specs.QueueSpec(),
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="hearth-core", description=__doc__)
    parser.add_argument("--version", action="version", version=f"hearth-core {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, function: Command, help_text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=help_text, description=help_text)
        sub.set_defaults(function=function)
        return sub

    def add_folder(name: str, function: Command, help_text: str) -> argparse.ArgumentParser:
        sub = add(name, function, help_text)
        sub.add_argument("folder", type=Path, help="the job folder")
        return sub

    start = add("start", _start, "begin the job of a TOML file in a new folder and follow it")
    start.add_argument("spec", type=Path, help="the settings; `hearth-core template` prints them")
    start.add_argument("folder", type=Path, help="the new job folder")
    add_folder("run", _run, "run a folder's job quietly, as the studio does")
    add_folder("resume", _resume, "go on with a folder's job and follow it")
    add_folder("status", _status, "say what a job does").add_argument(
        "--json", action="store_true", help="print everything as JSON"
    )
    add_folder("pause", _command(protocol.Pause()), "save, free the memory, end; resume goes on")
    add_folder("stop", _command(protocol.Stop()), "save and end")
    _add_change(add_folder("change", _change, "change a training's learning rate or end"))
    _add_rewind(add_folder("rewind", _rewind, "take a training at rest back to a checkpoint"))
    add_folder("checkpoint", _command(protocol.CheckpointNow()), "save a checkpoint and go on")
    _add_join(add("join", _join, "lend this machine to a training that runs on several"))
    template = add("template", _template, "print a verb's settings as TOML")
    template.add_argument("verb", choices=sorted(_TEMPLATES))
    add_preview(add)
    add_tokenizers(add)
    add_questions(add)
    add_probe(add)
    _add_tour(add("tour", _tour, "the whole main job on this computer's Python library"))
    _add_rules(add("rules", _rules, "train on a rule task and score how far it is learned"))
    _add_sample(add("sample", _sample, "let a trained model continue a prompt"))
    return parser


def _add_change(change: argparse.ArgumentParser) -> None:
    change.add_argument("--lr", type=float, help="new peak of the learning rate, from now on")
    change.add_argument(
        "--steps", type=int, help="new length; a later one lets a finished training go on"
    )
    change.add_argument("--why", default="", help="a note for the run's record")


def _add_rewind(rewind: argparse.ArgumentParser) -> None:
    rewind.add_argument("--to", type=int, required=True, metavar="STEP", help="of the checkpoint")
    rewind.add_argument(
        "--skip",
        type=_steps_of,
        metavar="STEP[-STEP]",
        help="leave out the batches of these steps from now on, such as one that made a spike",
    )


def _steps_of(text: str) -> tuple[int, int]:
    """First and last step of `120` or `120-124`."""
    first, _, last = text.partition("-")
    if not (first.isdecimal() and (last or first).isdecimal()):
        raise argparse.ArgumentTypeError(f"“{text}” is no step and no range such as 120-124")
    return int(first), int(last or first)


def _add_join(join: argparse.ArgumentParser) -> None:
    join.add_argument("address", metavar="HOST:PORT", help="as the main machine shows it")
    join.add_argument("--machine", type=int, required=True, help="number of this one, from 2")
    join.add_argument("--corpus", default="", help="the corpus folder, where it is elsewhere here")
    join.add_argument("--index", default="", help="the index folder, where it is elsewhere here")


def _add_tour(tour: argparse.ArgumentParser) -> None:
    default = specs.TourSpec()
    tour.add_argument("folder", type=Path, nargs="?", default=Path("hearth-tour"))
    tour.add_argument("--minutes", type=float, default=default.budget_s / 60.0)
    tour.add_argument(
        "--steps", type=int, default=default.steps, help="steps per model; 0 fits the minutes"
    )
    tour.add_argument("--megabytes", type=int, default=default.max_bytes // 1_000_000)
    tour.add_argument("--seed", type=int, default=default.seed)


def _add_rules(rules: argparse.ArgumentParser) -> None:
    default = specs.RulesSpec(task="simple_dummy2")
    rules.add_argument("task", nargs="?", default="", help=", ".join(sorted(RULE_TASKS)))
    rules.add_argument("folder", type=Path, nargs="?", help="default: hearth-rules-TASK")
    rules.add_argument("--own", type=Path, metavar="FILE", help="rules of one's own, no task")
    rules.add_argument("--steps", type=int, default=default.steps, help="0: as many as will do")
    rules.add_argument("--lines", type=int, default=default.lines, help="0: as the task has")
    rules.add_argument("--threads", type=int, default=default.threads, help="0: one per core")
    rules.add_argument("--seed", type=int, default=default.seed)


def _add_sample(sample: argparse.ArgumentParser) -> None:
    default = protocol.Generate(request=0, prompt="")
    sample.add_argument("run", type=Path, help="the job folder of the training")
    sample.add_argument("--prompt", default="", help="text to continue")
    sample.add_argument("--checkpoint", default="best", help="best, last or a step")
    sample.add_argument("--max-tokens", type=int, default=default.max_tokens)
    sample.add_argument("--temperature", type=float, default=default.temperature)
    sample.add_argument("--top-k", type=int, default=default.top_k)
    sample.add_argument("--top-p", type=float, default=default.top_p)
    sample.add_argument("--min-p", type=float, default=default.min_p)
    sample.add_argument("--seed", type=int, default=default.seed)
    sample.add_argument("--no-index", action="store_true", help="let the model write alone")
    sample.add_argument("--json", action="store_true", help="print every token's figures as JSON")


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command line and return its exit code."""
    os.environ.setdefault("GOMP_SPINCOUNT", GOMP_SPINS)
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", TORCH_LOG_LEVEL)
    args = _parser().parse_args(arguments)
    try:
        return int(args.function(args))
    except KnownError as error:
        for line in (error.what, error.safe, error.do):
            if line:
                print(line, file=sys.stderr)
        return int(error.exit_code)
    except BrokenPipeError:  # the reader of our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitCode.OK)


if __name__ == "__main__":
    sys.exit(main())
