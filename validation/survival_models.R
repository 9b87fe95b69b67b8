# Reference numbers of one-sample and two-sample survival on simulated patients:
#   Rscript validation/survival_models.R > tests/reference/survival/r_survival.json
# Made with R 4.2.2, survival 3.5-3, jsonlite 1.8.4. Gompertz, generalized gamma and splines are maximised here by hand.
suppressMessages({library(survival); library(jsonlite); library(splines)})
patients <- function(seed, n, rate, digits, shape, clusters) {
  set.seed(seed)
  g <- rep(0:1, length.out = n); x <- round(rnorm(n), 2); s <- sample(1:3, n, TRUE); cl <- sample(clusters, n, TRUE)
  u <- rgamma(clusters, 4, 4)[cl]
  died <- rweibull(n, shape, 12 * (u * exp(.6 * g + .3 * x))^(-1 / shape)); end <- rexp(n, rate)
  time <- round(pmin(died, end), digits)
  data.frame(time, event = as.integer(died <= end & time > 0), g, x, s, cl = as.integer(factor(cl)))
}
sets <- list(ties = patients(1, 60, .03, 0, 1.3, 8), distinct = patients(2, 40, .05, 4, .8, 5),
             censored = patients(3, 90, .2, 0, 1.6, 4))
exact <- coxph.control(eps = 1e-12, toler.chol = 1e-13, iter.max = 60)
maximum <- function(loglik, start) {
  for (i in 1:6) { m <- optim(start, function(b) -loglik(b), method = "BFGS", control = list(reltol = 1e-15, maxit = 2000))
                   start <- m$par }
  if (max(abs(m$par)) > 10) NA else -m$value  # still rising on the way to infinity
}
hand <- function(d) {
  d <- d[d$time > 0, ]; t <- d$time; e <- d$event == 1
  gompertz <- function(b) sum(b[2] + b[1] * t[e]) - sum(exp(b[2]) * expm1(b[1] * t) / b[1])
  gamma <- function(b) {
    q <- b[3]; w <- (log(t) - b[1]) / exp(b[2]); k <- q^-2
    f <- log(abs(q)) + k * log(k) - lgamma(k) - b[2] - log(t) + k * (q * w - exp(q * w))
    s <- pgamma(k * exp(q * w), k, lower.tail = q < 0, log.p = TRUE)
    sum(f[e]) + sum(s[!e])
  }
  spline <- function(inner, scale) {
    k <- quantile(log(t[e]), seq(0, 1, length.out = inner + 2))
    base <- function(v) cbind(1, if (inner) ns(v, knots = k[2:(inner + 1)], Boundary.knots = k[c(1, inner + 2)]) else v)
    h <- 1e-5; at <- base(log(t)); rise <- (base(log(t) + h) - base(log(t) - h)) / (2 * h)
    linear <- qr.coef(qr(at), log(t))
    loglik <- function(b) {
      eta <- drop(at %*% b); slope <- drop(rise %*% b)
      if (any(slope[e] <= 0)) return(-1e10)
      cum <- switch(scale, hazard = exp(eta), odds = log1p(exp(eta)), normal = -pnorm(-eta, log.p = TRUE))
      dens <- switch(scale, hazard = eta, odds = eta - log1p(exp(eta)), normal = dnorm(eta, log = TRUE) - pnorm(-eta, log.p = TRUE))
      sum((log(slope) - log(t) + dens)[e]) - sum(cum)
    }
    maximum(loglik, linear + c(-log(mean(t)), rep(0, inner + 1)))
  }
  rate <- log(sum(e) / sum(t))
  list(gompertz = maximum(gompertz, c(.01, rate)), `generalized-gamma` = maximum(gamma, c(-rate, 0, .6)),
       hazard = spline(2, "hazard"), odds = spline(2, "odds"), normal = spline(1, "normal"))
}
told <- function(d) {
  S <- with(d, Surv(time, event)); at <- as.numeric(quantile(d$time, c(.1, .3, .5, .7, .9), type = 1))
  one <- function(type) {
    km <- survfit(S ~ 1, d, conf.type = type); m <- summary(km, times = at, extend = TRUE)
    q <- quantile(km, c(.25, .5, .75))
    list(survival = m$surv, se = m$std.err, lower = m$lower, upper = m$upper,
         quantile = unname(q$quantile), quantile_lower = unname(q$lower), quantile_upper = unname(q$upper))
  }
  tau <- .9 * min(tapply(d$time, d$g, max)); table <- summary(survfit(S ~ g, d), rmean = tau)$table
  ranks <- lapply(c(0, 1, .5), function(r) { m <- survdiff(S ~ g, d, rho = r)
    list(rho = r, chisq = m$chisq, observed = m$obs, expected = m$exp, variance = m$var) })
  models <- function(ties) {
    fit <- function(f, ...) coxph(f, d, ties = ties, control = exact, ...)
    m <- fit(S ~ g + x); strata <- fit(S ~ g + x + strata(s))
    drift <- function(m) sapply(c("km", "identity", "log", "rank"), function(k) tryCatch(
      cox.zph(m, transform = k)$table["GLOBAL", 1], error = function(...) NA))
    list(b = coef(m), cov = vcov(m), loglik = m$loglik, score = m$score, wald = m$wald.test,
         strata_b = coef(strata), strata_cov = vcov(strata), strata_loglik = strata$loglik,
         robust = vcov(fit(S ~ g + x, robust = TRUE)), cluster = vcov(fit(S ~ g + x + cluster(cl))),
         strata_cluster = vcov(fit(S ~ g + x + strata(s) + cluster(cl))), zph = as.list(drift(m)),
         strata_zph = as.list(drift(strata)),
         frailty = lapply(c(.1, .5), function(theta) { f <- fit(S ~ g + x + frailty(cl, theta = theta, sparse = FALSE))
           list(theta = theta, b = coef(f)[1:2], se = sqrt(diag(vcov(f)))[1:2]) }))
  }
  reg <- function(dist) { k <- d$time > 0
    m <- survreg(Surv(time, event) ~ 1, d[k, ], dist = dist, control = survreg.control(rel.tolerance = 1e-12, maxiter = 200))
    list(loglik = m$loglik[2], median = predict(m, type = "quantile", p = .5)[[1]]) }
  list(patients = as.list(d), at = at, log = one("log"), `log-log` = one("log-log"), plain = one("plain"),
       hazard = summary(survfit(S ~ 1, d), times = at, extend = TRUE)$cumhaz,
       tau = tau, rmst = unname(table[, "rmean"]), rmst_se = unname(table[, "se(rmean)"]), ranks = ranks,
       stratified_rank = survdiff(S ~ g + strata(s), d)$chisq, three_groups = survdiff(S ~ s, d)$chisq,
       efron = models("efron"), breslow = models("breslow"),
       survreg = list(exponential = reg("exponential"), weibull = reg("weibull"), `log-normal` = reg("lognormal"),
                      `log-logistic` = reg("loglogistic")), hand = hand(d))
}
cat(toJSON(lapply(sets, told), digits = 15, auto_unbox = TRUE, na = "null"))
