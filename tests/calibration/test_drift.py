"""Drift and fouling as documents: applied, left out, carried over to a review; driftR's and the Logan River's own."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nilometer import review
from nilometer.calibration.drift import Correction, correct
from nilometer.calibration.drift_line import short
from nilometer.errors import CalibrationError
from nilometer.review import Rows

HOUR = 3_600_000_000
TIMES = np.arange(12, dtype=np.int64) * HOUR


@st.composite
def documents(draw):
    start = draw(st.integers(0, 6))
    end = start + draw(st.integers(1, 6))
    gap = st.floats(-2, 2)
    times = [f"1970-01-01T{hour:02d}:00:00+00:00" for hour in range(13)]
    document = {"start": times[start], "end": times[end], "cause": draw(st.sampled_from(["drift", "fouling"]))}
    form = draw(st.sampled_from(["gap", "gap_percent", "points", "standards"]))
    document[form] = {
        "gap": draw(gap),
        "gap_percent": draw(gap),
        "points": [[times[start], draw(gap)], [times[end], draw(gap)]],
        "standards": [[4.0, 4.0 + draw(gap)], [10.0, 10.0 + draw(gap)]],
    }[form]
    if form == "standards":
        document["scheme"] = draw(st.sampled_from(["line", "driftr"]))
    document["shape"] = draw(st.sampled_from(["linear", "step"]))
    document["closed"] = draw(st.booleans())
    document["uncertainty"], document["start_uncertainty"] = draw(st.floats(0, 1)), draw(st.floats(0, 1))
    return document


@given(st.lists(documents(), max_size=4), st.integers(0, 3), st.integers(0, 2**32 - 1))
def test_a_correction_is_a_document_that_can_be_left_out_again(given_documents, out, seed):
    corrections = [Correction.from_document(json.loads(json.dumps(document))) for document in given_documents]
    assert [Correction.from_document(item.to_document()) for item in corrections] == corrections
    values = short(np.random.default_rng(seed).uniform(4, 10, len(TIMES)))
    kept = values.copy()
    spread = np.full(len(TIMES), 0.1)
    done = correct(values, corrections, time=TIMES, uncertainty=spread)
    assert (values == kept).all()
    # Undone: the same as if it had never been, wherever it stood.
    fewer = corrections[:out] + corrections[out + 1 :]
    again = correct(values, fewer, time=TIMES, uncertainty=spread)
    never = correct(kept, [item for k, item in enumerate(corrections) if k != out], time=TIMES, uncertainty=spread)
    assert (again.result == never.result).all()
    assert (correct(values, [], time=TIMES).result == kept).all()
    # A server's review, told the same by `step`, serves the same values.
    rows = Rows(
        id=TIMES,
        time=TIMES,
        result=values,
        uncertainty=spread,
        quality=np.ones(12, np.int8),
        numeric=np.ones(12, bool),
        water=np.ones(12, bool),
        place=np.zeros(12, np.int64),
    )
    served = review.apply(rows, [review.parse(*item.step(), number=k + 1) for k, item in enumerate(corrections)]).rows
    np.testing.assert_allclose(served.result, done.result, rtol=1e-9)
    if not any(item.standards or item.gap_percent for item in corrections):
        np.testing.assert_allclose(served.uncertainty, done.uncertainty, rtol=1e-9)


def test_the_uncertainty_of_a_correction_is_that_of_both_visits():
    rng = np.random.default_rng(3)
    n = 100_000
    item = Correction(start=0, end=8 * HOUR, gap=0.4, uncertainty=0.1, start_uncertainty=0.05)
    done = correct([8.0], [item], time=[2 * HOUR], uncertainty=[0.02])
    # Model: the error is e0 at the start and e1 at the end, straight between; e1 was found with 0.1.
    left, found = 0.05 * rng.standard_normal(n), 0.4 + 0.1 * rng.standard_normal(n)
    drawn = 8 + 0.02 * rng.standard_normal(n) + left * 0.75 + found * 0.25
    assert done.result == [pytest.approx(drawn.mean(), abs=1e-3)]
    assert done.uncertainty[0] == pytest.approx(drawn.std(), rel=0.01)
    percent = Correction(start=0, end=8 * HOUR, gap_percent=10, uncertainty=2, shape="step")
    done = correct([8.0], [percent], time=[0], uncertainty=[0.1])
    assert done.uncertainty[0] == pytest.approx(np.hypot(0.11, 0.16))


def test_a_step_comes_all_at_once_and_points_hold_from_their_dates():
    step = Correction(start=2 * HOUR, end=5 * HOUR, gap=1.0, shape="step")
    assert correct(np.zeros(7), [step], time=TIMES[:7]).result.tolist() == [0, 0, 1, 1, 1, 0, 0]
    points = Correction(start=HOUR, end=6 * HOUR, points=((3 * HOUR, 1.0), (5 * HOUR, 2.0)), shape="step")
    assert correct(np.zeros(7), [points], time=TIMES[:7]).result.tolist() == [0, 0, 0, 1, 1, 2, 0]


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"gap_percent": 3}, "exactly one of"),
        ({"gap": None}, "exactly one of"),
        ({"gap": float("nan")}, "finite"),
        ({"end": "1970-01-01T00:00:00Z"}, "ends before it starts"),
        ({"end": "1970-01-02T00:00:00"}, "no zone"),
        ({"shape": "curve"}, "shape = 'curve'"),
        ({"uncertainty": -1}, "uncertainty = -1.0"),
        ({"gap": None, "gap_percent": -100}, "above -100"),
        ({"gap": None, "points": [["1970-01-03T00:00:00Z", 1]]}, "must ascend, from start to end"),
        ({"gap": None, "standards": [[4, 5], [4, 6]]}, "both ascending"),
        ({"gap": None, "standards": 4}, "cannot be read"),
        ({"reason": "dirt"}, "'reason' is no key"),
    ],
)
def test_what_corrects_nothing_is_refused(change, part):
    document = {"start": "1970-01-01T00:00:00Z", "end": "1970-01-02T00:00:00Z", "gap": 0.1} | change
    with pytest.raises(CalibrationError, match=part):
        Correction.from_document({key: value for key, value in document.items() if value is not None})


@pytest.fixture(scope="module")
def sonde(real_data):
    folder = real_data / "water_quality" / "driftr"
    frame = pd.read_csv(folder / "sonde_corrected.csv.gz", thousands=",")
    return frame, pd.to_datetime(frame["dateTime"]), pd.read_csv(folder / "cal_values.csv").set_index("Parameter")


@pytest.mark.real
@pytest.mark.parametrize(
    ("column", "names", "published"),
    [
        ("SpCond", ["SpCond"], "SpCond_Corr"),
        ("Turbidity.", ["Turbidity"], "Turbidity_Corr"),
        ("DO", ["DO"], "DO_Corr"),
        ("pH", ["pH Low", "pH High"], "pH_Corr"),
        ("Chloride", ["Choride Low", "Chloride High"], "Chloride_Corr"),  # spelt so in the file
    ],
)
def test_the_sonde_of_driftr_is_corrected_as_published(sonde, column, names, published):
    frame, times, standards = sonde
    span = {"start": times.iloc[0].isoformat() + "Z", "end": times.iloc[-1].isoformat() + "Z", "closed": True}
    checks = [tuple(standards.loc[name, ["Cal Standard", "Cal Value"]]) for name in names]
    told = {"gap": checks[0][0] - checks[0][1]} if len(checks) == 1 else {"standards": checks, "scheme": "driftr"}
    item = Correction.from_document(span | told)
    done = correct(frame[column].to_numpy(float), [item], time=times)
    np.testing.assert_allclose(done.result, frame[published].to_numpy(), rtol=1e-11, atol=1e-11)
    assert len(done.result) == 1527


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "expected", "close"), [("cond", (4, 17544), 0.01), ("ph", (5, 14729), 0.001)], ids=["cond", "ph"]
)
def test_all_listed_spans_at_once_give_the_owners_drift_corrections(real_data, name, expected, close):
    """Every span that the owners list and that ends in 2019; where theirs differ, they corrected more than drift."""
    folder = real_data / "water_quality" / "lro"
    frame = pd.read_csv(folder / "MainStreet2019.csv.gz")
    times = pd.to_datetime(frame["datetime"])
    listed = pd.read_csv(folder / f"MainStreet_{name}_calib_dates.csv", skiprows=1, encoding="utf-8-sig")
    listed = listed[listed["end"] >= "2019"]
    corrections = [
        Correction.from_document({"start": f"{row.start}Z", "end": f"{row.end}Z", "gap": row.gap, "cause": "drift"})
        for row in listed.itertuples()
    ]
    raw = frame[name].where(frame[name] > -9000)
    theirs = frame[f"{name}_cor"].where(frame[f"{name}_cor"] > -9000)
    done = correct(raw.to_numpy(), corrections, time=times)
    inside = np.zeros(len(times), bool)
    for item in corrections:
        inside |= item.applies(times.astype("datetime64[us]").astype(np.int64).to_numpy())
    before, after = (raw - theirs)[inside].abs(), (done.result - theirs)[inside].abs()
    assert (len(corrections), inside.sum()) == expected
    # What is left stems from where exactly, by some readings, theirs let the line end.
    assert (after <= close).mean() > 0.998
    assert after.median() < before.median() / 1000
