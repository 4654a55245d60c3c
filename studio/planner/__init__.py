"""What a training will take and reach, before it starts. Free of Qt; everything here is quick."""

from studio.planner.advice import Advice, Fix
from studio.planner.durations import Speed, TimeEstimate, TimeParts, time_of
from studio.planner.facts import (
    DataFacts,
    Machine,
    PastRun,
    Prices,
    ProbeFacts,
    Surroundings,
)
from studio.planner.losses import ExpectedLoss, LossModel
from studio.planner.memory import MemoryEstimate, estimate_memory
from studio.planner.plan import Plan, curve_of, expected_loss, loss_model, make_plan
from studio.planner.repairs import repair
from studio.planner.scaling import (
    CHINCHILLA_TOKENS_PER_PARAMETER,
    LAW,
    LAW_SOURCE,
    REPEATS_PAY_LITTLE_PASSES,
    REPEATS_SOURCE,
)
from studio.planner.sizes import SizeCurve
from studio.planner.solver import Solution, Solver
from studio.planner.speeds import estimate_time, speed_of
from studio.planner.spending import DiskEstimate, Energy, ValidationPlan

__all__ = [
    "CHINCHILLA_TOKENS_PER_PARAMETER",
    "LAW",
    "LAW_SOURCE",
    "REPEATS_PAY_LITTLE_PASSES",
    "REPEATS_SOURCE",
    "Advice",
    "DataFacts",
    "DiskEstimate",
    "Energy",
    "ExpectedLoss",
    "Fix",
    "LossModel",
    "Machine",
    "MemoryEstimate",
    "PastRun",
    "Plan",
    "Prices",
    "ProbeFacts",
    "SizeCurve",
    "Solution",
    "Solver",
    "Speed",
    "Surroundings",
    "TimeEstimate",
    "TimeParts",
    "ValidationPlan",
    "curve_of",
    "estimate_memory",
    "estimate_time",
    "expected_loss",
    "loss_model",
    "make_plan",
    "repair",
    "speed_of",
    "time_of",
]
