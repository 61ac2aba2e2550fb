/// Runs that are stopped anywhere, even during an evaluation, and resumed. They give the same
/// results and the same tables as an uninterrupted run.
#include "run_test.h"

#include <math.h>

static const char *const small[][2] = {{"env.generator", "frozenlake-4x4"},
                                       {"steps", "768"},
                                       {"n_steps", "32"},
                                       {"n_envs", "2"},
                                       {"eval_every", "192"},
                                       {"eval_episodes", "3"},
                                       {"log_every", "64"},
                                       {"tensorboard", "true"}};

typedef struct Stopper {
  int64_t asked, stop_at; ///< stops at the stop_at-th call of the hook
} Stopper;

static bool stop(void *user) {
  Stopper *s = user;
  return ++s->asked == s->stop_at;
}

/// `checkpoints`: steps between two checkpoints.
static CelStatus start(const char *out, const char *checkpoints, Stopper *stopper) {
  CelSetup *setup;
  const CelRunHooks hooks = {.user = stopper, .stop = stop};
  OK(cel_setup_create(&setup, "ppo", "mdp"));
  for (size_t i = 0; i < sizeof small / sizeof small[0]; i++)
    OK(cel_setup_set(setup, small[i][0], small[i][1]));
  OK(cel_setup_set(setup, "out", out));
  OK(cel_setup_set(setup, "checkpoint_every", checkpoints));
  const CelStatus status = cel_setup_train(setup, &hooks, NULL);
  cel_setup_destroy(setup);
  return status;
}

/// Removes the columns that depend on time (time/fps, time/time_elapsed) from progress.csv.
static void without_clock(char *text) {
  char *to = text;
  int column = 0;
  for (const char *c = text; *c; c++) {
    if (column != 2 && column != 3) *to++ = *c;
    column = *c == '\n' ? 0 : column + (*c == ',');
  }
  *to = 0;
}

static void same(const char *a, const char *b, const char *name, int64_t at) {
  char path[128], *text[2];
  for (int i = 0; i < 2; i++) {
    snprintf(path, sizeof path, "%s/%s", i ? b : a, name);
    text[i] = read_text(path);
    if (strcmp(name, "progress.csv") == 0) without_clock(text[i]);
  }
  if (strcmp(text[0], text[1]) != 0)
    fail_msg("stopped at call %lld: %s differs:\n%s\nand\n%s", (long long)at, name, text[0],
             text[1]);
  free(text[0]);
  free(text[1]);
}

static void same_model(const char *a, const char *b) {
  uint64_t digest[2][2];
  for (int i = 0; i < 2; i++) {
    CelRun *run;
    OK(cel_run_open(i ? b : a, "final", &run));
    cel_tensors_digest(cel_agent_tensors(run->agent), 1u << CEL_PARAM, digest[i]);
    cel_run_close(run);
  }
  assert_memory_equal(digest[0], digest[1], sizeof digest[0]);
}

/// Resumes to the end and compares with the uninterrupted run.
static void finish(const char *out, int64_t at) {
  Stopper rest = {.stop_at = 0};
  const CelRunHooks hooks = {.user = &rest, .stop = stop};
  OK(cel_train_resume(out, 0, 0, &hooks, NULL));
  same("whole", out, "evaluations.csv", at);
  same("whole", out, "progress.csv", at);
  same_model("whole", out);
}

/// One stop, at every fifth call of the hook during the first evaluations and the last. Then the
/// run resumes once more from the checkpoint of the stop, with the tables of the whole run, as if
/// it had been killed. No row may be missing or repeated. During an update the hook is called by
/// time, so a run may call it less often than the whole run and end before its stop.
static void stopped_once(void **state) {
  (void)state;
  Stopper whole = {.stop_at = 0};
  int stops = 0;
  OK(start("whole", "128", &whole));
  assert_true(whole.asked > 100); // most of them in evaluations
  for (int64_t at = 1; at < whole.asked; at += at < 40 || at > whole.asked - 10 ? 5 : 31) {
    char out[32], command[128];
    Stopper first = {.stop_at = at};
    snprintf(out, sizeof out, "once-%lld", (long long)at);
    const CelStatus status = start(out, "128", &first);
    if (status == CEL_OK && at > 100) {
      assert_true(first.asked < at);
      same_model("whole", out);
      continue;
    }
    FAILS(status, CEL_E_INTERRUPTED, "everything is saved");
    assert_int_equal(first.asked, at); // it stopped at once
    snprintf(command, sizeof command, "cp -r %s/checkpoints kept", out);
    assert_int_equal(system(command), 0);
    finish(out, at);
    snprintf(command, sizeof command, "rm -r %s/checkpoints && mv kept %s/checkpoints", out, out);
    assert_int_equal(system(command), 0);
    finish(out, at);
    stops++;
  }
  assert_true(stops >= 8);
}

