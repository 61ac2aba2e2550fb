/// Requests to stop: Ctrl-C (SIGINT), SIGTERM and a closed terminal (SIGHUP).
///
/// The first one asks the run to stop after its current step. The second ends the process at once.
/// SIGUSR1 only asks. The parent of several runs sends it, because it cannot know whether its
/// children have received the first signal already.
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
  for (int i = 0; i < 3; i++) { // signals that a shell or nohup ignores stay ignored
    sigaction(numbers[i], NULL, &before);
    if (before.sa_handler != SIG_IGN) sigaction(numbers[i], &action, NULL);
  }
  sigaction(SIGUSR1, &action, NULL);
  signal(SIGPIPE, SIG_IGN); // a closed pipe must not end training before it is saved
}

bool cli_stop_asked(void) {
  return stop_asked != 0;
}
