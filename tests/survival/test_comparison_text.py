import numpy as np
import pytest

from metagrove.core.errors import DataError
from metagrove.survival.evidence.comparison_text import p_of_text, ratio_of_text
from metagrove.survival.evidence.printed_comparison import printed_comparison


@pytest.mark.parametrize(
    "text",
    [
        "0.53 (0.17-1.69)", "0·53 (0·17–1·69)", "0.53 (0.17—1.69)", "0.53 (0.17−1.69)", "0.53 [0.17; 1.69]",
        "0.53, .17, 1.69", ".53 (.17-1.69)", "0.53 (0.17 to 1.69)", "0.53 (0.17, 1.69)", "0.53 (95% CI 0.17 to 1.69)",
        "0.53 (95% CI, 0.17 to 1.69)", "0.53 [95% CI: 0.17; 1.69]", "HR=0.53, 95%CI 0.17–1.69", "HR 0.53 (0.17 - 1.69)",
        "hazard ratio, 0.53; 95% CI, 0.17 to 1.69", "Hazard ratio (HR) 0.53 (CI 0.17-1.69)",
        "0.53 (95% confidence interval 0.17-1.69)", "0.53 (95 % confidence limits 0.17-1.69)",
        "0.53 (0.17 - 1.69); P=0.28", "0.53 (0.17-1.69; P = 0.28)", "0.53 (0.17-1.69), log-rank p<0.3", "0.53 (0.17-1.69) (p=0.28)",
        "0,53 (0,17-1,69)", "0,53 (0,17; 1,69)", "0,53 (95% CI 0,17 to 1,69)", "0,53 (0,17, 1,69)", "HR 0,53 [0,17–1,69]; p=0,28",
        "0.53\u00a0(0.17\u20111.69)",
    ],
)  # fmt: skip
def test_a_hazard_ratio_with_limits_is_read_as_journals_print_it(text):
    assert ratio_of_text(text) == (0.53, 0.17, 1.69)


@pytest.mark.parametrize(
    "text", ["0.53", "HR 0.53", "HR=0.53", "0,53", "0·53", "hazard ratio: 0.53", "0.53; P=0.28", ".53"]
)
def test_a_hazard_ratio_alone(text):
    assert ratio_of_text(text) == (0.53,)


@pytest.mark.parametrize(
    "text",
    [
        "0.53 (-0.17-1.69)", "-0.5", "−0.5", "0.7, 0.5", "53%", "0.53 (90% CI 0.2-1.4)", "0.53 (99 % CI 0.2-1.4)", "NR", "half",
        "2,5 (1,4)", "0,53,0,17,1,69", "0.53 (0.17-1.69-2)", "adjusted HR 0.53", "0.53 0.6", "",
    ],
)  # fmt: skip
def test_what_is_no_hazard_ratio_is_refused_in_one_line(text):
    with pytest.raises(DataError) as caught:
        ratio_of_text(text)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_share_is_no_ratio_with_limits_at_its_level():
    with pytest.raises(DataError, match="the hazard ratio is '53%'"):
        ratio_of_text("53%")


@pytest.mark.parametrize(
    ("text", "sign", "value"),
    [
        ("0.27", "=", 0.27), ("0·27", "=", 0.27), ("0,27", "=", 0.27), ("P=0.27", "=", 0.27), ("p value: .27", "=", 0.27),
        ("0.27 (two-sided)", "=", 0.27), ("log-rank p = 0.27", "=", 0.27), ("<0.001", "<", 0.001), ("p < 0.05", "<", 0.05),
        ("≤ 0.001", "<", 0.001), ("> 0.05", ">", 0.05), ("≥.05", ">", 0.05), ("NS", ">", 0.05), ("n.s.", ">", 0.05),
        ("not significant", ">", 0.05),
    ],
)  # fmt: skip
def test_a_p_is_read_as_journals_print_it(text, sign, value):
    assert p_of_text(text) == (sign, value)


@pytest.mark.parametrize("text", ["small", "-0.1", "0.03 (one-sided)", "27%", "0.2 0.3", ""])
def test_what_is_no_p_is_refused(text):
    with pytest.raises(DataError, match="a number between 0 and 1, or a bound"):
        p_of_text(text)


def test_a_p_above_a_bound_holds_all_smaller_z():
    window = printed_comparison(None, "NS").z
    assert window.low == 0
    assert window.high == pytest.approx(1.959964, abs=1e-6)
    assert window.excess(np.array([0.0, 1.9, 2.5])) == pytest.approx([0, 0, 0.540036], abs=1e-6)


@pytest.mark.parametrize(("p", "said"), [("p < 0.05", "<0.05"), (0.27, "0.27"), ("P=0,27", "0.27"), ("ns", ">0.05")])
def test_a_p_is_told_once(p, said):
    assert printed_comparison(None, p).told("log-rank p") == f"log-rank p {said}"
