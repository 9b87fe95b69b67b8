"""The papers behind the ways of rebuilding patients."""

from __future__ import annotations

__all__ = ["EFRON", "GODSILL", "GUYOT", "HESTERBERG", "LIU", "PATHS"]

PATHS = (
    "Kaplan EL, Meier P. Nonparametric estimation from incomplete observations. J Am Stat Assoc 1958;53:457-481. "
    "doi:10.1080/01621459.1958.10501452"
)
GUYOT = (
    "Guyot P, Ades AE, Ouwens MJ, Welton NJ. Enhanced secondary analysis of survival data: reconstructing the data "
    "from published Kaplan-Meier survival curves. BMC Med Res Methodol 2012;12:9. doi:10.1186/1471-2288-12-9"
)
LIU = (
    "Liu N, Zhou Y, Lee JJ. IPDfromKM: reconstruct individual patient data from published Kaplan-Meier survival "
    "curves. BMC Med Res Methodol 2021;21:111. doi:10.1186/s12874-021-01308-8"
)
GODSILL = (
    "Godsill SJ, Doucet A, West M. Monte Carlo smoothing for nonlinear time series. J Am Stat Assoc 2004;99:156-168. "
    "doi:10.1198/016214504000000151"
)
HESTERBERG = (
    "Hesterberg T. Weighted average importance sampling and defensive mixture distributions. Technometrics "
    "1995;37:185-194. doi:10.1080/00401706.1995.10484303"
)
EFRON = (
    "Efron B. The efficiency of Cox's likelihood function for censored data. J Am Stat Assoc 1977;72:557-565. "
    "doi:10.1080/01621459.1977.10480613"
)
