/// Ctrl-C and SIGTERM: the first asks the run to stop after its step, the second ends it at once.
#include "cli.h"

#include <signal.h>

static volatile sig_atomic_t stop_asked = 0;

static void ask(int number) {
  stop_asked = 1;
  signal(number, SIG_DFL);
}

void cli_signals_install(void) {
  struct sigaction action = {.sa_handler = ask};
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
}

bool cli_stop_asked(void) {
  return stop_asked != 0;
}
