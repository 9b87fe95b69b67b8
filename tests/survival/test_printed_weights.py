"""Printed facts as evidence on the path: they never cost the curve, and each holds in point and draws."""

import numpy as np

import metagrove as mg


def test_a_rate_behind_the_last_death_leaves_the_marks_to_the_end():
    clicks = [[0, 1], [8.6, 0.905], [13.1, 0.816], [17.9, 0.717], [22.6, 0.613], [30.9, 0.494], [34, 0.367]]
    clicks += [[48, 0.188], [161.1, 0.187]]
    marks = [13.5, 28.2, 44.6, 161.1]
    alone = mg.reconstruct(clicks, n=11, marks=marks)
    printed = mg.reconstruct(clicks, n=11, marks=marks, rates={60: (0.184, 0.012, 0.525), 100: 0.184})
    assert printed.events == alone.events == 7
    np.testing.assert_allclose(printed.time, alone.time)