/// Stops again and again, with checkpoints only at the end. Rows of an interrupted evaluation must
/// not be repeated.
static void stopped_often(void **state) {
  (void)state;
  Stopper whole = {.stop_at = 0}, often = {.stop_at = 29};
  OK(start("whole", "0", &whole));
  CelStatus status = start("often", "0", &often);
  int parts = 1;
  for (; status == CEL_E_INTERRUPTED; parts++) {
    const CelRunHooks hooks = {.user = &often, .stop = stop};
    often.stop_at += often.asked < often.stop_at
                         ? 0
                         : 29 + parts; // later stops, so that every evaluation can end
    often.asked = 0;
    status = cel_train_resume("often", 0, 0, &hooks, NULL);
  }
  OK(status);
  assert_true(parts > 2);
  same("whole", "often", "evaluations.csv", 0);
  same("whole", "often", "progress.csv", 0);
  same_model("whole", "often");
}

/// During an update the library calls the hook at most every 50 ms. The linker sends its questions
/// for the time here (extra.cmake): with `quick_clock`, 60 ms pass between two of them, so that it
/// calls the hook at every barrier, whatever the speed of the machine.
static bool quick_clock;
int64_t __real_celi_nanoseconds(void);
int64_t __wrap_celi_nanoseconds(void);
int64_t __wrap_celi_nanoseconds(void) {
  static int64_t now = 0;
  return quick_clock ? now += 60000000 : __real_celi_nanoseconds();
}

static CelStatus start_long(const char *out, Stopper *stopper) {
  static const char *const fields[][2] = {
      {"steps", "128"},     {"n_steps", "64"},      {"n_epochs", "40"},
      {"net_arch", "16"},   {"batch_size", "8"},    {"log_every", "64"},
      {"eval_every", "64"}, {"eval_episodes", "1"}, {"tensorboard", "true"}};
  CelSetup *setup;
  const CelRunHooks hooks = {.user = stopper, .stop = stop};
  OK(cel_setup_create(&setup, "ppo", "CartPole-v1"));
  for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
    OK(cel_setup_set(setup, fields[i][0], fields[i][1]));
  OK(cel_setup_set(setup, "out", out));
  quick_clock = true;
  const CelStatus status = cel_setup_train(setup, &hooks, NULL);
  quick_clock = false;
  cel_setup_destroy(setup);
  return status;
}

/// A stop in the middle of an update takes effect at once, saves the state before the update, and
/// does not change the result of the run.
static void stopped_in_an_update(void **state) {
  (void)state;
  Stopper whole = {.stop_at = 0};
  OK(start_long("whole", &whole));
  Stopper first = {.stop_at = 1};
  CelSafetensors *file;
  FAILS(start_long("update", &first), CEL_E_INTERRUPTED, "stopped after 64 of 128 steps");
  OK(cel_safetensors_open("update/checkpoints/step-000000064.safetensors", &file));
  assert_int_equal(*(const int64_t *)cel_safetensors_find(file, "updates")->data, 0);
  assert_int_equal(*(const int64_t *)cel_safetensors_find(file, "rollout.filled")->data, 64);
  cel_safetensors_close(file);
  finish("update", 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(stopped_in_an_update, enter_folder, leave_folder),
      cmocka_unit_test_setup_teardown(stopped_once, enter_folder, leave_folder),
      cmocka_unit_test_setup_teardown(stopped_often, enter_folder, leave_folder)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
