# Reference numbers of multilevel and multivariate models on simulated data:
#   Rscript validation/mixed_models.R > tests/reference/metafor/mixed_models.json
# Made with R 4.2.2, metafor 3.8-1, clubSandwich 0.5.8, jsonlite 1.8.4.
suppressMessages({library(metafor); library(jsonlite)})
set.seed(42)
n <- 14
st <- rep(1:n, each = 3); tm <- rep(1:3, n); ti <- rep(c(0, 1, 2.5), n); k <- length(st)
x <- round(rnorm(k), 3); z <- round(rnorm(n), 3)[st]
vi <- round(runif(k, .02, .2), 4)
u <- rnorm(n, 0, .5)[st] + rnorm(k, 0, .3)
yi <- round(.3 + .4 * x + u + rnorm(k, 0, sqrt(vi)), 4)
d <- data.frame(yi, vi, st, tm, ti, x, z, o = letters[tm], arm = rep(c("p", "q", "p"), n), id = 1:k)
V <- vcalc(vi, st, obs = tm, rho = .5, data = d)
control <- list(rel.tol = 1e-10, iter.max = 5000, eval.max = 5000)
fit <- function(...) rma.mv(yi, V, data = d, control = control, ...)
told <- function(r) list(b = r$b[, 1], se = r$se, sigma2 = r$sigma2, tau2 = r$tau2, rho = r$rho, gamma2 = r$gamma2,
                         phi = r$phi, loglik = as.numeric(logLik(r)), QM = r$QM, QM_p = r$QMp, QE = r$QE, pval = r$pval)
corr <- 0.3^abs(outer(1:n, 1:n, "-")); dimnames(corr) <- list(1:n, 1:n)
models <- list(
  UN = told(fit(mods = ~ x, random = ~ o | st, struct = "UN")),
  HCS = told(fit(mods = ~ x, random = ~ o | st, struct = "HCS")),
  CS = told(fit(mods = ~ x, random = ~ o | st, struct = "CS")),
  AR = told(fit(mods = ~ x, random = ~ tm | st, struct = "AR")),
  HAR = told(fit(mods = ~ x, random = ~ tm | st, struct = "HAR")),
  CAR = told(fit(mods = ~ x, random = ~ ti | st, struct = "CAR")),
  GEN = told(fit(mods = ~ x, random = ~ x | st, struct = "GEN")),
  GDIAG = told(fit(mods = ~ x, random = ~ x | st, struct = "GDIAG", method = "ML")),
  two_inner = told(fit(mods = ~ x, random = list(~ o | st, ~ arm | st), struct = c("DIAG", "CS"))),
  mixed = told(fit(mods = ~ x + z, random = list(~ 1 | id, ~ arm | st), struct = "HCS")),
  crossed = told(fit(random = list(~ 1 | st, ~ 1 | o, ~ 1 | id))),
  known = told(fit(mods = ~ x, random = ~ 1 | st, R = list(st = corr))),
  contain = told(fit(mods = ~ x + z, random = ~ 1 | st/id, dfs = "contain")))
r <- fit(mods = ~ x + z, random = ~ 1 | st/id)
u <- rma(yi, vi, mods = ~ x + z, data = d, control = list(threshold = 1e-12, maxiter = 10000))
sandwich <- function(m, ...) { q <- robust(m, cluster = st, ...)
  list(se = q$se, dfs = q$dfs, pval = q$pval, QM = q$QM, QM_p = q$QMp, QM_df = q$QMdf) }
robust_tests <- list(mv_CR0 = sandwich(r, adjust = FALSE), mv_CR1 = sandwich(r), mv_CR2 = sandwich(r, clubSandwich = TRUE),
                     uni_CR1 = sandwich(u), uni_CR2 = sandwich(u, clubSandwich = TRUE))
deleted <- rstudent(r); effects <- ranef(r)
diagnostics <- list(rstudent = list(resid = deleted$resid, se = deleted$se, z = deleted$z), rstandard_z = rstandard(r)$z,
                    cooks = as.numeric(cooks.distance(r)), cooks_cluster = as.numeric(cooks.distance(r, cluster = st)),
                    hat = as.numeric(hatvalues(r)), weights = as.numeric(weights(r)),
                    ranef = lapply(effects, function(e) list(pred = e$intrcpt, se = e$se, pi_lb = e$pi.lb)))
full <- fit(mods = ~ x, random = ~ o | st, struct = "UN"); part <- fit(mods = ~ x, random = ~ o | st, struct = "CS")
limits <- function(m, n) unname(lapply(confint(m)[1:n], function(q) as.matrix(q$random)))
test <- anova(full, part)
permuted <- permutest(rma(yi, vi, mods = ~ x, data = d[1:6, ]), exact = TRUE, progbar = FALSE)
flipped <- permutest(rma(yi, vi, data = d[1:6, ]), exact = TRUE, progbar = FALSE)
cat(toJSON(list(data = d, models = models, robust = robust_tests, diagnostics = diagnostics,
                limits = list(nested = limits(r, 2), UN = limits(full, 6), CS = limits(part, 2)),
                lrt = list(LRT = test$LRT, pval = test$pval),
                permutation = list(moderator = c(permuted$pval, permuted$QMp), signs = c(flipped$pval, flipped$QMp))),
           digits = 12, auto_unbox = TRUE, null = "null", na = "null", dataframe = "columns"))
