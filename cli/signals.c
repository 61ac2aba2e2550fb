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
  static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
  struct sigaction action = {.sa_handler = ask}, before;
  sigemptyset(&action.sa_mask);
  for (int i = 0; i < 3; i++) { // what a shell or nohup has set to be ignored stays so
    sigaction(numbers[i], NULL, &before);
    if (before.sa_handler != SIG_IGN) sigaction(numbers[i], &action, NULL);
  }
  sigaction(SIGUSR1, &action, NULL);
  signal(SIGPIPE, SIG_IGN); // a reader that goes away must not end a training unsaved
}

bool cli_stop_asked(void) {
  return stop_asked != 0;
}
