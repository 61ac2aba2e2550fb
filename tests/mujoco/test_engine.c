/// The engine of the MuJoCo tasks: state, batches, threads, memory, and errors.
///
/// Models of the tests are written to a temporary folder.
#include "mujoco_test.h"

#include "celsius/agent.h"
#include "celsius/setup.h"
#include "celsius/train.h"
#include "support/allocations.h"
#include <mujoco/mjbatch.h>
#include <pthread.h>
#include <unistd.h>

static char folder[] = "/tmp/celsius-mujoco-XXXXXX";

static const CeliMujoco *engine(const CelEnvSpec *spec) {
  return spec->data;
}

/// Random actions (n rows).
static void draw_actions(const CelEnvSpec *spec, CelRng *rng, int64_t n, float *actions) {
  const CelSpacePart *part = &spec->action.part[0];
  for (int64_t i = 0; i < n * part->size; i++)
    actions[i] = (float)cel_rng_range(rng, (double)part->low[i % part->size],
                                      (double)part->high[i % part->size]);
}

static const char *const tasks[] = {"HalfCheetah-v5", "Ant-v4",    "Humanoid-v5",
                                    "Reacher-v4",     "Hopper-v4", "Swimmer-v5"};
enum { TASKS = sizeof tasks / sizeof tasks[0] };

// ---- the state is in the row

/// Continues an environment from a copy of its state, in another spec and mjData: all bits are the
/// same.
static void a_state_is_all_that_a_step_needs(void **state) {
  (void)state;
  for (int k = 0; k < TASKS; k++) {
    CelEnvSpec *a = make_spec(tasks[k], ""), *b = make_spec(tasks[k], "");
    Fleet *one = make_fleet(a, 1, 4, 0), *two = make_fleet(b, 1, 4, 0);
    float actions[32];
    CelRng rng = cel_rng(7, CEL_RNG_USER, 0);
    assert_ok(cel_vecenv_reset(&one->env));
    assert_ok(cel_vecenv_reset(&two->env));
    for (int t = 0; t < 60; t++) {
      draw_actions(a, &rng, 1, actions);
      assert_ok(cel_vecenv_step(&one->env, actions, 0, 1));
      if (t == 29) { // the second environment did something else until now
        memcpy(two->env.states, one->env.states, (size_t)a->state_size * sizeof(double));
        two->env.rng_counter[0] = one->env.rng_counter[0];
        two->env.elapsed[0] = one->env.elapsed[0];
      } else {
        if (t < 29) draw_actions(a, &rng, 1, actions);
        assert_ok(cel_vecenv_step(&two->env, actions, 0, 1));
      }
      if (t <= 29) continue;
      assert_memory_equal(one->env.obs, two->env.obs, one->env.obs_bytes);
      assert_memory_equal(one->env.reward, two->env.reward, sizeof(float));
      assert_int_equal(one->env.terminated[0], two->env.terminated[0]);
      assert_memory_equal(one->env.states, two->env.states, (size_t)a->state_size * sizeof(double));
    }
    free_fleet(one);
    free_fleet(two);
    cel_env_spec_destroy(a);
    cel_env_spec_destroy(b);
  }
}

// ---- MuJoCo's own batches

#if defined(__SANITIZE_THREAD__)
#define SEES_THREADS true
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SEES_THREADS true
#endif
#endif
#ifndef SEES_THREADS
#define SEES_THREADS false
#endif

