/// A line on the error stream during work of unknown length: "building grid  3 s".
///
/// A thread prints it, because the work itself has no progress hook.
#include "cli.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct CliWait {
  CliBar bar; ///< only its knowledge of the terminal is used
  const char *what;
  pthread_t thread;
  pthread_mutex_t mutex;
  pthread_cond_t ended;
  bool done;
};

/// Waits until the work ends, at most until cli_seconds() is `seconds`. Returns true if the work
/// ended.
static bool wait_until(CliWait *wait, double seconds) {
  const time_t whole = (time_t)seconds;
  const struct timespec at = {whole, (long)(1e9 * (seconds - (double)whole))};
  while (!wait->done && pthread_cond_timedwait(&wait->ended, &wait->mutex, &at) == 0) continue;
  return wait->done;
}

static void *show(void *argument) {
  CliWait *wait = argument;
  const double start = cli_seconds();
  pthread_mutex_lock(&wait->mutex);
  bool drawn = false;
  // On a terminal the seconds are updated. Elsewhere a single line is printed.
  for (double next = wait->bar.terminal ? 0.5 : 2; !wait_until(wait, start + next); next++) {
    if (drawn && !wait->bar.terminal) continue;
    if (wait->bar.terminal)
      fprintf(stderr, "\r%.*s  %d s\033[K", cli_columns(stderr) - 12, wait->what, (int)next);
    else
      fprintf(stderr, "celsius: %s\n", wait->what);
    fflush(stderr);
    drawn = true;
  }
  if (drawn && wait->bar.terminal) fputs("\r\033[K", stderr);
  fflush(stderr);
  pthread_mutex_unlock(&wait->mutex);
  return NULL;
}

CliWait *cli_wait_begin(const char *what, bool quiet) {
  pthread_condattr_t attributes;
  CliWait *wait = quiet ? NULL : calloc(1, sizeof *wait);
  if (!wait) return NULL; // not enough memory: no message
  wait->bar = cli_bar(false);
  wait->what = what;
  pthread_mutex_init(&wait->mutex, NULL);
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&wait->ended, &attributes);
  pthread_condattr_destroy(&attributes);
  if (pthread_create(&wait->thread, NULL, show, wait) == 0) return wait;
  pthread_cond_destroy(&wait->ended);
  pthread_mutex_destroy(&wait->mutex);
  free(wait);
  return NULL;
}

void cli_wait_end(CliWait *wait) {
  if (!wait) return;
  pthread_mutex_lock(&wait->mutex);
  wait->done = true;
  pthread_cond_signal(&wait->ended);
  pthread_mutex_unlock(&wait->mutex);
  pthread_join(wait->thread, NULL);
  pthread_cond_destroy(&wait->ended);
  pthread_mutex_destroy(&wait->mutex);
  free(wait);
}
