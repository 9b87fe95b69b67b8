# A Kaplan-Meier figure by hand in ggplot2 (geom_step), in a layout like KMunicate's, or in lattice.
# usage: Rscript figure_tools_grammar.R CASE.json OUT SHOWN.json
suppressWarnings(suppressPackageStartupMessages({library(ggplot2); library(jsonlite); library(cowplot)}))
args <- commandArgs(TRUE)
k <- fromJSON(args[1], simplifyDataFrame = FALSE)
set.seed(k$seed)
either <- function(p) runif(1) < p
one_of <- function(...) sample(list(...), 1)[[1]]

names <- vapply(k$arms, function(a) a$name, "")
count <- length(names)
d <- do.call(rbind, lapply(k$arms, function(a) data.frame(time = a$time, level = a$level, low = a$low, high = a$high, arm = a$name)))
m <- do.call(rbind, lapply(k$arms, function(a) if (length(a$marks)) data.frame(time = a$marks, level = a$at, arm = a$name)))
r <- do.call(rbind, lapply(k$arms, function(a) data.frame(time = k$ticks, n = a$n, censored = a$censored, events = a$events, arm = a$name)))
d$arm <- factor(d$arm, levels = names)
r$arm <- factor(r$arm, levels = names)
if (!is.null(m)) m$arm <- factor(m$arm, levels = names)
# a ribbon that steps: every corner twice
stepped <- do.call(rbind, lapply(split(d, d$arm), function(a) {
  n <- nrow(a)
  if (n < 2) return(a)
  at <- rep(seq_len(n), each = 2)
  data.frame(time = a$time[at[-1]], level = a$level[at[-2 * n]], low = a$low[at[-2 * n]], high = a$high[at[-2 * n]], arm = a$arm[1])
}))
inks <- one_of(NULL, NULL, c("#0072B2", "#D55E00", "#009E73", "#CC79A7"), c("black", "red", "blue", "darkgreen"), c("#E41A1C", "#377EB8", "#4DAF4A", "#984EA3"),
               c("#BC3C29", "#0072B5", "#E18727", "#20854E"))
dashed <- FALSE
table <- k$table

by_ggplot <- function() {
  dressed <- one_of(theme_bw, theme_classic, theme_minimal, theme_grey, theme_light, theme_cowplot)
  size <- one_of(11, 12, 14)
  dashed <<- count > 1 && either(.12)
  p <- ggplot(d, aes(time, level, colour = arm))
  if (dashed) p <- ggplot(d, aes(time, level, linetype = arm))
  if (k$band && !dashed) p <- p + (if (either(.6)) geom_ribbon(aes(ymin = low, ymax = high, fill = arm), data = stepped, alpha = .2, colour = NA) else
    geom_step(aes(y = low), linetype = 2, linewidth = .3)) 
  p <- p + geom_step(linewidth = one_of(.5, .8, 1))
  if (k$marks && !is.null(m)) p <- p + geom_point(data = m, shape = one_of(3, 124, 4), size = 2, show.legend = FALSE)
  breaks <- if (table || either(.6)) k$ticks else waiver()
  p <- p + scale_x_continuous(breaks = breaks, limits = if (table || either(.5)) c(0, k$horizon) else NULL, expand = if (!table && either(.3)) c(0, 0) else waiver())
  rate <- k$scale == 1 && either(.3)
  p <- p + scale_y_continuous(limits = if (either(.8)) c(0, k$scale) else NULL, labels = if (rate) scales::percent else waiver(), expand = if (either(.2)) c(0, 0) else waiver())
  if (!is.null(inks) && !dashed) p <- p + scale_colour_manual(values = inks[1:count]) + scale_fill_manual(values = inks[1:count])
  p <- p + labs(x = k$xlab, y = k$ylab, title = if (nchar(k$title)) k$title else NULL, colour = one_of(NULL, "Group"), fill = NULL, linetype = NULL) + dressed(size)
  p <- p + theme(legend.position = if (count == 1) "none" else one_of("right", "top", "bottom", c(.8, .85), c(.2, .2)))
  if (k$band && !dashed) p <- p + guides(fill = "none")
  if (nchar(k$note)) p <- p + annotate("text", x = .03 * k$horizon, y = .1 * k$scale, label = k$note, hjust = 0, size = one_of(3, 4))
  if (!table) return(p)
  under <- ggplot(r, aes(time, factor(arm, levels = rev(names)), label = n)) + geom_text(size = one_of(3, 3.5)) + dressed(size) +
    scale_x_continuous(breaks = k$ticks, limits = c(0, k$horizon)) + labs(x = NULL, y = NULL, title = one_of("Number at risk", "No. at risk")) +
    theme(panel.grid = element_blank(), axis.text.x = element_blank(), axis.ticks = element_blank(), axis.line = element_blank(), panel.border = element_blank(),
          plot.title = element_text(size = size))
  plot_grid(p, under, ncol = 1, align = "v", axis = "lr", rel_heights = c(4, .6 + .35 * count))
}