/// Eight environments against mjb_step, MuJoCo's batches: the same positions and velocities.
/// ThreadSanitizer does not see how MuJoCo's own threads wait for each other.
static void equal_to_batches_of_mujoco(void **state) {
  (void)state;
  if (SEES_THREADS) skip();
  enum { N = 8, STEPS = 40 };
  for (int k = 0; k < 3; k++) {
    CelEnvSpec *spec = make_spec(tasks[k], "");
    const mjModel *m = engine(spec)->model;
    Fleet *fleet = make_fleet(spec, N, 1, 0);
    char error[256] = "";
    mjBatchConfig config;
    mjb_defaultConfig(&config);
    config.nthread = 2;
    mjBatch *batch = mjb_makeBatch(m, N, &config, error, sizeof error);
    if (!batch) fail_msg("%s", error);
    int nu;
    mjtNum *rows = mjb_state(batch), *ctrl = mjb_stateComponent(batch, mjSTATE_CTRL, &nu);
    const int nstate = mjb_nstate(batch);
    assert_int_equal(nstate, engine(spec)->state_size);
    assert_int_equal(nu, m->nu);
    assert_ok(cel_vecenv_reset(&fleet->env));
    CelRng rng = cel_rng(3, CEL_RNG_USER, 0);
    for (int t = 0; t < STEPS; t++) {
      float actions[N * 32];
      draw_actions(spec, &rng, N, actions);
      for (int i = 0; i < N; i++) { // the batch follows resets
        memcpy(rows + i * nstate, fleet->env.states + i * spec->state_size,
               (size_t)nstate * sizeof *rows);
        for (int j = 0; j < nu; j++) ctrl[i * nstate + j] = (double)actions[i * nu + j];
      }
      assert_int_equal(mjb_step(batch, NULL, N, (int)engine(spec)->a.frame_skip, 0), 0);
      assert_ok(cel_vecenv_step(&fleet->env, actions, 0, N));
      for (int i = 0; i < N; i++) {
        if (fleet->env.terminated[i] || fleet->env.truncated[i]) continue;
        assert_memory_equal(rows + i * nstate, fleet->env.states + i * spec->state_size,
                            (size_t)(1 + m->nq + m->nv) * sizeof(double));
      }
    }
    mjb_deleteBatch(batch);
    free_fleet(fleet);
    cel_env_spec_destroy(spec);
  }
}

// ---- threads

typedef struct Slice {
  Fleet *fleet;
  const float *actions;
  int64_t begin, end;
  CelStatus status;
} Slice;

static void *step_slice(void *argument) {
  Slice *s = argument;
  s->status = cel_vecenv_step(&s->fleet->env, s->actions, s->begin, s->end);
  return NULL;
}

