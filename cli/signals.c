/// Ctrl-C, SIGTERM and a terminal that goes away: the first asks the run to stop after its step, the second ends it at once. SIGUSR1 only asks:
/// a parent of several runs sends it, and cannot know whether they were asked already.
#include "cli.h"

#include <signal.h>

static volatile sig_atomic_t stop_asked = 0;

static void ask(int number) {
  stop_asked = 1;
  if (number != SIGUSR1) signal(number, SIG_DFL);
}

void cli_signals_install(void) {
  struct sigaction action = {.sa_handler = ask};
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGUSR1, &action, NULL);
  struct sigaction before;
  sigaction(SIGHUP, NULL, &before);
  if (before.sa_handler != SIG_IGN) sigaction(SIGHUP, &action, NULL); // nohup stays what it is
}

bool cli_stop_asked(void) {
  return stop_asked != 0;
}
