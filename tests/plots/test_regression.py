import re

import numpy as np
import pandas as pd
import pytest

import metagrove as mg
from known import reference_json
from metagrove.core.errors import MethodError, UnknownName
from metagrove.plots.forest_source import forest
from metagrove.plots.funnel import funnel
from metagrove.plots.marks import Disc, Line
from metagrove.plots.regression import bubble


@pytest.fixture(scope="module")
def bcg():
    return pd.DataFrame(reference_json("meta/metareg_bcg.json")["data"])


def words(drawing):
    return re.findall(r"<text [^>]*>([^<]*)</text>", drawing.svg().decode())


def test_forest_of_one_mean(lawful, bcg):
    result = mg.rma("yi", "vi", data=bcg, slab="study")
    drawing = forest(result, "BMJ", ratio=True, effect="Risk ratio", columns={"Year": list(bcg.year)})
    for width in (None, 85, 180):
        lawful(drawing, width)
    text = words(drawing)
    assert "Risk ratio" in text and "Year" in text and "Random effects model" in text
    assert f"{np.exp(result.b[0]):.2f}" in text
    assert f"{100 * result.I2:.0f}%" in " ".join(text)
    rows = drawing.data()
    assert sum(row["weight"] for row in rows if row["kind"] == "study") == pytest.approx(100)
    assert rows[0]["estimate"] == pytest.approx(np.exp(bcg.yi[0]))
    lawful(result.forest())


def test_equal_effects_and_moderators_have_forests_too(lawful, bcg):
    common = forest(mg.rma("yi", "vi", data=bcg, method="EE"))
    lawful(common)
    assert "Equal effects model" in words(common)
    model = mg.rma("yi", "vi", mods="~ ablat + year", data=bcg)
    drawing = model.plot()
    lawful(drawing)
    assert any("The model has moderators" in word for word in words(drawing))


def test_bubbles_have_areas_like_weights_and_lie_around_the_line(lawful, bcg):
    model = mg.rma("yi", "vi", mods="~ ablat", data=bcg, slab="study")
    drawing = bubble(model, prediction=True)
    for width in (None, 85, 180):
        lawful(drawing, width)
    dots = [m for m in drawing.page().marks if isinstance(m, Disc)]
    weights = np.sort(model.weights())[::-1]
    areas = np.array([d.r**2 for d in dots])
    assert areas / areas[0] == pytest.approx(weights / weights[0])
    line = next(m for m in drawing.page().marks if isinstance(m, Line) and m.width == 1.4 and len(m.points) == 41)
    rise = (line.points[-1][1] - line.points[0][1]) / (line.points[-1][0] - line.points[0][0])
    order = np.argsort(-model.weights())
    left, right = (next(d for d, i in zip(dots, order, strict=True) if i == j) for j in (0, 7))
    slope = (right.y - left.y) / (right.x - left.x) * (bcg.ablat[7] - bcg.ablat[0]) / (bcg.yi[7] - bcg.yi[0])
    assert rise / slope == pytest.approx(model.b[1])
    assert model.plot().svg() == bubble(model).svg()


def test_the_moderator_is_named(bcg):
    model = mg.rma("yi", "vi", mods="~ ablat + year", data=bcg)
    with pytest.raises(MethodError, match="name one of ablat, year"):
        bubble(model)
    with pytest.raises(UnknownName, match="nearest: ablat"):
        bubble(model, "ablet")
    assert "The other moderators are held at their means." in words(bubble(model, "ablat"))
    with pytest.raises(MethodError, match="needs a moderator"):
        bubble(mg.rma("yi", "vi", data=bcg))


def test_funnels_of_models_and_of_trim_and_fill(lawful, bcg):
    result = mg.rma("yi", "vi", data=bcg, slab="study")
    lawful(funnel(result, ratio=True), 140)
    filled = result.trimfill()
    drawing = funnel(filled, ratio=True)
    lawful(drawing, 140)
    added = [row for row in drawing.data() if row["added"]]
    assert len(added) == filled.k0 >= 1
    hollow = [m for m in drawing.page().marks if isinstance(m, Disc) and m.fill == "#ffffff"]
    assert len(hollow) == filled.k0 + 1  # and one in the key
    with pytest.raises(MethodError, match="has moderators"):
        funnel(mg.rma("yi", "vi", mods="~ ablat", data=bcg))


def test_multilevel_models_have_a_forest(lawful):
    data = pd.DataFrame(reference_json("meta/mv_konstantopoulos2011.json")["data"])
    result = mg.rma_mv("yi", "vi", random="~ 1 | district/school", data=data)
    lawful(result.forest())
