/// A training run deletes its older checkpoints, even while another process opens them. The linker
/// redirects the calls of cel_safetensors_open and cel_agent_create to functions of this test
/// (extra.cmake). They delete a checkpoint at the worst moment: just before it is opened, or while
/// the agent is created.
#include "run_test.h"

#include <stdbool.h>

static int deletions;        ///< number of files to delete just before they are opened
static const char *deletion; ///< file to delete when an agent is created, or NULL

CelStatus __real_cel_safetensors_open(const char *path, CelSafetensors **out);
CelStatus __wrap_cel_safetensors_open(const char *path, CelSafetensors **out);
CelStatus __wrap_cel_safetensors_open(const char *path, CelSafetensors **out) {
  if (deletions > 0) {
    deletions--;
    if (unlink(path) != 0) fail_msg("%s: cannot be deleted", path);
  }
  return __real_cel_safetensors_open(path, out);
}

CelStatus __real_cel_agent_create(CelAgent **out, const char *algo, const void *config,
                                  const CelSpace *observation, const CelSpace *action,
                                  const CelAgentOptions *options);
CelStatus __wrap_cel_agent_create(CelAgent **out, const char *algo, const void *config,
                                  const CelSpace *observation, const CelSpace *action,
                                  const CelAgentOptions *options);
CelStatus __wrap_cel_agent_create(CelAgent **out, const char *algo, const void *config,
                                  const CelSpace *observation, const CelSpace *action,
                                  const CelAgentOptions *options) {
  if (deletion && unlink(deletion) != 0) fail_msg("%s: cannot be deleted", deletion);
  deletion = NULL;
  return __real_cel_agent_create(out, algo, config, observation, action, options);
}

#define CHECKPOINT "run/checkpoints/step-000000"
static const char newest[] = CHECKPOINT "300.safetensors", older[] = CHECKPOINT "200.safetensors",
                  oldest[] = CHECKPOINT "100.safetensors";

/// Makes a run in folder "run" that has three checkpoints and no model, like a run in progress.
static void train(void) {
  static const char *const settings[][2] = {{"net_arch", "4"},
                                            {"steps", "300"},
                                            {"learning_starts", "32"},
                                            {"batch_size", "16"},
                                            {"checkpoint_every", "100"},
                                            {"keep", "3"},
                                            {"eval_episodes", "1"},
                                            {"tensorboard", "false"},
                                            {"out", "run"}};
  CelSetup *setup;
  OK(cel_setup_create(&setup, "sac", "Pendulum-v1"));
  for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
    OK(cel_setup_set(setup, settings[i][0], settings[i][1]));
  OK(cel_setup_train(setup, NULL, NULL));
  cel_setup_destroy(setup);
  assert_int_equal(unlink("run/best.safetensors"), 0);
  assert_int_equal(unlink("run/final.safetensors"), 0);
  for (int i = 0; i < 3; i++)
    assert_int_equal(access((const char *[]){newest, older, oldest}[i], F_OK), 0);
}

/// Opens the run, which must use the expected checkpoint. Returns a digest of its parameters.
static void open_run(const char *expected, uint64_t digest[2]) {
  CelRun *run;
  OK(cel_run_open("run", NULL, &run));
  assert_string_equal(run->model, expected);
  assert_int_equal(deletions, 0);
  cel_tensors_digest(cel_agent_tensors(run->agent), CEL_ROLES_MODEL, digest);
  cel_run_close(run);
}

static void next_checkpoint_is_used(void **state) {
  (void)state;
  uint64_t digest[2];
  train();
  deletions = 1;
  open_run(older, digest);
  deletions = 1;
  open_run(oldest, digest);
}

static void two_deleted_checkpoints(void **state) {
  (void)state;
  uint64_t digest[2];
  train();
  deletions = 2;
  open_run(oldest, digest);
}

static void all_checkpoints_deleted(void **state) {
  (void)state;
  CelRun *run;
  train();
  deletions = 3;
  FAILS(cel_run_open("run", NULL, &run), CEL_E_IO, "no model and no checkpoint yet");
  assert_int_equal(deletions, 0);
}

/// A checkpoint that the caller named is not replaced by another one.
static void named_checkpoint_is_not_replaced(void **state) {
  (void)state;
  CelRun *run;
  train();
  deletions = 1;
  FAILS(cel_run_open("run", newest, &run), CEL_E_IO, newest);
  assert_int_equal(access(older, F_OK), 0);
}

/// A checkpoint that is open can be deleted.
static void deleted_while_the_agent_is_created(void **state) {
  (void)state;
  uint64_t before[2], after[2];
  train();
  open_run(newest, before);
  deletion = newest;
  open_run(newest, after);
  assert_null(deletion);
  assert_int_equal(access(newest, F_OK), -1);
  assert_true(before[0] == after[0] && before[1] == after[1]);
}

int main(void) {
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, enter_folder, leave_folder)
  const struct CMUnitTest tests[] = {
      IN_FOLDER(next_checkpoint_is_used),
      IN_FOLDER(two_deleted_checkpoints),
      IN_FOLDER(all_checkpoints_deleted),
      IN_FOLDER(named_checkpoint_is_not_replaced),
      IN_FOLDER(deleted_while_the_agent_is_created),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
