# What metafor computes from data sets of metadat that are not among the reference cases, every family of functions:
#   Rscript validation/other_data.R > tests/reference/metafor/other_data.json
# Made with R 4.2.2, metafor 3.8-1, metadat 1.2-0, clubSandwich 0.5.8, jsonlite 1.8.4; iterations tightened to 1e-14.
suppressMessages({library(metafor); library(metadat); library(jsonlite)})
num <- function(x) unname(as.numeric(x))
ok <- function(e) tryCatch(suppressWarnings(e), error = function(x) NULL)
tables <- list(ai = "ai", n1i = "n1i", ci = "ci", n2i = "n2i")
sets <- list(
  hine1989 = list(measure = "AS", data = dat.hine1989, columns = tables),
  collins1985b = list(measure = "PETO", columns = tables, data = transform(dat.collins1985b, ai = pre.xti, n1i = pre.nti,
                                                                        ci = pre.xci, n2i = pre.nci)),
  hart1999 = list(measure = "IRR", data = dat.hart1999, columns = list(x1i = "x1i", t1i = "t1i", x2i = "x2i", t2i = "t2i"),
                  x = "year"),
  debruin2009 = list(measure = "PLO", data = dat.debruin2009, columns = list(xi = "xi", ni = "ni"), x = "scq", g = "ethnicity"),
  bonett2010 = list(measure = "ABT", data = dat.bonett2010, columns = list(ai = "ai", mi = "mi", ni = "ni")),
  cohen1981 = list(measure = "ZCOR", data = dat.cohen1981, columns = list(ri = "ri", ni = "ni")))
tight <- list(threshold = 1e-14, maxiter = 100000, tol = 1e-13)
told <- function(r) ok(list(b = num(r$b), se = num(r$se), zval = num(r$zval), pval = num(r$pval), ci_lb = num(r$ci.lb),
  ci_ub = num(r$ci.ub), tau2 = num(r$tau2), se_tau2 = num(r$se.tau2), I2 = num(r$I2), H2 = num(r$H2), R2 = num(r$R2),
  QE = num(r$QE), QEp = num(r$QEp), QM = num(r$QM), QMp = num(r$QMp), vb = num(r$vb)))
limits <- function(f, ...) ok({ q <- confint(f, control = list(tol = 1e-12, maxiter = 10000), ...)$random
  list(estimate = num(q[, 1]), ci_lb = num(q[, 2]), ci_ub = num(q[, 3])) })
intervals <- function(q) ok(list(pred = num(q$pred), se = num(q$se), ci_lb = num(q$ci.lb), ci_ub = num(q$ci.ub),
                              pi_lb = num(q$pi.lb), pi_ub = num(q$pi.ub)))
cases <- function(f) ok({ q <- influence(f)$inf
  list(rstudent = num(q$rstudent), dffits = num(q$dffits), cook_d = num(q$cook.d), cov_r = num(q$cov.r),
       tau2_del = num(q$tau2.del), QE_del = num(q$QE.del), hat = num(q$hat), weight = num(q$weight)) })
refits <- function(q) ok(list(estimate = num(q$estimate), se = num(q$se), zval = num(q$zval), pval = num(q$pval),
  ci_lb = num(q$ci.lb), ci_ub = num(q$ci.ub), Q = num(q$Q), Qp = num(q$Qp), tau2 = num(q$tau2), I2 = num(q$I2), H2 = num(q$H2)))
mixed <- function(t) ok(list(b = num(t$b), se = num(t$se), sigma2 = num(t$sigma2), tau2 = num(t$tau2), rho = num(t$rho),
                          QE = num(t$QE), QM = num(t$QM), loglik = num(logLik(t))))
