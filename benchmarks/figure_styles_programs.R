# Kaplan-Meier figures as prodlim, rms, GGally and survival draw them by themselves, with their truth as JSON.
# usage: Rscript figure_styles_programs.R FOLDER FIRST LAST
suppressWarnings(suppressPackageStartupMessages({library(survival); library(prodlim); library(rms); library(ggplot2)}))
args <- commandArgs(TRUE)
folder <- args[1]

quoted <- function(x) paste0('"', x, '"')
numbers <- function(x) paste0("[", paste(sprintf("%.8g", x), collapse = ","), "]")
pairs <- function(a, b) paste0("[", paste0("[", sprintf("%.8g", a), ",", sprintf("%.8g", b), "]", collapse = ","), "]")
either <- function(p) runif(1) < p
one_of <- function(...) sample(list(...), 1)[[1]]

truth <- function(id, arms, names, styles, marks, table, horizon, unit, incidence, ticks) {
  one <- vapply(seq_along(arms), function(k) {
    d <- arms[[k]]
    f <- survfit(Surv(time, event) ~ 1, data = d)
    keep <- f$n.event > 0
    half <- f$time[f$surv <= 0.5 + 1e-9]
    paste0('{"name":', quoted(names[k]), ',"color":"","linestyle":', quoted(styles[k]), ',"n":', nrow(d), ',"events":', sum(d$event),
           ',"median":', if (length(half)) sprintf("%.8g", half[1]) else "null", ',"last_time":', sprintf("%.8g", max(d$time)),
           ',"steps":', pairs(c(0, f$time[keep]), c(1, f$surv[keep])),
           ',"censor_times":', numbers(sort(d$time[d$event == 0])), ',"censor_marks_drawn":', marks, '}')
  }, "")
  rows <- "null"
  if (!is.null(table)) {
    each <- vapply(seq_along(arms), function(k) paste0('{"arm":', quoted(names[k]), ',"n":',
      numbers(vapply(table, function(t) sum(arms[[k]]$time >= t), 0)), '}'), "")
    rows <- paste0('{"times":', numbers(table), ',"rows":[', paste(each, collapse = ","), ']}')
  }
  cat('{"id":', quoted(id), ',"style":"programs","difficulty":"real","neutral":', if (any(styles != "solid")) "true" else "false",
      ',"axes":{"x":{"ticks":', numbers(ticks), ',"max":', horizon, '},"y":{"units_per_proportion":', unit, '}}',
      ',"arms":[', paste(one, collapse = ","), '],"at_risk":', rows, ',"direction":', quoted(if (incidence) "incidence" else "survival"), '}',
      sep = "", file = file.path(folder, paste0(id, ".json")))
}

label_sets <- list(c("Placebo", "Drug A", "Combination"), c("Control", "Treatment", "Both"), c("Low", "High", "Very high"),
                   c("Wild type", "Mutant", "Unknown"), c("Arm A", "Arm B", "Arm C"), c("Surgery", "Radiotherapy", "Chemotherapy"))
inks <- list(c("#1b9e77", "#d95f02", "#7570b3"), c("blue", "red", "darkgreen"), c("black", "red", "green3"), c("navy", "orange", "grey50"))

by_prodlim <- function(d, names, k) {
  count <- length(names)
  table <- either(.7)
  shade <- either(.5)
  percent <- either(.6)
  colours <- inks[[sample(length(inks), 1)]][1:count]
  fit <- if (count > 1) prodlim(Hist(time, event) ~ arm, data = d) else prodlim(Hist(time, event) ~ 1, data = d)
  every <- k$every
  left <- max(nchar(names)) * .55 + 3
  par(mar = c(if (table) 5 + 1.3 * count else 4.5, if (table) max(left, 5) else 5, 2, 2))
  marks <- either(.4)
  call <- list(fit, atrisk = table, confint = shade, percent = percent, col = colours, xlim = c(0, k$horizon), axis1.at = seq(0, k$horizon, every),
               legend = count > 1, xlab = k$xlab, ylab = one_of("Survival probability", "Overall survival"), lwd = one_of(1, 2, 3), background = either(.3),
               mark.time = marks)
  if (table) { call$atrisk.at <- seq(0, k$horizon, every); if (count > 1) call$atrisk.labels <- paste0(names, ": ") ; call$atrisk.title <- one_of("Number at risk", "No. at risk", "") }
  if (count > 1) { call$legend.legend <- names; call$legend.x <- one_of("topright", "bottomleft"); call$legend.cex <- one_of(.9, 1.1); call$legend.title <- "" }
  if (shade) call$confint.citype <- one_of("shadow", "shadow", "shadow", "bars")
  do.call(plot, call)
  list(marks = marks, table = if (table) seq(0, k$horizon, every), unit = if (percent) 100 else 1, styles = rep("solid", count))
}

