# Kaplan-Meier figures drawn by survminer's ggsurvplot, the commonest source of published ones, with their truth as JSON.
# usage: Rscript figure_styles_survminer.R FOLDER FIRST LAST
suppressWarnings(suppressPackageStartupMessages({library(survival); library(survminer)}))
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
  cat('{"id":', quoted(id), ',"style":"survminer","difficulty":"real","neutral":', if (any(styles != "solid")) "true" else "false",
      ',"axes":{"x":{"ticks":', numbers(ticks), ',"max":', horizon, '},"y":{"units_per_proportion":', unit, '}}',
      ',"arms":[', paste(one, collapse = ","), '],"at_risk":', rows, ',"direction":', quoted(if (incidence) "incidence" else "survival"), '}',
      sep = "", file = file.path(folder, paste0(id, ".json")))
}

label_sets <- list(c("Placebo", "Drug A", "Combination"), c("Control", "Treatment", "Both"), c("sex=1", "sex=2", "sex=3"),
                   c("Low risk", "High risk", "Very high"), c("Wild type", "Mutant", "Unknown"), c("Arm A", "Arm B", "Arm C"))

for (seed in seq(as.integer(args[2]), as.integer(args[3]))) {
  set.seed(91000 + seed)
  kind <- c("png", "pdf", "png", "svg", "jpg")[seed %% 5 + 1]
  count <- sample(1:3, 1, prob = c(.1, .65, .25))
  names <- label_sets[[sample(length(label_sets), 1)]][1:count]
  days <- either(.25)
  horizon <- if (days) sample(c(1000, 1800), 1) else sample(c(24, 36, 60, 120), 1)
  arms <- lapply(seq_len(count), function(k) {
    n <- sample(c(25, 60, 150, 400), 1)
    death <- horizon * runif(1, .3, 1.2) * rweibull(n, runif(1, .8, 1.5))
    leave <- runif(n, sample(c(.2, .6), 1) * horizon, 1.2 * horizon)
    time <- round(pmin(death, leave, horizon), if (days) 0 else 1)
    data.frame(time = pmax(time, if (days) 1 else .1), event = as.integer(death <= pmin(leave, horizon)), arm = names[k])
  })
  d <- do.call(rbind, arms)
  d$arm <- factor(d$arm, levels = names)
  fit <- survfit(Surv(time, event) ~ arm, data = d)
  if (count == 1) fit <- survfit(Surv(time, event) ~ 1, data = d)
  black <- count > 1 && either(.12)
  incidence <- either(.12)
  percent <- either(.3) && !incidence
  every <- one_of(horizon / 4, horizon / 6, horizon / 5)
  with_table <- either(.7)
  marks <- either(.75)
  styles <- if (black) c("solid", "dashed", "dotted", "dotdash")[1:count] else rep("solid", count)
  wanted <- list(
    fit = fit, data = d, fun = if (incidence) "event" else if (percent) "pct" else NULL,
    palette = if (black) rep("black", count) else one_of("hue", "jco", "lancet", "npg", "nejm", c("#E7B800", "#2E9FDF", "#FC4E07")[1:count], "Dark2"),
    linetype = if (black) "strata" else 1, conf.int = either(.35), conf.int.style = one_of("ribbon", "ribbon", "step"),
    censor = marks, censor.shape = one_of("+", "|", 124), censor.size = one_of(3, 4.5),
    pval = count > 1 && either(.6), surv.median.line = one_of("none", "none", "hv", "h"),
    risk.table = if (with_table) one_of(TRUE, TRUE, "absolute", "nrisk_cumcensor") else FALSE,
    risk.table.col = if (black || count == 1) "black" else one_of("strata", "black"), risk.table.y.text = either(.6), risk.table.y.text.col = !black && either(.7),
    risk.table.height = .25, risk.table.fontsize = one_of(3.5, 4.5), tables.theme = one_of(theme_survminer(), theme_cleantable()),
    break.time.by = every, xlim = c(0, horizon), xlab = if (days) "Time in days" else one_of("Months", "Time (months)", "Time since randomisation (months)"),
    ylab = if (incidence) "Cumulative incidence" else one_of("Overall survival", "Progression-free survival", "Survival probability"),
    legend = one_of("top", "right", "bottom", c(.8, .85)), legend.title = one_of("Strata", "", "Group"), legend.labs = if (count > 1) names else "All",
    size = one_of(.6, 1, 1.2), ggtheme = one_of(theme_survminer(), ggplot2::theme_bw(), ggplot2::theme_classic(), ggplot2::theme_light(), ggplot2::theme_grey()),
    title = if (either(.3)) "Kaplan-Meier curves" else "", tables.y.text = TRUE)
  wanted$tables.y.text <- NULL
  if (either(.12)) wanted$ncensor.plot <- TRUE
  if (count == 1) { wanted$palette <- one_of("#2E9FDF", "black"); names <- "All" }
  id <- paste0("survminer-", seed)
  path <- file.path(folder, paste0(id, ".", kind))
  wide <- one_of(6, 7, 8); tall <- one_of(5.5, 6.5, 7); dots <- one_of(72, 100, 150, 300)
  switch(kind, png = png(path, wide, tall, units = "in", res = dots, type = "cairo"), pdf = pdf(path, wide, tall), svg = svg(path, wide, tall),
         jpg = jpeg(path, wide, tall, units = "in", res = max(dots, 100), quality = one_of(60, 85), type = "cairo"))
  # some combinations of its own options survminer cannot draw: such a seed has no figure
  shown <- tryCatch({
    drawn <- suppressWarnings(suppressMessages(do.call(ggsurvplot, wanted[!vapply(wanted, is.null, TRUE)])))
    suppressWarnings(suppressMessages(print(drawn, newpage = FALSE)))
    TRUE
  }, error = function(e) FALSE)
  invisible(dev.off())
  if (!shown) next
  truth(id, arms, names, styles, if (marks) "true" else "false", if (with_table) seq(0, horizon, every) else NULL, horizon, if (percent) 100 else 1, incidence, seq(0, horizon, every))
}