by_kmunicate <- function() {
  table <<- count < 4
  p <- ggplot(d, aes(time, level, colour = arm)) + geom_ribbon(aes(ymin = low, ymax = high, fill = arm), data = stepped, alpha = .25, colour = NA) + geom_step() +
    scale_x_continuous(breaks = k$ticks, limits = c(0, k$horizon)) + coord_cartesian(ylim = c(0, k$scale)) + labs(x = k$xlab, y = k$ylab, colour = "", fill = "") + theme_bw() +
    theme(legend.position = one_of("bottom", c(1, 1)), legend.justification = c(1, 1), legend.background = element_blank())
  if (!is.null(inks)) p <- p + scale_colour_manual(values = inks[1:count]) + scale_fill_manual(values = inks[1:count])
  if (!table) return(p)
  blocks <- lapply(names, function(a) {
    own <- r[r$arm == a, ]
    long <- rbind(data.frame(time = own$time, n = own$n, what = "At risk"), data.frame(time = own$time, n = own$censored, what = "Censored"),
                  data.frame(time = own$time, n = own$events, what = "Events"))
    ggplot(long, aes(time, factor(what, levels = c("Events", "Censored", "At risk")), label = n)) + geom_text(size = 3.2) + theme_bw() +
      scale_x_continuous(breaks = k$ticks, limits = c(0, k$horizon)) + labs(x = NULL, y = NULL, title = a) +
      theme(panel.grid = element_blank(), panel.border = element_blank(), axis.text.x = element_blank(), axis.ticks = element_blank(), plot.title = element_text(size = 11, face = "italic"))
  })
  plot_grid(plotlist = c(list(p), blocks), ncol = 1, align = "v", axis = "lr", rel_heights = c(3.4, rep(1.1, count)))
}

by_lattice <- function() {
  suppressPackageStartupMessages(library(lattice))
  table <<- FALSE
  place <- one_of(list(space = "right"), list(space = "top", columns = min(count, 2)), list(corner = c(.95, .95)))
  ref <- one_of("p", c("p", "g"))
  dashed <<- count > 1 && either(.25)
  look <- if (dashed) list(superpose.line = list(col = "black", lty = 1:4, lwd = 1)) else if (is.null(inks)) list() else list(superpose.line = list(col = inks, lwd = one_of(1, 2)))
  xyplot(level ~ time, groups = arm, data = d, type = c("s", if (either(.3)) "g"), xlab = k$xlab, ylab = k$ylab, main = if (nchar(k$title)) k$title else NULL,
         auto.key = if (count > 1) c(list(points = FALSE, lines = TRUE), place) else FALSE, par.settings = look, ylim = one_of(c(-.03, 1.05) * k$scale, c(0, k$scale)),
         scales = list(x = if (either(.5)) list(at = k$ticks) else list()))
}

wide <- one_of(6, 7, 8)
tall <- one_of(4, 5, 6) + if (k$program == "kmunicate") 1.3 * count else if (k$table) 1.5 else 0
dots <- one_of(72, 96, 150, 200, 300)
switch(k$ending, png = png(args[2], wide, tall, units = "in", res = dots, type = "cairo"), pdf = pdf(args[2], wide, tall), svg = svg(args[2], wide, tall),
       jpg = jpeg(args[2], wide, tall, units = "in", res = max(dots, 96), quality = one_of(75, 90), type = "cairo"))
shown <- suppressWarnings(switch(k$program, ggplot = by_ggplot(), kmunicate = by_kmunicate(), lattice = by_lattice()))
suppressWarnings(suppressMessages(print(shown)))
invisible(dev.off())
marked <- k$program == "ggplot"
write(toJSON(list(dashed = dashed, table = table, marks = marked), auto_unbox = TRUE), args[3])
