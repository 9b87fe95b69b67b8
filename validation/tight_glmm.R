# GLMMs by lme4 once its inner iterations converge (tolPwrss, by default 1e-7, as small as rounding lets it be) and its
# optimiser too:
#   Rscript validation/tight_glmm.R ../shared/reference/meta > tests/reference/metafor/tight_glmm.json
# Made with R 4.2.2, metafor 3.8-1, lme4 1.1-31, jsonlite 1.8.4.
suppressMessages({library(metafor); library(jsonlite)})
folder <- commandArgs(trailingOnly = TRUE)[1]
case <- function(id) fromJSON(file.path(folder, paste0(id, ".json")))$data
tight <- function(tolerance) list(glmerCtrl = list(tolPwrss = tolerance, optimizer = "bobyqa",
                                                   optCtrl = list(rhoend = 1e-11, maxfun = 1e5)))
told <- function(r) list(b = r$b[1], se = r$se[1], tau2 = r$tau2, ci_lb = r$ci.lb[1], ci_ub = r$ci.ub[1],
                         QE_Wld = r$QE.Wld, QE_LRT = r$QE.LRT, I2 = r$I2, H2 = r$H2, ll = r$fit.stats["ll", "ML"])
fit <- function(...) for (tolerance in 10^-(13:8)) {
  r <- suppressWarnings(try(rma.glmm(..., control = tight(tolerance)), silent = TRUE))
  if (!inherits(r, "try-error")) return(c(told(r), tolPwrss = tolerance))
}
proportions <- list(prop_pritz1997 = c("xi", "ni"), prop_rare_crisafulli2020 = c("cases", "total"),
                    prop_hannum2020 = c("xi", "ni"), seed_atc_dcr = c("event", "n"), seed_atc_orr = c("event", "n"))
found <- list()
for (id in names(proportions)) for (q in c(1, 7)) {
  d <- case(id); columns <- proportions[[id]]
  found[[paste0(id, " rma_glmm_nAGQ", q)]] <- fit(measure = "PLO", xi = d[[columns[1]]], ni = d[[columns[2]]], nAGQ = q)
}
d <- case("bin_bcg")
for (m in c("UM.FS", "UM.RS", "CM.AL")) found[[paste0("bin_bcg GLMM_", m)]] <-
  fit(measure = "OR", ai = d$event.e, n1i = d$n.e, ci = d$event.c, n2i = d$n.c, model = m)
d <- case("irr_nielweise2008")
for (m in c("UM.FS", "UM.RS", "CM.EL")) found[[paste0("irr_nielweise2008 GLMM_", m)]] <-
  fit(measure = "IRR", x1i = d$x1i, t1i = d$t1i, x2i = d$x2i, t2i = d$t2i, model = m)
cat(toJSON(found, digits = NA, auto_unbox = TRUE, null = "null", pretty = TRUE), "\n")
