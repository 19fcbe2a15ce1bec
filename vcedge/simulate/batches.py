"""Draws the set points of batches that follow a recipe, each with two passes.

Each batch is of one of two products, and the valve's opening shows which before the drive changes speed. Some minutes
later the second pass begins, with one opening for both products, and the speed of the first one. Only a detector that
remembers the first pass can predict this speed: no reading of the minutes between contains it.
"""

from __future__ import annotations

import numpy as np

from vcedge.schema import F64
from vcedge.simulate.set_points import STANDSTILL_S, SecondPass, SetPoints
from vcedge.simulate.signals import hold

REST_RPM, REST_PERCENT = 2300.0, 60.0
PRODUCTS = ((1800.0, 75.0), (2800.0, 90.0))
"""Speed of both passes and valve opening of the first one, for each product."""
SECOND_PERCENT = 82.0
LEAD_S = 20.0
"""The valve moves before the speed: an interlock."""
REST_S, PASS_S = (150.0, 300.0), (100.0, 200.0)
"""A rest exceeds the look-back of a forecaster with eight rows of ten seconds. It varies, so nothing can count it."""


def follow_recipe(rows: int, period_s: float, rng: np.random.Generator) -> SetPoints:
    """Draw the set points of a run of `rows` rows: standstill, then batch after batch.

    A longer run with the same generator begins with the same set points.
    """
    at_s = STANDSTILL_S
    speeds, valves = [(0, 0.0), (round(at_s / period_s), REST_RPM)], [(0, REST_PERCENT)]
    passes: list[SecondPass] = []
    while at_s < rows * period_s:
        product = int(rng.integers(len(PRODUCTS)))
        speed, opening = PRODUCTS[product]
        for percent in (opening, SECOND_PERCENT):
            at_s += rng.uniform(*REST_S)
            begin_s, last_s = at_s, at_s + LEAD_S + rng.uniform(*PASS_S)
            at_s = last_s + LEAD_S
            first, last = round((begin_s + LEAD_S) / period_s), round(at_s / period_s)
            valves += [(round(begin_s / period_s), percent), (round(last_s / period_s), REST_PERCENT)]
            speeds += [(first, speed), (last, REST_RPM)]
        other = PRODUCTS[1 - product][0]
        if last < rows:
            passes.append(SecondPass(round(begin_s / period_s), first, last, other))
    changes = tuple(sorted({row for row, _ in speeds[1:] + valves[1:] if row < rows}))
    return SetPoints(_staircase(speeds, rows), _staircase(valves, rows), changes, tuple(passes))


def _staircase(steps: list[tuple[int, float]], rows: int) -> F64:
    return hold([step for step in steps if step[0] < rows], rows)
