/// Progress on the error stream: a bar on a terminal, otherwise a line now and then.
#include "cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define REDRAW 0.1    // seconds between two drawings of the bar
#define LINE_LEAST 1. // minimum and
#define LINE_MOST 30. // maximum seconds between two lines

double cli_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

CliBar cli_bar(bool quiet) {
  CliBar bar = {.quiet = quiet, .shown = -1, .tenth = -1};
  const char *term = getenv("TERM");
  bar.terminal = isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
  static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
  const char *locale = NULL;
  for (int i = 0; i < 3 && !(locale && *locale); i++) locale = getenv(names[i]);
  bar.utf8 = locale && (strstr(locale, "UTF-8") || strstr(locale, "utf8"));
  return bar;
}

/// Writes the text beside the bar: steps, speed, time left, returns.
static void describe(const CelProgress *p, bool with_returns, char *text, size_t size) {
  char steps[32], total[32], rate[32], eta[32];
  int n = snprintf(text, size, "%s/%s  ETA %s  %s steps/s", cli_count(steps, p->steps),
                   cli_count(total, p->total_steps), cli_duration(eta, p->eta),
                   cli_count(rate, lround(p->steps_per_second)));
  if (with_returns && !isnan(p->mean_return))
    n += snprintf(text + n, size - (size_t)n, "  return %.4g", p->mean_return);
  if (with_returns && !isnan(p->eval_return))
    snprintf(text + n, size - (size_t)n, "  eval %.4g", p->eval_return);
}

/// Draws "███████▌      ", in eighths of a column if the terminal has UTF-8.
static void draw(char *out, int width, double fraction, bool utf8) {
  static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const int units = (int)(fraction * width * 8), full = units / 8;
  int column = 0;
  for (; column < full && column < width; column++) out += sprintf(out, "%s", utf8 ? "█" : "#");
  if (column < width && units % 8) {
    out += sprintf(out, "%s", utf8 ? eighths[units % 8] : "-");
    column++;
  }
  for (; column < width; column++) out += sprintf(out, "%s", utf8 ? " " : ".");
}

/// Bytes of the text that fit in `room` columns. The text is cut between its parts, which are
/// separated by two blanks.
static int fitting(const char *text, int room) {
  int n = (int)strlen(text);
  while (n > room && n > 0) do
      n--;
    while (n > 0 && !(text[n] == ' ' && text[n + 1] == ' '));
  return n;
}

/// The width of the bar depends on the terminal only, so that it does not change with the text. If
/// the long text does not fit, the brief one is used, cut at its end.
static void show_bar(CliBar *bar, const CliProgress *p) {
  char line[4 * 64];
  const int columns = cli_columns(stderr), head = bar->label ? (int)strlen(bar->label) + 1 : 0;
  const int width = columns < 60 ? 6 : columns < 100 ? 14 : 24;
  const int room = columns - 1 - head - 5 - 2 - width - 2; // percent, edges, blanks
  const char *text = (int)strlen(p->text) <= room ? p->text : p->brief;
  draw(line, width, p->fraction, bar->utf8);
  fprintf(stderr, "\r%s%s%3d%% %s%s%s  %.*s\033[K", bar->label ? bar->label : "",
          bar->label ? " " : "", (int)(p->fraction * 100), bar->utf8 ? "▕" : "[", line,
          bar->utf8 ? "▏" : "]", fitting(text, room), text);
  fflush(stderr);
  bar->drawn = true;
}

/// Prints a line if enough time has passed. Returns true if the bar's state should be updated: a
/// line was printed, or this is the start of the run.
static bool show_line(CliBar *bar, const CliProgress *p) {
  const double passed = p->seconds - bar->shown;
  const int tenth = (int)(p->fraction * 10);
  const bool last = p->fraction >= 1 && bar->tenth < 10;
  if (bar->shown < 0 && !last) return true; // no line at the very start
  if (!last && (passed < LINE_LEAST || (tenth == bar->tenth && passed < LINE_MOST))) return false;
  fprintf(stderr, "%s%s%3d%%  %s\n", bar->label ? bar->label : "", bar->label ? " " : "",
          (int)(p->fraction * 100), p->text);
  return true;
}

void cli_bar_draw(CliBar *bar, const CliProgress *p) {
  if (bar->quiet) return;
  if (bar->terminal) {
    if (bar->shown >= 0 && p->seconds - bar->shown < REDRAW && p->fraction < 1) return;
    show_bar(bar, p);
  } else if (!show_line(bar, p)) {
    return;
  }
  bar->shown = p->seconds;
  bar->tenth = (int)(p->fraction * 10);
}

void cli_bar_show(CliBar *bar, const CelProgress *p) {
  char text[256], brief[256];
  describe(p, true, text, sizeof text);
  describe(p, false, brief, sizeof brief);
  cli_bar_draw(bar, &(CliProgress){p->fraction, p->seconds, text, brief});
}

void cli_bar_clear(CliBar *bar) {
  if (!bar->drawn) return;
  fputs("\r\033[K", stderr);
  fflush(stderr);
  bar->drawn = false;
}
