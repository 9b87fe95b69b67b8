# Royston-Parmar splines (hazard scale) by hand, for tests/survival/test_parametric.py:
#   Rscript validation/royston_parmar.R
# Made with R 4.2.2. The likelihood is maximised by optim on an orthonormal basis, with its gradient; prints inner
# knots, log likelihood, survival at the median follow-up with the limits of the delta method on log(-log S).
columns <- function(x, k, slope) {
  m <- length(k); f <- if (slope) function(z) 3 * pmax(z, 0)^2 else function(z) pmax(z, 0)^3
  b <- if (slope) cbind(0, rep(1, length(x))) else cbind(1, x)
  for (j in 2:(m - 1)) { l <- (k[m] - k[j]) / (k[m] - k[1]); b <- cbind(b, f(x - k[j]) - l * f(x - k[1]) - (1 - l) * f(x - k[m])) }
  unname(b)
}
d <- read.csv("tests/reference/survival/cases/sim_front_loaded_censor/truth_ipd.csv"); d <- d[d$arm == d$arm[1], ]
e <- d$event == 1; x <- log(d$time); at <- median(d$time)
for (inner in c(1, 2, 5)) {
  k <- quantile(x[e], seq(0, 1, length.out = inner + 2))
  turn <- solve(qr.R(qr(columns(x, k, FALSE))) / sqrt(nrow(d)))
  B <- columns(x, k, FALSE) %*% turn; D <- columns(x, k, TRUE) %*% turn
  cost <- function(b) { s <- (D %*% b)[e]; if (any(s <= 0)) 1e8 else sum(exp(B %*% b)) - sum((B %*% b - x)[e] + log(s)) }
  rise <- function(b) colSums(B * c(exp(B %*% b))) - colSums(B[e, ] + D[e, ] / c(D %*% b)[e])
  m <- list(par = solve(turn, c(log(sum(e) / sum(d$time)), 1, rep(0, inner))))
  for (i in 1:20) m <- optim(m$par, cost, rise, method = "BFGS", control = list(maxit = 5000, reltol = 1e-16))
  V <- solve(optimHess(m$par, cost, rise, control = list(ndeps = rep(1e-5, inner + 2))))
  a <- c(columns(log(at), k, FALSE) %*% turn); eta <- sum(a * m$par); half <- qnorm(.975) * sqrt(c(a %*% V %*% a))
  cat(inner, formatC(c(-m$value, exp(-exp(eta)), exp(-exp(eta + half)), exp(-exp(eta - half))), digits = 10, format = "f"), "\n")
}
