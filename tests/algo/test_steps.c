/// The optimizers of on-policy learners over several consecutive updates: every parameter is
/// compared with Adam, RMSProp and gradient descent written out in double, with their moments,
/// decay, clipping and schedules.
///
/// The gradients are the library's own; other tests compare those of one update with PyTorch. Each
/// update has one gradient step, so its gradient is still available afterwards.
#include "on_policy_test.h"

enum { UPDATES = 4, MOST = 2048, GROUPS = 2, TOTAL = 2 * UPDATES * ON_T * ON_N };

typedef enum Kind { ADAM, RMSPROP, DESCENT } Kind;

/// The parameters of one optimizer: names that begin with `first` or `second`.
typedef struct Group {
  const char *first, *second;
  double rate; ///< initial value; it decreases linearly to 0
} Group;

typedef struct Case {
  const char *algo;
  const char *settings[10][2];
  Kind kind;
  double beta1, beta2, epsilon, decay, clip;
  Group groups[GROUPS];
} Case;

static const Case cases[] = {
    {"ppo",
     {{"adam_beta1", "0.8"},
      {"adam_beta2", "0.95"},
      {"adam_epsilon", "1e-3"},
      {"weight_decay", "0.5"},
      {"max_grad_norm", "0.2"},
      {"n_epochs", "1"}},
     ADAM,
     0.8,
     0.95,
     1e-3,
     0.5,
     0.2,
     {{"actor.", "critic.", 0.02}}},
    {"a2c",
     {{"optimizer", "adam"},
      {"adam_beta1", "0.8"},
      {"adam_beta2", "0.95"},
      {"epsilon", "1e-3"},
      {"max_grad_norm", "0.2"}},
     ADAM,
     0.8,
     0.95,
     1e-3,
     0,
     0.2,
     {{"actor.", "critic.", 0.02}}},
    {"a2c",
     {{"rms_decay", "0.9"}, {"epsilon", "1e-2"}, {"max_grad_norm", "0"}},
     RMSPROP,
     0,
     0.9,
     1e-2,
     0,
     0,
     {{"actor.", "critic.", 0.02}}},
    {"ac",
     {{"adam_beta1", "0.8"},
      {"adam_beta2", "0.95"},
      {"adam_epsilon", "1e-3"},
      {"max_grad_norm", "0.1"},
      {"critic_learning_rate", "lin_0.05"}},
     ADAM,
     0.8,
     0.95,
     1e-3,
     0,
     0.1,
     {{"actor.", "actor.", 0.02}, {"critic.", "critic.", 0.05}}},
    {"ac",
     {{"optimizer", "sgd"}, {"critic_learning_rate", "lin_0.05"}, {"max_grad_norm", "0.3"}},
     DESCENT,
     0,
     0,
     0,
     0,
     0.3,
     {{"actor.", "actor.", 0.02}, {"critic.", "critic.", 0.05}}},
    {"reinforce",
     {{"adam_beta1", "0.8"},
      {"adam_beta2", "0.95"},
      {"adam_epsilon", "1e-3"},
      {"max_grad_norm", "0.1"},
      {"critic_learning_rate", "lin_0.05"},
      {"baseline_steps", "1"}},
     ADAM,
     0.8,
     0.95,
     1e-3,
     0,
     0.1,
     {{"actor.", "actor.", 0.02}, {"critic.", "critic.", 0.05}}},
    {"trpo",
     {{"adam_beta1", "0.8"},
      {"adam_beta2", "0.95"},
      {"adam_epsilon", "1e-3"},
      {"n_critic_updates", "1"}},
     ADAM,
     0.8,
     0.95,
     1e-3,
     0,
     0,
     {{"critic.", "critic.", 0.02}}},
};

static CelAgent *make(const Case *c) {
  static const char *const common[][2] = {{"net_arch", "6,5"},
                                          {"n_steps", "10"},
                                          {"gamma", "0.9"},
                                          {"learning_rate", "lin_0.02"},
                                          {NULL, NULL}};
  const CelSpace observation = cel_space_box(ON_O, -INFINITY, INFINITY),
                 action = on_actions(ON_BOX);
  const CelAgentOptions options = {.n_envs = ON_N, .seed = 7, .threads = 1, .total_steps = TOTAL};
  const CelAlgoInfo *info;
  CelAgent *agent;
  assert_int_equal(cel_algo_find(c->algo, &info), CEL_OK);
  void *config = calloc(1, info->config_size);
  assert_non_null(config);
  cel_fields_default(info->fields, config);
  on_set(info, config, common);
  on_set(info, config, c->settings);
  if (cel_agent_create(&agent, c->algo, config, &observation, &action, &options) != CEL_OK)
    fail_msg("%s: %s", c->algo, cel_error());
  free(config);
  return agent;
}