by_rms <- function(d, names, k) {
  count <- length(names)
  fit <- if (count > 1) npsurv(Surv(time, event) ~ arm, data = d) else npsurv(Surv(time, event) ~ 1, data = d)
  table <- either(.6)
  plain <- either(.4)
  colours <- if (plain) rep("black", count) else inks[[sample(length(inks), 1)]][1:count]
  styles <- if (plain) c("solid", "dashed", "dotted")[1:count] else rep("solid", count)
  if (table) par(mar = c(5 + count, 7, 2, 2))
  call <- list(fit, time.inc = k$every, xlim = c(0, k$horizon), n.risk = table, conf = one_of("none", "none", "bands"), col = colours,
               lty = if (plain) 1:count else rep(1, count), lwd = one_of(1, 2), xlab = k$xlab, ylab = "Survival Probability")
  if (call$conf == "bands") call$col.fill <- grDevices::adjustcolor(c("grey70", "lightblue", "pink")[1:count], .5)
  if (table) { call$y.n.risk <- one_of("auto", -.35); call$cex.n.risk <- one_of(.6, .8); call$adj.n.risk <- .5 }
  if (count > 1) call$label.curves <- one_of(list(method = "arrow", cex = .8), list(keys = "lines"), TRUE)
  do.call(survplot, call)
  list(marks = FALSE, table = if (table) seq(0, k$horizon, k$every), unit = 1, styles = styles, names = if (count > 1) paste0("arm=", names) else names)
}

by_ggally <- function(d, names, k) {
  fit <- survfit(Surv(time, event) ~ arm, data = d)
  shown <- GGally::ggsurv(fit, CI = one_of(FALSE, TRUE, "def"), plot.cens = either(.7), size.est = one_of(.5, 1), xlab = k$xlab, ylab = "Survival", main = "",
                          back.white = either(.4), order.legend = FALSE) + scale_x_continuous(breaks = seq(0, k$horizon, k$every), limits = c(0, k$horizon)) +
    scale_y_continuous(limits = c(0, 1), breaks = seq(0, 1, .25))
  suppressWarnings(suppressMessages(print(shown)))
  list(marks = TRUE, table = NULL, unit = 1, styles = rep("solid", length(names)))
}

by_survival <- function(d, names, k) {
  count <- length(names)
  fit <- if (count > 1) survfit(Surv(time, event) ~ arm, data = d) else survfit(Surv(time, event) ~ 1, data = d)
  incidence <- either(.25)
  bands <- either(.35)
  marks <- either(.6)
  plain <- either(.3)
  colours <- if (plain) rep("black", count) else inks[[sample(length(inks), 1)]][1:count]
  scaled <- either(.3)
  call <- list(fit, col = if (bands && !plain) colours else colours, lty = if (plain) 1:count else 1, lwd = one_of(1, 2), mark.time = marks, conf.int = bands,
               xlim = c(0, k$horizon), xlab = k$xlab, ylab = if (incidence) "Cumulative events" else "Survival", las = one_of(0, 1), bty = one_of("o", "l", "n"),
               xaxs = one_of("r", "i", "S"), yscale = if (scaled) 100 else 1, xaxt = "n")
  if (incidence) call$fun <- "event"
  do.call(plot, call)
  axis(1, seq(0, k$horizon, k$every))
  if (count > 1) legend(if (incidence) "topleft" else one_of("topright", "bottomleft"), names, col = colours, lty = if (plain) 1:count else 1, lwd = 2, bty = one_of("n", "o"))
  list(marks = marks, table = NULL, unit = if (scaled) 100 else 1, styles = if (plain) c("solid", "dashed", "dotted")[1:count] else rep("solid", count), incidence = incidence)
}

programs <- list(prodlim = by_prodlim, rms = by_rms, ggally = by_ggally, survival = by_survival)

for (seed in seq(as.integer(args[2]), as.integer(args[3]))) {
  set.seed(57000 + seed)
  program <- names(programs)[seed %% 4 + 1]
  count <- sample(1:3, 1, prob = c(.1, .65, .25))
  if (program == "ggally") count <- max(count, 2)
  names <- label_sets[[sample(length(label_sets), 1)]][1:count]
  horizon <- sample(c(24, 36, 48, 60, 120), 1)
  arms <- lapply(seq_len(count), function(k) {
    n <- sample(c(30, 60, 150, 350), 1)
    death <- horizon * runif(1, .3, 1.2) * rweibull(n, runif(1, .8, 1.5))
    leave <- runif(n, sample(c(.2, .6), 1) * horizon, 1.1 * horizon)
    data.frame(time = pmax(round(pmin(death, leave, horizon), 1), .1), event = as.integer(death <= pmin(leave, horizon)), arm = names[k])
  })
  d <- do.call(rbind, arms)
  d$arm <- factor(d$arm, levels = names)
  k <- list(horizon = horizon, every = horizon / sample(c(4, 6), 1), xlab = one_of("Months", "Time (months)", "Months since randomization"))
  kind <- sample(c("png", "jpg", "pdf", "svg"), 1, prob = c(.6, .2, .1, .1))
  id <- paste0(program, "-", seed)
  path <- file.path(folder, paste0(id, ".", kind))
  wide <- one_of(6, 7, 8); tall <- one_of(5, 6); dots <- one_of(96, 120, 150, 200, 300)
  switch(kind, png = png(path, wide, tall, units = "in", res = dots, type = "cairo"), pdf = pdf(path, wide, tall), svg = svg(path, wide, tall),
         jpg = jpeg(path, wide, tall, units = "in", res = max(dots, 110), quality = one_of(70, 90), type = "cairo"))
  shown <- tryCatch(suppressWarnings(suppressMessages(programs[[program]](d, names, k))), error = function(e) { message(id, ": ", conditionMessage(e)); NULL })
  invisible(dev.off())
  if (is.null(shown)) { unlink(path); next }
  truth(id, arms, if (is.null(shown$names)) names else shown$names, shown$styles, if (shown$marks) "true" else "false", shown$table, horizon, shown$unit, isTRUE(shown$incidence), seq(0, horizon, k$every))
}
