# Kaplan-Meier figures drawn by R itself (plot.survfit and ggplot2), with their truth as JSON beside each file.
# usage: Rscript figure_styles.R FOLDER FIRST LAST
suppressPackageStartupMessages({library(survival); library(ggplot2)})
args <- commandArgs(TRUE)
folder <- args[1]

quoted <- function(x) paste0('"', x, '"')
numbers <- function(x) paste0("[", paste(sprintf("%.8g", x), collapse = ","), "]")
pairs <- function(a, b) paste0("[", paste0("[", sprintf("%.8g", a), ",", sprintf("%.8g", b), "]", collapse = ","), "]")

truth <- function(path, id, arms, names, inks, styles, shown, x, y, unit, table, level, fun) {
  one <- vapply(seq_along(arms), function(k) {
    d <- arms[[k]]
    f <- survfit(Surv(time, event) ~ 1, data = d)
    keep <- f$n.event > 0
    med <- quantile(f, 0.5, conf.int = FALSE)
    if (is.na(med)) med <- "null" else med <- sprintf("%.8g", f$time[f$surv <= 0.5 + 1e-9][1])
    paste0('{"name":', quoted(names[k]), ',"color":', quoted(inks[k]), ',"linestyle":', quoted(styles[k]),
           ',"n":', nrow(d), ',"events":', sum(d$event), ',"median":', med, ',"last_time":', sprintf("%.8g", max(d$time)),
           ',"steps":', pairs(c(0, f$time[keep]), c(1, f$surv[keep])),
           ',"censor_times":', numbers(sort(d$time[d$event == 0])), ',"censor_marks_drawn":', shown, '}')
  }, "")
  rows <- "null"
  if (!is.null(table)) {
    each <- vapply(seq_along(arms), function(k) paste0('{"arm":', quoted(names[k]), ',"n":',
      numbers(vapply(table, function(t) sum(arms[[k]]$time >= t), 0)), '}'), "")
    rows <- paste0('{"times":', numbers(table), ',"rows":[', paste(each, collapse = ","), ']}')
  }
  hints <- paste0('{"axes":{"x":', pairs(x$at, x$value), ',"y":', pairs(y$at, y$value / unit), '},"arms":[',
    paste0('{"name":', quoted(names), ',"color":', quoted(inks), '}', collapse = ","), ']}')
  neutral <- if (length(unique(inks)) < length(inks)) "true" else "false"
  cat('{"id":', quoted(id), ',"style":"R","difficulty":', quoted(level), ',"neutral":', neutral,
      ',"axes":{"x":{"ticks":', numbers(x$value), ',"max":', max(x$value), '},"y":{"units_per_proportion":', unit, '}}',
      ',"arms":[', paste(one, collapse = ","), '],"at_risk":', rows, ',"direction":', quoted(fun), ',"hints":', hints, '}',
      sep = "", file = path)
}

opened <- function(kind, path, wide, tall) {
  switch(kind,
    png = png(path, wide, tall, units = "in", res = 150, type = "cairo"),
    pdf = pdf(path, wide, tall),
    svg = svg(path, wide, tall),
    svglite = svglite::svglite(path, wide, tall),
    cairo = cairo_pdf(path, wide, tall))
}