/// More threads than processors step one batch: the bits are those of one thread.
static void threads_change_no_bit(void **state) {
  (void)state;
  enum { N = 12, THREADS = 6 };
  CelEnvSpec *spec = make_spec("Ant-v5", "max_episode_steps=15");
  Fleet *one = make_fleet(spec, N, 9, 0), *many = make_fleet(spec, N, 9, 0);
  assert_ok(cel_vecenv_reset(&one->env));
  assert_ok(cel_vecenv_reset(&many->env));
  CelRng rng = cel_rng(5, CEL_RNG_USER, 0);
  for (int t = 0; t < 30; t++) {
    float actions[N * 32];
    Slice slice[THREADS];
    pthread_t thread[THREADS];
    draw_actions(spec, &rng, N, actions);
    assert_ok(cel_vecenv_step(&one->env, actions, 0, N));
    for (int i = 0; i < THREADS; i++) {
      slice[i] = (Slice){many, actions, 2 * i, 2 * i + 2, CEL_OK};
      assert_int_equal(pthread_create(&thread[i], NULL, step_slice, &slice[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
      pthread_join(thread[i], NULL);
      assert_int_equal(slice[i].status, CEL_OK);
    }
    assert_memory_equal(one->env.states, many->env.states,
                        (size_t)(N * spec->state_size) * sizeof(double));
    assert_memory_equal(one->env.obs, many->env.obs, N * one->env.obs_bytes);
    assert_memory_equal(one->env.reward, many->env.reward, N * sizeof(float));
  }
  free_fleet(one);
  free_fleet(many);
  cel_env_spec_destroy(spec);
}

// ---- memory

typedef struct Count {
  long long before;
  int updates;
} Count;

static CelStatus count_update(void *user, CelAgent *agent) {
  (void)agent;
  Count *count = user;
  if (++count->updates == 2) count->before = allocations();
  if (count->updates > 2) assert_int_equal(allocations() - count->before, 0);
  return CEL_OK;
}

/// After the second update, training allocates nothing: neither the agent nor MuJoCo.
static void train_without_allocations(const char *algo, const char *id, const char *settings,
                                      int64_t N, int64_t steps) {
  const CelAlgoInfo *info;
  CelEnvSpec *spec = make_spec(id, "");
  Fleet *fleet = make_fleet(spec, N, 2, 0);
  CelAgent *agent;
  CelAgentOptions options;
  char copy[256], *rest = copy;
  assert_ok(cel_algo_find(algo, &info));
  void *config = calloc(1, info->config_size);
  cel_fields_default(info->fields, config);
  snprintf(copy, sizeof copy, "%s", settings);
  for (char *pair; (pair = strsep(&rest, " ")) != NULL;) {
    char *value = strchr(pair, '=');
    *value++ = 0;
    assert_ok(cel_fields_set(info->fields, config, pair, value));
  }
  options = cel_agent_options_default();
  options.n_envs = N;
  options.threads = 2;
  assert_ok(cel_agent_create(&agent, algo, config, &spec->observation, &spec->action, &options));
  Count count = {0};
  const CelRunHooks hooks = {.user = &count, .updated = count_update};
  assert_ok(cel_vecenv_reset(&fleet->env));
  assert_ok(cel_learn(agent, &fleet->env, steps, &hooks));
  assert_true(count.updates > 3);
  cel_agent_destroy(agent);
  free(config);
  free_fleet(fleet);
  cel_env_spec_destroy(spec);
}

static void training_allocates_nothing(void **state) {
  (void)state;
  if (!counting_allocations()) skip();
  train_without_allocations("sac", "Humanoid-v4",
                            "net_arch=16,16 learning_starts=20 batch_size=16 buffer_size=1000", 1,
                            200);
  train_without_allocations("ppo", "Ant-v5", "net_arch=16,16 n_steps=32 batch_size=32", 4, 1024);
}

// ---- errors

/// Writes a model file. Returns its path, valid until the next call.
static const char *model_file(const char *text) {
  static char path[128];
  snprintf(path, sizeof path, "%s/model.xml", folder);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs(text, file);
  fclose(file);
  return path;
}

/// Creating Ant-v5 with a model must fail.
static void refuses_model(const char *text, CelStatus status, const char *words) {
  CelEnvSpec *spec = NULL;
  const CelEnvType *type;
  assert_ok(cel_env_find("Ant-v5", &type));
  CeliArguments a;
  cel_fields_default(type->fields, &a);
  assert_ok(cel_fields_set(type->fields, &a, "xml_file", model_file(text)));
  assert_fails(cel_env_spec_create(&spec, "Ant-v5", &a, NULL), status, words);
  assert_null(spec);
}

static void broken_models_are_refused(void **state) {
  (void)state;
  refuses_model("<mujoco><worldbody><body></worldbody></mujoco>", CEL_E_FORMAT,
                "Ant-v5|model.xml|MuJoCo cannot load this model|XML");
  refuses_model("<mujoco><worldbody><geom type='egg'/></worldbody></mujoco>", CEL_E_FORMAT,
                "model.xml|egg");
  refuses_model("", CEL_E_FORMAT, "model.xml");
  refuses_model("<mujoco><worldbody><body><geom size='1'/><freejoint/></body></worldbody></mujoco>",
                CEL_E_SHAPE, "model.xml|no actuators");
  refuses_model("<mujoco><worldbody><body><geom size='1'/><joint name='j'/></body></worldbody>"
                "<actuator><motor joint='j'/></actuator></mujoco>",
                CEL_E_SHAPE, "1 positions|at least 3");
  CelEnvSpec *spec = NULL;
  const CelEnvType *type;
  CeliArguments a;
  assert_ok(cel_env_find("Ant-v5", &type));
  cel_fields_default(type->fields, &a);
  assert_ok(cel_fields_set(type->fields, &a, "main_body", "wing"));
  assert_fails(cel_env_spec_create(&spec, "Ant-v5", &a, NULL), CEL_E_NAME,
               "ant.xml|no body 'wing'|13 bodies|torso");
  assert_ok(cel_fields_set(type->fields, &a, "main_body", "14"));
  assert_fails(cel_env_spec_create(&spec, "Ant-v5", &a, NULL), CEL_E_NAME, "no body '14'");
  assert_ok(cel_fields_set(type->fields, &a, "xml_file", "/nowhere/x.xml"));
  assert_fails(cel_env_spec_create(&spec, "Ant-v5", &a, NULL), CEL_E_IO, "/nowhere/x.xml");
  assert_ok(cel_fields_set(type->fields, &a, "xml_file", "spider.xml"));
  assert_fails(cel_env_spec_create(&spec, "Ant-v5", &a, NULL), CEL_E_IO,
               "spider.xml|script/setup mujoco|CELSIUS_MUJOCO_MODELS");
}

/// A pole with a motor so strong that the simulation diverges.
static const char *const explosive =
    "<mujoco><option timestep='0.1'/><worldbody><body><joint name='x' type='slide'/>"
    "<geom size='0.1'/><body><joint name='strong' type='hinge' axis='0 1 0'/>"
    "<geom type='capsule' size='0.1' fromto='0 0 0 0 0 1'/></body></body></worldbody><actuator>"
    "<motor joint='strong' gear='1e12' ctrllimited='true' ctrlrange='-1 1'/></actuator></mujoco>";

static void a_simulation_that_diverges_is_an_error(void **state) {
  (void)state;
  char arguments[192];
  snprintf(arguments, sizeof arguments, "xml_file=%s", model_file(explosive));
  CelEnvSpec *spec = make_spec("InvertedPendulum-v5", arguments);
  Fleet *fleet = make_fleet(spec, 3, 1, 0);
  const float actions[3] = {0, 1, 0};
  assert_ok(cel_vecenv_reset(&fleet->env));
  CelStatus status = CEL_OK;
  for (int t = 0; t < 20 && status == CEL_OK; t++)
    status = cel_vecenv_step(&fleet->env, actions, 0, 3);
  assert_int_equal(status, CEL_E_ENV);
  expect_words("InvertedPendulum-v5|environment 1: |the simulation diverged|joint strong|timestep");
  // The spec is still of use.
  const float still[3] = {0, 0, 0};
  assert_ok(cel_vecenv_reset(&fleet->env));
  assert_ok(cel_vecenv_step(&fleet->env, still, 0, 3));
  free_fleet(fleet);
  cel_env_spec_destroy(spec);
}

/// Falling balls in a model with little memory. Returns the status of the first step that fails.
static CelStatus step_with_memory(const char *memory) {
  char arguments[192], model[1024];
  snprintf(
      model, sizeof model,
      "<mujoco><size memory='%s'/><worldbody><geom type='plane' size='1 1 1'/><body><freejoint/>"
      "<geom size='0.1'/></body><body pos='0 0 .15'><freejoint/><geom size='0.1'/></body><body "
      "pos='0 .1 .3'><joint name='j'/><geom size='0.1'/></body></worldbody><actuator><motor "
      "joint='j' ctrllimited='true' ctrlrange='-1 1'/></actuator></mujoco>",
      memory);
  snprintf(arguments, sizeof arguments, "xml_file=%s", model_file(model));
  CelEnvSpec *spec = make_spec("InvertedPendulum-v5", arguments);
  Fleet *fleet = make_fleet(spec, 1, 1, 0);
  CelStatus status = cel_vecenv_reset(&fleet->env);
  const float action = 0;
  for (int t = 0; t < 20 && status == CEL_OK; t++)
    status = cel_vecenv_step(&fleet->env, &action, 0, 1);
  free_fleet(fleet);
  cel_env_spec_destroy(spec);
  return status;
}

/// A fatal error of MuJoCo does not end the process. Contacts for which there is no memory are not
/// left out silently.
static void too_little_memory_is_an_error(void **state) {
  (void)state;
  assert_int_equal(step_with_memory("1M"), CEL_OK);
  assert_int_equal(step_with_memory("9K"), CEL_E_ENV);
  expect_words("InvertedPendulum-v5|MuJoCo reports|out of memory|increase <size memory");
  assert_null(strchr(cel_error(), '\n'));
  assert_int_equal(step_with_memory("4K"), CEL_E_ENV);
  expect_words("no memory for all constraints|raise <size memory");
}

// ---- presets

static void every_preset_reads(void **state) {
  (void)state;
  int n = 0;
  for (int i = 0; cel_preset_at(i); i++) {
    const CelPreset *preset = cel_preset_at(i);
    const CelEnvType *type;
    CelSetup *setup = NULL;
    if (cel_env_find(preset->name, &type) != CEL_OK) continue; // a preset of no environment
    if (type->open != celi_mujoco_open) continue;
    assert_ok(cel_setup_create(&setup, preset->algo, preset->name));
    assert_ok(cel_setup_preset(setup, "auto"));
    assert_true(setup->run.steps >= 1000000);
    cel_setup_destroy(setup);
    n++;
  }
  assert_true(n >= 40);
}

static int setup(void **state) {
  (void)state;
  register_tasks();
  return mkdtemp(folder) ? 0 : 1;
}

static int teardown(void **state) {
  (void)state;
  char path[64];
  snprintf(path, sizeof path, "%s/model.xml", folder);
  unlink(path);
  return rmdir(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_state_is_all_that_a_step_needs),
      cmocka_unit_test(equal_to_batches_of_mujoco),
      cmocka_unit_test(threads_change_no_bit),
      cmocka_unit_test(training_allocates_nothing),
      cmocka_unit_test(broken_models_are_refused),
      cmocka_unit_test(a_simulation_that_diverges_is_an_error),
      cmocka_unit_test(too_little_memory_is_an_error),
      cmocka_unit_test(every_preset_reads),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