/// Copies the parameters of a group, or their mirrors under `prefix`, to one array. Returns their
/// number.
static int row_of(CelAgent *agent, const Group *group, const char *prefix, double row[MOST]) {
  const CelTensors *tensors = cel_agent_tensors(agent);
  int n = 0;
  for (int64_t i = 0; i < cel_tensors_count(tensors); i++) {
    const CelTensor *t = cel_tensors_at(tensors, i);
    char name[CEL_NAME_MAX + 16];
    if (t->role != CEL_PARAM || (strncmp(t->name, group->first, strlen(group->first)) != 0 &&
                                 strncmp(t->name, group->second, strlen(group->second)) != 0))
      continue;
    snprintf(name, sizeof name, "%s%s", prefix, t->name);
    const CelTensor *have = cel_tensors_find(tensors, name);
    if (!have || n + have->size > MOST) fail_msg("no room for, or no tensor %s", name);
    for (int64_t k = 0; k < have->size; k++) row[n++] = (double)((const float *)have->data)[k];
  }
  return n;
}

typedef struct Oracle {
  double p[MOST], m[MOST], v[MOST];
  int t;
} Oracle;

/// One step from o->p along the gradient g.
static void step(const Case *c, Oracle *o, const double *g, int n, double rate) {
  double square = 0;
  for (int k = 0; k < n; k++) square += g[k] * g[k];
  const double scale = c->clip > 0 ? fmin(1, c->clip / (sqrt(square) + 1e-6)) : 1;
  o->t++;
  for (int k = 0; k < n; k++) {
    const double x = scale * g[k];
    o->p[k] *= 1 - rate * c->decay;
    o->m[k] = c->beta1 * o->m[k] + (1 - c->beta1) * x;
    o->v[k] = c->beta2 * o->v[k] + (1 - c->beta2) * x * x;
    if (c->kind == ADAM)
      o->p[k] -= rate * (o->m[k] / (1 - pow(c->beta1, o->t))) /
                 (sqrt(o->v[k] / (1 - pow(c->beta2, o->t))) + c->epsilon);
    else
      o->p[k] -= rate * (c->kind == RMSPROP ? x / (sqrt(o->v[k]) + c->epsilon) : x);
  }
}

static void check(const Case *c, const Group *group, CelAgent *agent, Oracle *o, int update) {
  double g[MOST], now[MOST], before[MOST], difference = 0, moved = 0;
  const int n = row_of(agent, group, "grad.", g);
  const double left = 1 - (double)cel_agent_steps(agent) / TOTAL;
  memcpy(before, o->p, sizeof before);
  step(c, o, g, n, group->rate * left);
  assert_int_equal(row_of(agent, group, "", now), n);
  for (int k = 0; k < n; k++)
    difference += pow(now[k] - o->p[k], 2), moved += pow(o->p[k] - before[k], 2);
  assert_true(moved > 0);
  if (!(sqrt(difference / moved) < 1e-4))
    fail_msg("%s (kind %d), update %d: %s is off by %.2e of its step", c->algo, (int)c->kind,
             update, group->first, sqrt(difference / moved));
  memcpy(o->p, now, sizeof now); // rounding errors do not accumulate
}

static void test_steps(void **state) {
  (void)state;
  static Oracle oracle[GROUPS];
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const Case *c = &cases[i];
    CelAgent *agent = make(c);
    on_disturb(agent, 1);
    memset(oracle, 0, sizeof oracle);
    for (int j = 0; j < GROUPS && c->groups[j].first; j++)
      assert_true(row_of(agent, &c->groups[j], "", oracle[j].p) > 50);
    for (int k = 1; k <= UPDATES; k++) {
      on_feed(agent, (k - 1) * ON_T, ON_T);
      on_update(agent);
      for (int j = 0; j < GROUPS && c->groups[j].first; j++)
        check(c, &c->groups[j], agent, &oracle[j], k);
    }
    assert_int_equal(cel_agent_updates(agent), UPDATES);
    cel_agent_destroy(agent);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_steps)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