one <- function(s) {
  d <- s$data
  es <- eval(as.call(c(as.name("escalc"), list(measure = s$measure, data = quote(d)), lapply(s$columns, as.name))))
  y <- num(es$yi); v <- num(es$vi); k <- length(y)
  x <- if (is.null(s$x)) sqrt(seq_len(k)) else num(d[[s$x]])
  g <- if (is.null(s$g)) rep(c("p", "q", "r"), length.out = k) else as.character(d[[s$g]])
  n <- round(10 / v) + 5; pair <- rep(seq_len(ceiling(k / 2)), each = 2)[seq_len(k)]; arm <- rep(1:2, length.out = k)
  table <- data.frame(y, v, x, g, n, pair, arm, id = seq_len(k))
  fit <- function(...) rma(y, v, data = table, control = tight, ...)
  r <- ok(fit()); m <- ok(fit(mods = ~ x)); E <- list()
  for (t in c("EE", "DL", "HE", "HS", "HSk", "SJ", "ML", "REML", "EB", "PM", "PMM")) E[[paste("rma", t)]] <- told(fit(method = t))
  E[["rma GENQ"]] <- told(fit(method = "GENQ", weights = 1 / (v + .1)))
  for (t in c("DL", "REML", "ML")) for (q in c("z", "t", "knha", "adhoc"))
    E[[paste("mods", t, q)]] <- told(fit(mods = ~ x + g, method = t, test = q))
  E[["weights"]] <- told(fit(weights = n)); E[["least squares"]] <- told(fit(mods = ~ x, weighted = FALSE))
  E[["confint QP"]] <- limits(r); E[["confint PL"]] <- limits(r, type = "PL"); E[["confint mods"]] <- limits(m)
  E[["predict"]] <- intervals(predict(r)); E[["predict knha"]] <- intervals(predict(fit(test = "knha")))
  E[["predict mods"]] <- intervals(predict(m, newmods = c(0, 1, 2.5)))
  E[["blup"]] <- intervals(blup(r)); E[["blup mods"]] <- intervals(blup(m)); E[["ranef mods"]] <- intervals(ranef(m))
  E[["influence"]] <- cases(r); E[["influence mods"]] <- cases(m)
  E[["leave1out"]] <- refits(leave1out(r)); E[["cumul"]] <- refits(cumul(r))
  E[["ranktest"]] <- ok({ t <- ranktest(y, v); list(tau = num(t$tau), pval = num(t$pval)) })
  for (q in c("L0", "R0", "Q0")) for (side in c("left", "right")) for (t in c("EE", "DL"))
    E[[paste("trimfill", t, q, side)]] <- { f <- trimfill(rma(y, v, method = t), estimator = q, side = side)
      list(k0 = f$k0, b = num(f$b), se = num(f$se), tau2 = num(f$tau2)) }
  for (t in c("Rosenthal", "Orwin", "Rosenberg")) E[[paste("fsn", t)]] <- list(fsnum = fsn(y, v, type = t)$fsnum)
  for (t in c("exact", "binom")) E[[paste("tes", t)]] <- ok({ q <- tes(y, v, test = t, progbar = FALSE)
    list(O = q$O, E = q$E, pval = q$pval, theta = num(q$theta), power = num(q$power)) })
  E[["robust"]] <- { t <- robust(r, cluster = pair); list(se = num(t$se), pval = num(t$pval), ci_lb = num(t$ci.lb)) }
  E[["robust CR0"]] <- { t <- robust(m, cluster = pair, adjust = FALSE); list(se = num(t$se), pval = num(t$pval), QM = num(t$QM)) }
  E[["robust CR2"]] <- { t <- robust(m, cluster = pair, clubSandwich = TRUE); list(se = num(t$se), pval = num(t$pval), dfs = num(t$dfs)) }
  if (k <= 9) {
    E[["permutest"]] <- list(pval = num(permutest(rma(y, v), exact = TRUE, progbar = FALSE)$pval))
    E[["gosh"]] <- { t <- as.matrix(gosh(rma(y, v, method = "DL"), progbar = FALSE)$res)
      list(estimate = sort(num(t[, "estimate"])), tau2 = sort(num(t[, "tau2"])), Q = sort(num(t[, "QE"]))) } }
  mv <- function(...) mixed(rma.mv(y, ..., data = table, control = list(rel.tol = 1e-10, iter.max = 5000, eval.max = 5000)))
  E[["mv nested"]] <- mv(v, random = ~ 1 | pair/id); E[["mv nested ML"]] <- mv(v, mods = ~ x, random = ~ 1 | pair/id, method = "ML")
  V <- vcalc(v, pair, obs = arm, rho = .6, data = table)
  for (t in c("CS", "HCS", "UN", "DIAG", "ID")) E[[paste("mv", t)]] <- mv(V, random = ~ factor(arm) | pair, struct = t)
  list(measure = s$measure, columns = lapply(s$columns, function(q) num(d[[q]])), yi = y, vi = v, table = as.list(table), expected = E)
}
cat(toJSON(lapply(sets, function(s) one(s)), digits = NA, na = "null", null = "null"))
