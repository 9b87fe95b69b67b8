"""`rcalc` and `matreg` with metafor's arguments, against metafor 3.8."""

import numpy as np
import pandas as pd
import pytest

import metagrove as mg
from metagrove.core.errors import DataError, MethodError, UnknownName

# studies 1, 3 and 6 of dat.craft2003
CRAFT = {
    "ri": [-0.55, -0.48, 0.66, 0.47, -0.38, -0.46, 0.53, -0.12, 0.03, 0.52, -0.48, -0.4, 0.44, 0.46, np.nan, 0.67,
           np.nan, np.nan],
    "var1": ["acog", "asom", "conf", "acog", "acog", "asom"] * 3,
    "var2": ["perf", "perf", "perf", "asom", "conf", "conf"] * 3,
    "ni": [142] * 6 + [37] * 6 + [16] * 6,
    "study": [1] * 6 + [3] * 6 + [6] * 6,
}  # fmt: skip
R = np.array([[1, 0.5, 0.4, 0.3], [0.5, 1, 0.2, 0.1], [0.4, 0.2, 1, 0.35], [0.3, 0.1, 0.35, 1]])


def test_covariances_of_correlations():
    found = mg.rcalc("ri ~ var1 + var2 | study", "ni", CRAFT)
    first = [0.0034503989, 0.0013265149, -0.0005545798, -0.0013967848, 0.0025018954, 0.0009322372]
    assert list(found.V[0, :6]) == pytest.approx(first, abs=1e-10)
    assert found.V[5, 3] == pytest.approx(-0.0012050560, abs=1e-10)
    assert found.V[0, 6] == 0 and found.yi.size == 15 and found.pair[0] == "acog.perf"
    z = mg.rcalc("ri ~ var1 + var2 | study", "ni", CRAFT, rtoz=True)
    third = [-0.001429016134, -0.002223583191, 0.007194244604, 0.001335932542, -0.003221919330, -0.002437520678]
    assert list(z.V[2, :6]) == pytest.approx(third, rel=1e-9)
    assert z.yi[0] == pytest.approx(np.arctanh(-0.55))
    assert list(z.dat.columns) == ["id", "var1", "var2", "var1.var2", "yi", "ni"]
    fit = mg.rma_mv("yi", z.V, mods="~ 0 + factor(pair)", random="~ pair | id", struct="CS",
                    data={"yi": z.yi, "pair": z.pair, "id": z.id})  # fmt: skip
    assert fit.p == 6 and np.isfinite(fit.se).all()


def test_covariances_that_cannot_be_known_are_refused():
    one = {"r": [0.5, 0.3], "a": ["x", "x"], "b": ["y", "z"], "n": [50, 60]}
    with pytest.raises(DataError, match="study 1: a covariance needs correlations"):
        mg.rcalc("r ~ a + b", "n", one)
    full = {"r": [0.5, 0.3, 0.2], "a": ["x", "x", "y"], "b": ["y", "z", "z"], "n": [50, 60, 70]}
    sizes = [mg.rcalc("r ~ a + b", "n", full, nfun=rule).ni[0] for rule in ("min", "harmonic", "mean")]
    assert sizes == pytest.approx([50, 3 / (1 / 50 + 1 / 60 + 1 / 70), 60])
    with pytest.raises(DataError, match="given twice"):
        mg.rcalc("r ~ a + b", "n", {"r": [0.5, 0.3], "a": ["x", "y"], "b": ["y", "x"], "n": [50, 50]})
    with pytest.raises(DataError, match="-1 and 1"):
        mg.rcalc("r ~ a + b", "n", {"r": [1.5], "a": ["x"], "b": ["y"], "n": [50]})
    with pytest.raises(DataError, match="at least five"):
        mg.rcalc("r ~ a + b", "n", {"r": [0.5], "a": ["x"], "b": ["y"], "n": [4]})
    with pytest.raises(DataError, match="of the form"):
        mg.rcalc("r ~ a", "n", full)
    with pytest.raises(UnknownName, match="harmonic"):
        mg.rcalc("r ~ a + b", "n", full, nfun="max")