for (seed in seq(as.integer(args[2]), as.integer(args[3]))) {
  set.seed(77000 + seed)
  kind <- c("png", "pdf", "svg", "svglite", "cairo")[seed %% 5 + 1]
  gg <- seed %% 3 == 2
  count <- sample(1:3, 1, prob = c(.15, .55, .3))
  names <- list(c("Placebo", "Drug A", "Drug B"), c("sex=1", "sex=2", "sex=3"), c("Control", "Treatment", "Both"))[[sample(3, 1)]][1:count]
  horizon <- sample(c(24, 36, 60), 1)
  arms <- lapply(seq_len(count), function(k) {
    n <- sample(c(30, 60, 150, 400), 1)
    death <- horizon * runif(1, .3, 1.1) * rweibull(n, runif(1, .8, 1.5))
    leave <- runif(n, sample(c(.2, .6), 1) * horizon, 1.2 * horizon)
    time <- pmax(round(pmin(death, leave, horizon), 1), .1)
    data.frame(time = time, event = as.integer(death <= pmin(leave, horizon)), arm = names[k])
  })
  d <- do.call(rbind, arms)
  d$arm <- factor(d$arm, levels = names)
  fit <- survfit(Surv(time, event) ~ arm, data = d)
  ending <- switch(kind, png = "png", pdf = "pdf", cairo = "pdf", "svg")
  id <- paste0(if (gg) "ggplot" else "R", kind, "-", seed)
  path <- file.path(folder, paste0(id, ".", ending))
  wide <- 7; tall <- 6
  black <- runif(1) < .35 && !gg
  inks <- if (black) rep("#000000", count) else c("#DF536B", "#2297E6", "#61D04F")[1:count]
  styles <- if (black) c("solid", "dashed", "dotted")[1:count] else rep("solid", count)
  marks <- runif(1) < .6
  fun <- if (runif(1) < .15) "event" else "surv"
  limits <- runif(1) < .25
  table <- NULL
  scale <- if (ending == "png") 150 else 72
  if (!gg) {
    opened(kind, path, wide, tall)
    with_table <- runif(1) < .4
    par(mar = c(if (with_table) 5 + count + 1 else 5, if (with_table) 8 else 4, 3, 2), las = sample(0:1, 1), bty = sample(c("o", "l"), 1))
    percent <- runif(1) < .3
    unit <- if (percent) 100 else 1
    lines <- if (black) seq_len(count) else 1
    plot(fit, col = inks, lty = lines, lwd = sample(c(1, 1.5, 2), 1), mark.time = marks, mark = sample(c(3, 124), 1),
         conf.int = limits, yscale = unit, xlab = "Months", fun = if (fun == "event") "event" else "S",
         ylab = if (fun == "event") "Cumulative incidence" else "Survival", main = if (runif(1) < .3) "Overall survival" else "")
    if (runif(1) < .2) abline(h = .5, lty = 3, col = "grey")
    legend(if (fun == "event") "bottomright" else "topright", names, col = inks, lty = lines, bty = sample(c("n", "o"), 1), cex = .9)
    at <- axTicks(1); at <- at[at <= par("usr")[2]]
    values <- axTicks(2); values <- values[values <= 1]
    if (with_table) {
      table <- at[at <= horizon]
      mtext("Number at risk", side = 1, line = 4, at = par("usr")[1], adj = 1, cex = .8, las = 1)
      for (k in seq_len(count)) {
        mtext(names[k], side = 1, line = 4 + k, at = par("usr")[1] - .04 * horizon, adj = 1, cex = .8, las = 1)
        mtext(vapply(table, function(t) sum(arms[[k]]$time >= t), 0), side = 1, line = 4 + k, at = table, cex = .8, las = 1)
      }
    }
    px <- grconvertX(at, "user", "ndc") * wide * scale
    py <- (1 - grconvertY(values, "user", "ndc")) * tall * scale
    values <- values * unit
    invisible(dev.off())
  } else {
    f <- summary(fit, times = sort(unique(c(0, d$time))), extend = FALSE)
    s <- do.call(rbind, lapply(seq_len(count), function(k) {
      g <- survfit(Surv(time, event) ~ 1, data = arms[[k]])
      data.frame(time = c(0, g$time), surv = c(1, g$surv), lower = c(1, g$lower), upper = c(1, g$upper),
                 cens = c(0, g$n.censor), arm = names[k])
    }))
    s$arm <- factor(s$arm, levels = names)
    s$lower[is.na(s$lower)] <- 0; s$upper[is.na(s$upper)] <- s$surv[is.na(s$upper)]
    if (fun == "event") s[c("surv", "lower", "upper")] <- 1 - s[c("surv", "lower", "upper")]
    p <- ggplot(s, aes(time, surv, colour = arm)) + geom_step(linewidth = .7)
    if (limits) p <- p + geom_step(aes(y = lower), linetype = 2, linewidth = .3) + geom_step(aes(y = upper), linetype = 2, linewidth = .3)
    if (marks) p <- p + geom_point(data = s[s$cens > 0, ], shape = sample(c(3, 124), 1), size = 2.5)
    inks <- scales::hue_pal()(count)
    theme <- list(theme_grey(), theme_bw(), theme_classic(), theme_minimal())[[sample(4, 1)]]
    values <- c(0, .25, .5, .75, 1); unit <- 1
    p <- p + scale_y_continuous(limits = c(0, 1), breaks = values) + labs(x = "Months", y = if (fun == "event") "Cumulative incidence" else "Survival probability", colour = NULL) +
      theme + theme(legend.position = sample(c("top", "right", "bottom"), 1))
    opened(kind, path, wide, tall)
    print(p)
    b <- ggplot_build(p)
    at <- b$layout$panel_params[[1]]$x$breaks; at <- at[!is.na(at)]
    xr <- b$layout$panel_params[[1]]$x.range; yr <- b$layout$panel_params[[1]]$y.range
    ports <- as.character(grid::current.vpTree())
    grid::seekViewport(regmatches(ports, regexpr("panel\\.[0-9-]+", ports)))
    low <- grid::deviceLoc(grid::unit(0, "npc"), grid::unit(0, "npc"), valueOnly = TRUE)
    high <- grid::deviceLoc(grid::unit(1, "npc"), grid::unit(1, "npc"), valueOnly = TRUE)
    px <- (low$x + (at - xr[1]) / diff(xr) * (high$x - low$x)) * scale
    py <- (tall - (low$y + (values - yr[1]) / diff(yr) * (high$y - low$y))) * scale
    invisible(dev.off())
  }
  truth(file.path(folder, paste0(id, ".json")), id, arms, names, inks, styles, if (marks) "true" else "false",
        list(at = px, value = at), list(at = py, value = values), unit, table, if (ending == "png") "clean" else "vector",
        if (fun == "event") "incidence" else "survival")
}
