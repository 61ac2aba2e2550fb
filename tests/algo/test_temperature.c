/// A learned temperature: which target entropies a policy can reach, where a diverging temperature
/// ends, and "auto_X".
#include "celsius/agent.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { O = 2, A = 3, CHOICES = 4 };

static void ok(CelStatus status) {
  if (status != CEL_OK) fail_msg("status %d: %s", (int)status, cel_error());
}

typedef const char *Setting[2];

static CelStatus make(CelAgent **out, const char *algo, const Setting *settings) {
  static const Setting small[] = {{"net_arch", "4"},
                                  {"batch_size", "8"},
                                  {"buffer_size", "100"},
                                  {"learning_starts", "0"},
                                  {NULL}};
  const CelAlgoInfo *info;
  ok(cel_algo_find(algo, &info));
  const CelSpace observation = cel_space_box(O, -(double)INFINITY, (double)INFINITY),
                 action = strcmp(algo, "dsac") == 0 ? cel_space_discrete(CHOICES)
                                                    : cel_space_box(A, -100, 900);
  const CelAgentOptions options = {.n_envs = 1, .seed = 3, .threads = 1};
  void *config = calloc(1, info->config_size);
  assert_non_null(config);
  cel_fields_default(info->fields, config);
  for (int i = 0; small[i][0]; i++)
    ok(cel_fields_set(info->fields, config, small[i][0], small[i][1]));
  for (int i = 0; settings[i][0]; i++)
    ok(cel_fields_set(info->fields, config, settings[i][0], settings[i][1]));
  const CelStatus status = cel_agent_create(out, algo, config, &observation, &action, &options);
  free(config);
  return status;
}

/// The largest entropy of tanh(sigma z) over sigma is 0.68363556 nats (quadrature and golden
/// section search in Python); at sigma = 0.1 it is -0.89359721. A Gaussian has 0.5 log(2 pi e) +
/// log sigma = 1.41893853 + log sigma.
static const struct {
  const char *algo, *policy, *log_std_max, *use_sde;
  double most; ///< nats, all dimensions
} limits[] = {{"dsac", NULL, NULL, NULL, 1.38629436},
              {"sac", "squashed_gaussian", "2", "false", A * 0.68363556},
              {"sac", "squashed_gaussian", "2", "true", A * 0.68363556},
              {"sac", "squashed_gaussian", "-2.302585093", "false", A * -0.89359721},
              {"sac", "gaussian", "1", "false", A * 2.41893853},
              {"sacv", "squashed_gaussian", "2", NULL, A * 0.68363556},
              {"sacv", "gaussian", "1", NULL, A * 2.41893853}};

static CelStatus make_with_target(CelAgent **out, size_t i, const char *ent_coef, double target) {
  char text[40];
  int n = 0;
  Setting settings[6] = {{NULL}};
  snprintf(text, sizeof text, "%.9g", target);
  settings[n][0] = "target_entropy", settings[n++][1] = text;
  settings[n][0] = "ent_coef", settings[n++][1] = ent_coef;
  if (limits[i].policy) settings[n][0] = "policy", settings[n++][1] = limits[i].policy;
  if (limits[i].log_std_max)
    settings[n][0] = "log_std_max", settings[n++][1] = limits[i].log_std_max;
  if (limits[i].use_sde) settings[n][0] = "use_sde", settings[n++][1] = limits[i].use_sde;
  settings[n][0] = NULL;
  return make(out, limits[i].algo, (const Setting *)settings);
}

static void reachable_targets(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
    CelAgent *agent;
    ok(make_with_target(&agent, i, "auto", limits[i].most - 1e-4));
    cel_agent_destroy(agent);
    if (make_with_target(&agent, i, "auto", limits[i].most + 1e-4) != CEL_E_RANGE)
      fail_msg("row %zu: a target of %.9g is accepted", i, limits[i].most + 1e-4);
    if (!strstr(cel_error(), "cannot be reached")) fail_msg("%s", cel_error());
    ok(make_with_target(&agent, i, "0.2", limits[i].most + 1)); // a fixed temperature has no target
    cel_agent_destroy(agent);
  }
}

// ---- a temperature that diverges

static void learn(CelAgent *agent, bool choices) {
  float obs[O] = {0.5f, -0.5f}, actions[A];
  int32_t choice;
  const float reward = 0;
  const uint8_t no = 0;
  const CelOutcome outcome = {&reward, &no, &no, obs, obs};
  ok(cel_agent_act(agent, obs, NULL, CEL_EXPLORE, choices ? (void *)&choice : (void *)actions));
  ok(cel_agent_observe(agent, &outcome));
  ok(cel_agent_update_n(agent, 1));
}

/// Log of the temperature after an update from `start`, with a target entropy that such a narrow
/// policy cannot reach.
static double after_update(CelAgent *agent, bool choices, double start) {
  float *log_alpha = cel_tensors_find(cel_agent_tensors(agent), "log_ent_coef")->data;
  *log_alpha = (float)log(start);
  ok(cel_agent_sync(agent));
  learn(agent, choices);
  return (double)*log_alpha;
}

static void bound_and_note(void **state) {
  (void)state;
  static const char *const algos[] = {"dsac", "sac", "sacv"};
  for (int i = 0; i < 3; i++) {
    const bool choices = i == 0;
    // Close to the largest entropies: the policy stays below them.
    const Setting settings[] = {
        {"target_entropy", choices ? "1.3862" : "2.05"}, {"learning_rate", "0.01"}, {NULL}};
    CelAgent *agent;
    ok(make(&agent, algos[i], settings));
    learn(agent, choices);
    assert_string_equal(cel_agent_note(agent), "");
    double log_alpha = after_update(agent, choices, 1.1e4);
    if (!(log_alpha > log(1.1e4))) fail_msg("%s: the temperature does not rise", algos[i]);
    if (!strstr(cel_agent_note(agent), "has risen above 10000"))
      fail_msg("%s", cel_agent_note(agent));
    log_alpha = after_update(agent, choices, 0.9999e12);
    if (!(fabs(log_alpha - log(1e12)) < 1e-5)) fail_msg("%s: %.9g", algos[i], log_alpha);
    if (!strstr(cel_agent_note(agent), "held at its bound 1e+12"))
      fail_msg("%s", cel_agent_note(agent));
    cel_agent_destroy(agent);
  }
}

/// "auto_0.1" of Stable-Baselines3: learned, with the initial value 0.1.
static void auto_with_a_start(void **state) {
  (void)state;
  static const char *const algos[] = {"dsac", "sac", "sacv"};
  for (int i = 0; i < 3; i++) {
    const Setting settings[] = {{"ent_coef", "auto_0.1"}, {NULL}},
                  fixed[] = {{"ent_coef", "0.1"}, {NULL}};
    CelAgent *agent;
    ok(make(&agent, algos[i], settings));
    if (fabs(cel_agent_temperature(agent) - 0.1) > 1e-8)
      fail_msg("%s: %.9g", algos[i], cel_agent_temperature(agent));
    learn(agent, i == 0);
    assert_true(fabs(cel_agent_temperature(agent) - 0.1) > 1e-6); // learned
    cel_agent_destroy(agent);
    ok(make(&agent, algos[i], fixed));
    learn(agent, i == 0);
    assert_true(fabs(cel_agent_temperature(agent) - 0.1) < 1e-8);
    cel_agent_destroy(agent);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(reachable_targets),
                                     cmocka_unit_test(bound_and_note),
                                     cmocka_unit_test(auto_with_a_start)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
