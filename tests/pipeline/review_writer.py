"""A process that reviews as fast as it can while rows come and seals run, to be killed.

It says the number of each step that is acknowledged. Commits are small, so that a step takes several of them.
"""

from __future__ import annotations

import faulthandler
import random
import threading
import time

import numpy as np

from nilometer.errors import RequestError, ReviewRefused
from nilometer.pipeline import reviewing
from tests.pipeline.reviews import Reviewed

ROWS = 400
MINUTE = 60


class RealClock:
    def __call__(self):
        return time.time_ns() // 1000


def told(rng):
    return rng.choice(
        [
            ("offset", {"offset": 1.5}),
            ("drift", {"gap": 2.0}),
            ("flag", {"flag": "fail", "where": {"above": 3}}),
            ("delete", {"where": {"above": 4}}),
            ("interpolate", {"greatest_gap": 900}),
            ("retime", {"shift": 20}),
        ]
    )


def write(say, folder):
    """Review until killed."""
    faulthandler.dump_traceback_later(90, exit=True)  # whoever waits for a word is told where this hangs
    reviewing.MOST_ROWS_A_COMMIT = 70
    bench = Reviewed(folder, clock=RealClock(), datastreams=1)
    rng = random.Random(time.time_ns())

    def seal():
        while True:
            bench.store.save_state("qc", bench.store.sequence(), b"")
            bench.store.seal()

    threading.Thread(target=seal, daemon=True).start()
    while True:
        first = rng.randrange(ROWS)
        minutes = np.arange(first, min(first + 30, ROWS), rng.choice([1, 2]))
        bench.send(bench.ids[0], minutes * MINUTE, rng.random() * 5 + minutes % 3)
        start, end = sorted(rng.sample(range(ROWS), 2))
        action, parameters = told(rng)
        standing = [step.id for step in bench.store.catalog.reviews.active()]
        try:
            if len(standing) > 12 or (standing and rng.random() < 0.4):
                done = bench.orders.undo(rng.choice(standing), by="Wang")
            else:
                done = bench.order(action, start * MINUTE, end * MINUTE, parameters)
        except (RequestError, ReviewRefused):
            continue
        say(done.steps[0].id)
