import numpy as np
import pytest

from metagrove.figures.digitizing import figures_in
from metagrove.figures.files.svg import svg_page
from metagrove.figures.files.svg_style import declared, rules_of

HEAD = '<svg xmlns="http://www.w3.org/2000/svg" width="400" height="300" viewBox="0 0 400 300">'
STEPS = {"Drug": [(0, 1.0), (6, 0.9), (13, 0.7), (25, 0.45)], "Placebo": [(0, 1.0), (4, 0.8), (15, 0.5), (28, 0.2)]}
INKS = {"Drug": "#1b6ca8", "Placebo": "#c0392b"}


def page(body, style=""):
    return svg_page(f"{HEAD}<style>{style}</style>{body}</svg>".encode())


def words(body, style=""):
    return [(w.text, round(w.x0 / 0.75, 1), w.angle) for w in page(body, style).words]


def test_letters_with_places_of_their_own_make_words():
    body = '<text font-size="10"><tspan y="20" x="50 55.6 90 95.6 101.2">12 24</tspan></text>'
    assert words(body.replace("12 24", "12240")) == [("12", 50.0, 0), ("240", 90.0, 0)]
    body = '<text xml:space="preserve" font-size="10"><tspan y="20" x="50 56 62 65 71">No at</tspan></text>'
    assert [w[0] for w in words(body)] == ["No", "at"]
    exact = page(body).words[1]
    assert exact.x0 == pytest.approx(65 * 0.75)


def test_text_goes_on_where_the_text_before_it_ends():
    assert words('<text x="10" y="20">P <tspan font-style="italic">= 0.02</tspan> (log-rank)</text>') == [
        ("P = 0.02 (log-rank)", 10.0, 0)
    ]
    lines = '<text x="10" y="20">Number<tspan x="10" dy="12">at risk</tspan></text>'
    assert [w[0] for w in words(lines)] == ["Number", "at risk"]
    anchored = page('<text x="200" y="20" text-anchor="end" font-size="10">ab<tspan>cd</tspan></text>').words
    assert anchored[0].text == "abcd" and anchored[0].x1 == pytest.approx(150)


def test_white_space_between_lines_of_a_file_is_none():
    assert words('<text x="10" y="20">\n   Drug\n   A \n</text>') == [("Drug A", 10.0, 0)]


def test_rules_reach_only_what_their_selector_names():
    style = ".axis path {stroke: black} path.line {stroke: #00f} #one {stroke: #0f0} g > path.far {stroke: #f00}"
    drawn = page(
        '<g class="axis"><path d="M0 0H50"/></g><path class="line" d="M0 9H50"/><path id="one" class="line" d="M0 19H50"/>'
        '<path class="far" stroke="#777" d="M0 29H50"/><path stroke="#777" d="M0 39H50"/>',
        style,
    )
    assert [s.colour for s in drawn.strokes] == [(0, 0, 0), (0, 0, 255), (0, 255, 0), (119, 119, 119), (119, 119, 119)]


def test_states_and_queries_are_left_out():
    rules = rules_of(
        "@import 'x.css'; path:hover {stroke: red} @media print { .a { stroke: blue !important } } a[b] {c: d}"
    )
    assert [r.declared for r in rules] == [{"stroke": "blue"}]
    assert declared(rules, [type("Node", (), {"tag": "path", "attributes": {"class": "b"}})()]) == {}


def test_lengths_in_percent_and_units_are_measured():
    drawn = page(
        '<line x1="10%" y1="50%" x2="50%" y2="50%" stroke="black"/><rect x="1in" y="0" width="10mm" height="5"/>'
    )
    np.testing.assert_allclose(drawn.strokes[0].points / 0.75, [[40, 150], [200, 150]])
    np.testing.assert_allclose(drawn.strokes[1].box[0] / 0.75, 96)
    assert drawn.strokes[1].box[2] / 0.75 == pytest.approx(96 + 10 * 96 / 25.4)


def test_an_inner_drawing_is_fitted_into_its_place():
    drawn = page(
        '<svg x="100" y="50" width="200" height="100" viewBox="10 0 400 200"><path stroke="black" d="M10 0H410"/></svg>'
    )
    np.testing.assert_allclose(drawn.strokes[0].points / 0.75, [[100, 50], [300, 50]])


def figure(letters):
    """A small figure; `letters(text, x, y, anchor)` writes a word."""
    out = []
    for k, name in enumerate(STEPS):
        rows = [(60 + 9 * t, 240 - 200 * s) for t, s in STEPS[name]]
        path = f"M{rows[0][0]} {rows[0][1]}" + "".join(f"H{x}V{y}" for x, y in rows[1:]) + f"H{60 + 9 * (30 + k)}"
        out.append(f'<path class="curve" stroke="{INKS[name]}" d="{path}"/>')
        out.append(f'<path class="curve" stroke="{INKS[name]}" d="M240 {50 + 15 * k}h20"/>')
        out.append(letters(name, 266, 54 + 15 * k, "start"))
    marks = [(60 + 9 * t, 240, "v5", str(t), 0, 17, "middle") for t in (0, 12, 24, 36)]
    marks += [(60, 240 - 200 * s, "h-5", f"{s:.2f}", -7, 3, "end") for s in (0, 0.25, 0.5, 0.75, 1)]
    for x, y, line, text, right, down, anchor in marks:
        out += [f'<path class="tick" d="M{x} {y}{line}"/>', letters(text, x + right, y + down, anchor)]
    style = ".curve {fill: none; stroke-width: 2} .tick {stroke: black}"
    return f"{HEAD}<style>{style}</style>{''.join(out)}</svg>".encode()


def plain(text, x, y, anchor):
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-size="10">{text}</text>'


def letter_by_letter(text, x, y, anchor):
    left = x - 5.56 * len(text) * {"start": 0, "middle": 0.5, "end": 1}[anchor]
    xs = " ".join(f"{left + 5.56 * i:.3f}" for i in range(len(text)))
    return f'<text font-size="10"><tspan x="{xs}" y="{y}">{text}</tspan></text>'


def test_a_plot_beside_with_more_labels_keeps_its_own_scale():
    (content, beside) = (figure(plain).decode(), figure(plain).decode())
    inner = beside[beside.index("</style>") + 8 : beside.rindex("</svg>")]
    more = "".join(
        f'<path class="tick" d="M{60 + 9 * t} 240v5"/>' + plain(str(t), 60 + 9 * t, 257, "middle")
        for t in range(4, 36, 4)
        if t % 12
    )
    content = content.replace('viewBox="0 0 400 300"', 'viewBox="0 0 820 300"').replace('width="400"', 'width="820"')
    wide = content.replace("</svg>", f'<g transform="translate(420 0)">{inner}{more}</g></svg>')
    found = figures_in(wide.encode())
    assert [f.reading.status for f in found] == ["ok", "ok"]
    for figure_read in found:
        np.testing.assert_allclose(figure_read.reading.arm("Drug").time[:-1], [t for t, _ in STEPS["Drug"]], atol=1e-6)


@pytest.mark.parametrize("letters", [plain, letter_by_letter])
def test_a_figure_reads_the_same_however_its_text_is_placed(letters):
    (found,) = figures_in(figure(letters))
    assert found.reading.status == "ok", found.reading.reasons
    for name, steps in STEPS.items():
        arm = found.reading.arm(name)
        np.testing.assert_allclose(arm.time[:-1], [t for t, _ in steps], atol=1e-6)
        np.testing.assert_allclose(arm.survival[:-1], [s for _, s in steps], atol=1e-6)