def test_simulated_correlations_vary_as_their_covariance_says():
    rng, n = np.random.default_rng(1), 80
    root = np.linalg.cholesky(R[:3, :3])
    drawn = []
    for _ in range(4000):
        c = np.corrcoef(root @ rng.standard_normal((3, n)))
        drawn.append([c[0, 1], c[0, 2], c[1, 2]])
    table = {"r": [R[0, 1], R[0, 2], R[1, 2]], "a": ["x", "x", "y"], "b": ["y", "z", "z"], "n": [n] * 3}
    assert np.cov(np.array(drawn).T) == pytest.approx(mg.rcalc("r ~ a + b", "n", table).V, abs=6e-4)


def test_regression_from_one_sample_s_matrix():
    fit = mg.matreg(1, [2, 3, 4], R, n=100)
    assert list(fit.b) == pytest.approx([0.4322638146, 0.2549019608, 0.1675579323], rel=1e-9)
    assert list(fit.se) == pytest.approx([0.08240345540, 0.08752647897, 0.08619011837], rel=1e-9)
    assert fit.pval[2] == pytest.approx(5.478677249e-02, rel=1e-8) and fit.dfs[0] == 97
    S = pd.DataFrame([[4, 1, 0.8], [1, 2, 0.3], [0.8, 0.3, 3]], columns=["y", "a", "b"])
    raw = mg.matreg("y", ["a", "b"], S, n=50, cov=True, means=[10, 5, 3])
    assert list(raw.b) == pytest.approx([7.0050761421, 0.4670050761, 0.2199661591], rel=1e-9)
    assert list(raw.se) == pytest.approx([1.0417242231, 0.1904123230, 0.1554710107], rel=1e-9)
    assert raw.coef_names == ("intrcpt", "a", "b") and raw.dfs[0] == 47
    assert list(mg.matreg(1, [2, 3], S.to_numpy(), n=50, cov=True).se) == pytest.approx(list(raw.se[1:]))


def test_regression_is_that_of_the_people_behind_the_matrix():
    rng = np.random.default_rng(2)
    data = rng.standard_normal((60, 3)) @ np.linalg.cholesky(R[:3, :3]).T + [1.0, 2.0, 3.0]
    X = np.column_stack([np.ones(60), data[:, 1:]])
    b = np.linalg.lstsq(X, data[:, 0], rcond=None)[0]
    resid = data[:, 0] - X @ b
    se = np.sqrt(np.diag(np.linalg.inv(X.T @ X)) * (resid @ resid) / 57)
    fit = mg.matreg(1, [2, 3], np.cov(data.T), n=60, cov=True, means=data.mean(axis=0))
    assert list(fit.b) == pytest.approx(list(b)) and list(fit.se) == pytest.approx(list(se))


def test_regression_from_pooled_correlations():
    V = np.diag([0.01, 0.012, 0.009, 0.008, 0.011, 0.013])
    V[0, 1] = V[1, 0] = 0.002
    fit = mg.matreg(1, [2, 3, 4], R, V=V)
    assert list(fit.se) == pytest.approx([0.1053240004, 0.1403933838, 0.1309646202], rel=1e-9)
    z = mg.matreg(1, [2, 3, 4], R, V=V, ztor=True)
    assert list(z.b) == pytest.approx([0.3969491880, 0.2445940741, 0.1694740181], rel=1e-9)
    assert list(z.se) == pytest.approx([0.08393075291, 0.11954846435, 0.11671462968], rel=1e-9)
    assert "Becker" in str(z.explain())
    with pytest.raises(DataError, match="one of the two"):
        mg.matreg(1, [2], R)
    with pytest.raises(MethodError, match="inverted"):
        mg.matreg(1, [2, 3], np.array([[1, 0.5, 0.5], [0.5, 1, 1], [0.5, 1, 1]]), n=50)
    with pytest.raises(DataError, match="not the outcome"):
        mg.matreg(1, [1, 2], R, n=50)
    with pytest.raises(DataError, match=r"\(6, 6\)"):
        mg.matreg(1, [2], R, V=np.eye(3))
