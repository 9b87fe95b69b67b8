"""Questions to a fitted model, as methods and as functions, on every kind of result."""

import numpy as np
import pytest

import metagrove as mg

Y, SE = np.array([0.1, 0.5, 0.9, 0.2, -0.3]), np.array([0.2, 0.3, 0.25, 0.1, 0.4])
CLUSTER = [1, 1, 2, 3, 4]
QUESTIONS = ["predict", "confint", "blup", "ranef", "weights", "rstandard", "rstudent", "hatvalues"]


@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.parametrize(("interval", "test"), [("classic", "z"), ("HK", "knha")])
def test_a_meta_analysis_answers_as_the_model_behind_it(name, interval, test):
    meta = mg.metagen(Y, SE, method_random_ci=interval)
    model = mg.rma(Y, sei=SE, test=test, slab=meta.studlab)
    wanted = str(getattr(mg, name)(model))
    assert str(getattr(meta, name)()) == str(getattr(mg, name)(meta)) == wanted


def test_the_model_behind_is_the_estimate_shown():
    meta = mg.metabin([2, 5, 9], [20, 30, 40], [5, 9, 8], [21, 28, 41], method_tau="DL")
    found = mg.predict(meta)
    assert (found.pred[0], found.se[0]) == pytest.approx((meta.TE_random, meta.seTE_random), rel=1e-12)
    common = mg.metagen(Y, SE, random=False)
    assert mg.predict(common).pred[0] == pytest.approx(common.TE_common, rel=1e-12)


def test_clusters_of_a_meta_analysis():
    meta = mg.metagen(Y, SE)
    wanted = mg.rma(Y, sei=SE).robust(CLUSTER)
    for found in (meta.robust(CLUSTER), mg.robust(meta, CLUSTER)):
        assert (found.se[0], found.pval[0]) == pytest.approx((wanted.se[0], wanted.pval[0]), rel=1e-12)


def test_a_filled_funnel_answers_through_its_model():
    filled = mg.rma(Y, sei=SE).trimfill()
    assert mg.predict(filled).pred[0] == filled.fit.b[0]


def test_what_a_result_cannot_answer_is_refused_by_name():
    proportions = mg.metaprop([1, 2, 3], [10, 12, 14])
    with pytest.raises(mg.MethodError, match="inverse variance"):
        proportions.weights()
    counts = mg.rma_mh(ai=[1, 2, 3], n1i=[10, 10, 9], ci=[2, 2, 2], n2i=[11, 11, 11])
    assert mg.weights(counts).sum() == pytest.approx(100)
    with pytest.raises(mg.MethodError, match="no cluster-robust"):
        mg.robust(counts, [1, 2, 3])
    with pytest.raises(mg.MethodError, match="no blup"):
        mg.blup(counts)
    with pytest.raises(mg.MethodError, match="no 'KR' intervals"):
        mg.metagen(Y, SE, method_random_ci="KR").predict()
