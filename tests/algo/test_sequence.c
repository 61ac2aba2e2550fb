/// Several consecutive updates of the off-policy learners compared with PyTorch in float64
/// (tests/golden/torch_sequence.py): sampling, optimizer moments, gradient clipping, weight decay,
/// the learning rate schedule, the temperature, and when and how far target networks move.
///
/// A golden file holds the test's inputs of each update k ("in.K.NAME", bit for bit) and, after the
/// last update, every parameter, target and moment ("out.NAME"). `CELSIUS_DUMP=FOLDER` writes
/// ALGO.CASE.K.safetensors instead.
#include "learner_test.h"

enum { UPDATES = 5, BETWEEN = 3 /* steps between updates */ };

/// "plain" uses Adam's defaults. "tuned" changes every field that matters between updates.
static const LearnerCase cases[] = {
    {"plain", {{"learning_rate", "0.01"}, {"tau", "0.3"}}},
    {"tuned",
     {{"learning_rate", "lin_0.02"},
      {"tau", "0.2"},
      {"target_update_interval", "2"},
      {"adam_beta1", "0.8"},
      {"adam_beta2", "0.95"},
      {"adam_epsilon", "1e-3"},
      {"weight_decay", "0.5"},
      {"max_grad_norm", "0.3"}}},
};

#define COMMON                                                                                     \
  .settings = {{"net_arch", "6,5"},                                                                \
               {"batch_size", "7"},                                                                \
               {"buffer_size", "200"},                                                             \
               {"learning_starts", "1000000"},                                                     \
               {"gamma", "0.9"}},                                                                  \
  .cases = cases, .n_cases = sizeof cases / sizeof cases[0],                                       \
  .total_steps = LEARNER_N * (LEARNER_STEPS + 2 * UPDATES * BETWEEN)

static const Learner learners[] = {
    {.algo = "sac", COMMON},
    {.algo = "sacv", COMMON},
    {.algo = "dsac", .discrete = true, COMMON},
    {.algo = "sql", .discrete = true, COMMON},
    {.algo = "sqlc", COMMON},
    {.algo = "td3", COMMON},
    {.algo = "dqn", .discrete = true, COMMON},
};
enum { LEARNERS = sizeof learners / sizeof learners[0] };

/// Observes a few steps and makes one update.
static void advance(const Learner *learner, CelAgent *agent) {
  learner_feed(learner, agent, BETWEEN);
  learner_update(agent, 1);
}

static CelAgent *begin(const Learner *learner, const LearnerCase *c) {
  CelAgent *agent = learner_make(learner, c, NULL, 1);
  learner_disturb(agent);
  learner_feed(learner, agent, LEARNER_STEPS);
  return agent;
}

static void dump(const char *folder, const Learner *learner, const LearnerCase *c) {
  CelAgent *agent = begin(learner, c);
  for (int k = 0; k <= UPDATES; k++) {
    char path[512];
    if (k > 0) advance(learner, agent);
    snprintf(path, sizeof path, "%s/%s.%s.%d.safetensors", folder, learner->algo, c->name, k);
    assert_int_equal(
        cel_safetensors_write(path, cel_agent_tensors(agent), ~(1u << CEL_REPLAY), NULL, 0),
        CEL_OK);
  }
  cel_agent_destroy(agent);
}

static const CelTensor *find(const CelAgent *agent, const char *name) {
  const CelTensor *t = cel_tensors_find(cel_agent_tensors((CelAgent *)(uintptr_t)agent), name);
  if (!t) fail_msg("no tensor %s", name);
  return t;
}

/// The inputs of update k (0: the initial parameters) must equal those of the golden file.
static void check_inputs(const char *which, const CelAgent *agent, const CelSafetensors *golden,
                         int k) {
  char prefix[32];
  int compared = 0;
  snprintf(prefix, sizeof prefix, "in.%d.", k);
  for (int64_t i = 0; i < cel_safetensors_count(golden); i++) {
    const CelTensor *t = cel_safetensors_at(golden, i);
    if (strncmp(t->name, prefix, strlen(prefix)) != 0) continue;
    const char *name = t->name + strlen(prefix);
    if (memcmp(find(agent, name)->data, t->data, (size_t)t->size * cel_type_size(t->type)) != 0)
      fail_msg("%s: %s of update %d differs from the input of the golden file", which, name, k);
    compared++;
  }
  assert_true(compared >= 3);
}

/// Distance of an updated tensor from the expected one, relative to how far that moved from `start`
/// (NULL: from 0).
static double distance(const CelTensor *have, const CelTensor *want, const CelTensor *start) {
  double difference = 0, moved = 0;
  assert_int_equal(have->size, want->size);
  for (int64_t k = 0; k < want->size; k++) {
    const double w = ((const double *)want->data)[k],
                 from = start ? (double)((const float *)start->data)[k] : 0;
    difference += pow((double)((const float *)have->data)[k] - w, 2), moved += pow(w - from, 2);
  }
  return sqrt(difference) / (sqrt(moved) + 1e-12);
}

static void check_results(const char *which, const CelAgent *agent, const CelSafetensors *golden) {
  int compared = 0;
  for (int64_t i = 0; i < cel_safetensors_count(golden); i++) {
    const CelTensor *t = cel_safetensors_at(golden, i);
    char start[CEL_NAME_MAX + 8];
    if (strncmp(t->name, "out.", 4) != 0) continue;
    snprintf(start, sizeof start, "in.0.%s", t->name + 4);
    const double d = distance(find(agent, t->name + 4), t, cel_safetensors_find(golden, start));
    if (!(d < 2e-4)) fail_msg("%s: %s is off by %.2e of its change", which, t->name + 4, d);
    compared++;
  }
  assert_true(compared >= 18);
}

/// The log contains the learning rate of each update: the value of the schedule for the steps so
/// far.
static void check_rate(const char *which, const LearnerCase *c, const CelAgent *agent,
                       int64_t total) {
  const double left = 1 - (double)cel_agent_steps(agent) / (double)total,
               want = strcmp(c->name, "tuned") == 0 ? 0.02 * left : 0.01,
               have = learner_metric(agent, "train/learning_rate");
  if (!(fabs(have - want) < 1e-12))
    fail_msg("%s: learning rate %.9g, the schedule says %.9g", which, have, want);
}

static void test_against_pytorch(void **state) {
  (void)state;
  const char *folder = getenv("CELSIUS_DUMP");
  for (int i = 0; i < LEARNERS * (int)(sizeof cases / sizeof cases[0]); i++) {
    const Learner *learner = &learners[i % LEARNERS];
    const LearnerCase *c = &cases[i / LEARNERS];
    char path[512], which[64];
    CelSafetensors *golden;
    if (folder) {
      dump(folder, learner, c);
      continue;
    }
    snprintf(which, sizeof which, "%s.%s", learner->algo, c->name);
    snprintf(path, sizeof path, "%s/golden/sequence/%s.safetensors", CELSIUS_TEST_DIR, which);
    if (cel_safetensors_open(path, &golden) != CEL_OK) fail_msg("%s", cel_error());
    CelAgent *agent = begin(learner, c);
    check_inputs(which, agent, golden, 0);
    for (int k = 1; k <= UPDATES; k++) {
      advance(learner, agent);
      check_inputs(which, agent, golden, k);
      check_rate(which, c, agent, learner->total_steps);
    }
    check_results(which, agent, golden);
    cel_safetensors_close(golden);
    cel_agent_destroy(agent);
  }
}

/// Index of `row` in the list of rows seen so far, which has room for `most`.
static int place_of(int64_t *seen, int *n, int most, int64_t row) {
  for (int k = 0; k < *n; k++)
    if (seen[k] == row) return k;
  if (*n == most)
    fail_msg("more than %d rows are sampled, which is the number of transitions", most);
  seen[*n] = row;
  return (*n)++;
}

/// Every update samples a new batch, uniformly. Over many updates all transitions are sampled about
/// equally often (chi-square, 39 degrees of freedom, one in a thousand). An element's row equals
/// that of the last batch about once in 40 times.
static void test_every_update_samples_anew(void **state) {
  (void)state;
  enum { B = 32, DRAWS = 200, TRANSITIONS = 40 };
  static const char *const more[][2] = {{"batch_size", "32"}, {"learning_rate", "0"}, {NULL, NULL}};
  const double expected = (double)(B * DRAWS) / TRANSITIONS;
  for (int i = 0; i < LEARNERS; i++) {
    CelAgent *agent = learner_make(&learners[i], NULL, more, 1);
    int64_t seen[TRANSITIONS], last[B] = {0};
    int count[TRANSITIONS] = {0}, n = 0, equal = 0;
    double chi = 0;
    learner_feed(&learners[i], agent, TRANSITIONS / LEARNER_N);
    for (int k = 0; k < DRAWS; k++) {
      learner_update(agent, 1);
      const int64_t *row = find(agent, "batch.row")->data;
      for (int b = 0; b < B; b++) {
        count[place_of(seen, &n, TRANSITIONS, row[b])]++;
        equal += k > 0 && row[b] == last[b];
      }
      memcpy(last, row, sizeof last);
    }
    for (int k = 0; k < TRANSITIONS; k++) chi += pow(count[k] - expected, 2) / expected;
    if (!(chi < 72.1)) fail_msg("%s: chi-square %.1f of 39 degrees", learners[i].algo, chi);
    // The expected number is 159 of 6368, with a standard deviation of 12.5.
    if (!(equal < 209))
      fail_msg("%s: %d of %d rows are sampled again", learners[i].algo, equal, 6368);
    cel_agent_destroy(agent);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_against_pytorch),
      cmocka_unit_test(test_every_update_samples_anew),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
