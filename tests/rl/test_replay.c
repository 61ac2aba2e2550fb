/// The replay buffer compared with an oracle that keeps every transition in a list: which
/// transitions can be sampled, how often, and what each window contains.
#include "ops/ops.h"
#include "rl/replay.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { O = 3, A = 2, STEPS_MAX = 4096, ENVS_MAX = 4 };

/// A transition as reported. `t` is part of its observation, so a sample identifies itself.
typedef struct Transition {
  float action[A], reward;
  bool terminated, truncated;
  int64_t row; ///< rows that its environment had stored before its observation
} Transition;

typedef struct World {
  CelTensors *tensors;
  CeliReplay replay;
  uint64_t *counter;
  int64_t N, T; ///< environments, steps of each so far
  int64_t rows[ENVS_MAX];
  Transition list[ENVS_MAX][STEPS_MAX];
  CelRng rng;
  double p_terminated, p_truncated;
} World;

/// Observation of environment e before step t, or (`final`) the final observation of the episode
/// that step t - 1 ended.
static void observation(float obs[O], int64_t e, int64_t t, bool final) {
  obs[0] = (float)e;
  obs[1] = (float)t;
  obs[2] = final ? 1.0f : 0.0f;
}

static World *world_create(int64_t N, int64_t capacity, double p_terminated, double p_truncated,
                           uint64_t seed) {
  World *w = calloc(1, sizeof *w);
  assert_non_null(w);
  const CelSpace obs = cel_space_box(O, -HUGE_VAL, HUGE_VAL), action = cel_space_box(A, -1, 1);
  const int64_t one = 1;
  assert_int_equal(cel_tensors_create(&w->tensors), CEL_OK);
  assert_int_equal(celi_replay_declare(&w->replay, w->tensors, &obs, &action, N, capacity), CEL_OK);
  assert_int_equal(
      cel_tensors_declare(w->tensors, "counter", CEL_U64, CEL_STATE, &w->counter, 1, &one), CEL_OK);
  assert_int_equal(cel_tensors_allocate(w->tensors), CEL_OK);
  w->N = N;
  w->rng = cel_rng(seed, CEL_RNG_USER, 0);
  w->p_terminated = p_terminated;
  w->p_truncated = p_truncated;
  float first[ENVS_MAX][O];
  for (int64_t e = 0; e < N; e++) {
    observation(first[e], e, 0, false);
    w->rows[e] = 1;
  }
  celi_replay_start(&w->replay, first);
  return w;
}

static void world_destroy(World *w) {
  cel_tensors_destroy(w->tensors);
  free(w);
}

static void world_step(World *w) {
  float action[ENVS_MAX][A], reward[ENVS_MAX], next[ENVS_MAX][O], final[ENVS_MAX][O];
  uint8_t terminated[ENVS_MAX], truncated[ENVS_MAX];
  assert_true(w->T < STEPS_MAX);
  for (int64_t e = 0; e < w->N; e++) {
    Transition *x = &w->list[e][w->T];
    for (int k = 0; k < A; k++) action[e][k] = x->action[k] = (float)cel_rng_range(&w->rng, -1, 1);
    reward[e] = x->reward = (float)cel_rng_range(&w->rng, -2, 2);
    terminated[e] = x->terminated = cel_rng_uniform(&w->rng) < w->p_terminated;
    truncated[e] = x->truncated = cel_rng_uniform(&w->rng) < w->p_truncated;
    x->row = w->rows[e] - 1;
    w->rows[e] += 1 + (x->terminated || x->truncated);
    observation(next[e], e, w->T + 1, false);
    observation(final[e], e, w->T + 1, true);
    if (!x->terminated && !x->truncated) final[e][0] = NAN; // must not be read
  }
  celi_replay_add(&w->replay, action, reward, terminated, truncated, next, final);
  w->T++;
}

static bool drawable(const World *w, int64_t e, int64_t t) {
  return w->list[e][t].row >= w->rows[e] - w->replay.R;
}

static int64_t count_drawable(const World *w) {
  int64_t count = 0;
  for (int64_t e = 0; e < w->N; e++)
    for (int64_t t = 0; t < w->T; t++) count += drawable(w, e, t);
  return count;
}

// ---- a batch and its plan

enum { LD = O + A + 1 };
typedef struct Batch {
  int64_t B, n;
  float *sa, *next, *reward, *discount, *mid_obs, *mid_weight;
  int64_t *row;
  CeliPlan *plan;
  CeliTeam *team;
} Batch;

static Batch batch_create(World *w, int64_t B, int64_t n, double gamma, uint64_t seed,
                          int threads) {
  const size_t b = (size_t)B, m = (size_t)(n > 1 ? n - 1 : 1);
  Batch batch = {.B = B,
                 .n = n,
                 .sa = calloc(b * LD, sizeof(float)),
                 .next = calloc(b * LD, sizeof(float)),
                 .reward = calloc(b, sizeof(float)),
                 .discount = calloc(b, sizeof(float)),
                 .mid_obs = calloc(b * m * O, sizeof(float)),
                 .mid_weight = calloc(b * m, sizeof(float)),
                 .row = calloc(b, sizeof(int64_t))};
  const CeliReplayBatch spec = {.B = B,
                                .n = n,
                                .gamma = gamma,
                                .obs = batch.sa,
                                .ldo = LD,
                                .action = batch.sa + O,
                                .lda = LD,
                                .next_obs = batch.next,
                                .ldn = LD,
                                .reward = batch.reward,
                                .discount = batch.discount,
                                .mid_obs = n > 1 ? batch.mid_obs : NULL,
                                .mid_weight = n > 1 ? batch.mid_weight : NULL,
                                .row = batch.row};
  assert_int_equal(celi_plan_create(&batch.plan), CEL_OK);
  celi_replay_plan_sample(batch.plan, &w->replay, &spec, seed, w->counter);
  assert_int_equal(celi_plan_end(batch.plan), CEL_OK);
  assert_int_equal(celi_team_create(&batch.team, threads), CEL_OK);
  return batch;
}

static void batch_destroy(Batch *b) {
  celi_plan_destroy(b->plan);
  celi_team_destroy(b->team);
  free(b->sa), free(b->next), free(b->reward), free(b->discount);
  free(b->mid_obs), free(b->mid_weight), free(b->row);
}

static void draw(World *w, Batch *batch) {
  assert_int_equal(celi_plan_run(batch->plan, batch->team), CEL_OK);
  *w->counter += celi_replay_blocks(batch->B);
}

static void assert_obs(const float *got, int64_t e, int64_t t, bool final) {
  float want[O];
  observation(want, e, t, final);
  assert_memory_equal(got, want, sizeof want);
}

/// Sample i must be the window in the list.
static void check_sample(const World *w, const Batch *b, int64_t i, double gamma) {
  const float *sa = b->sa + i * LD;
  const int64_t e = (int64_t)sa[0], t0 = (int64_t)sa[1];
  assert_true(e >= 0 && e < w->N && t0 >= 0 && t0 < w->T);
  assert_obs(sa, e, t0, false);
  assert_true(drawable(w, e, t0));
  assert_memory_equal(sa + O, w->list[e][t0].action, sizeof w->list[e][t0].action);
  double reward = 0;
  int64_t m = 0;
  bool terminated = false, truncated = false;
  while (m < b->n && t0 + m < w->T && !terminated && !truncated) {
    const Transition *x = &w->list[e][t0 + m];
    reward += pow(gamma, (double)m) * (double)x->reward;
    terminated = x->terminated;
    truncated = x->truncated;
    m++;
  }
  assert_true(fabs((double)b->reward[i] - reward) <= 1e-6 * (1 + fabs(reward)));
  const double discount = terminated ? 0 : pow(gamma, (double)m);
  assert_true(fabs((double)b->discount[i] - discount) <= 1e-7);
  assert_obs(b->next + i * LD, e, t0 + m, terminated || truncated);
  for (int64_t k = 1; k < b->n; k++) {
    const float *mid = b->mid_obs + ((k - 1) * b->B + i) * O;
    const double weight = k < m ? pow(gamma, (double)k) : 0;
    assert_true(fabs((double)b->mid_weight[(k - 1) * b->B + i] - weight) <= 1e-7);
    if (k < m)
      assert_obs(mid, e, t0 + k, false);
    else
      assert_obs(mid, e, t0 + m, terminated || truncated);
  }
}

/// A long run: several times around the ring, with checks on the way.
static void live(int64_t N, int64_t capacity, int64_t n, double p_terminated, double p_truncated) {
  const double gamma = 0.9;
  const uint64_t seed = (uint64_t)(N * 1000 + capacity * 10 + n);
  print_message("N %d, capacity %d, n %d, p %.2f %.2f, seed %d\n", (int)N, (int)capacity, (int)n,
                p_terminated, p_truncated, (int)seed);
  World *w = world_create(N, capacity, p_terminated, p_truncated, seed);
  Batch batch = batch_create(w, 50, n, gamma, seed, 1);
  for (int64_t step = 0; step < 6 * capacity / N + 40; step++) {
    world_step(w);
    const int64_t count = count_drawable(w);
    assert_true(count >= 1);
    assert_int_equal(*w->replay.transitions, count);
    assert_int_equal(celi_replay_count(&w->replay), count);
    draw(w, &batch);
    for (int64_t i = 0; i < batch.B; i++) check_sample(w, &batch, i, gamma);
  }
  batch_destroy(&batch);
  world_destroy(w);
}

static void test_windows_against_list(void **state) {
  (void)state;
  static const int64_t windows[] = {1, 2, 3, 5};
  for (int k = 0; k < 4; k++) {
    live(1, 20, windows[k], 0, 0);
    live(1, 50, windows[k], 0.1, 0.05);
    live(3, 90, windows[k], 0.1, 0.1);
    live(2, 13, windows[k], 0.5, 0.5);
    live(1, 1, windows[k], 0.3, 0.3);
    live(4, 4, windows[k], 1, 0);
    live(2, 30, windows[k], 0, 1);
  }
}

/// Every transition that can be sampled is sampled equally often, and independently.
static void test_uniform(void **state) {
  (void)state;
  for (int variant = 0; variant < 3; variant++) {
    const int64_t N = variant == 1 ? 3 : 1;
    World *w = world_create(N, 120, variant == 2 ? 0.5 : 0.1, 0.05, 11 + (uint64_t)variant);
    const int64_t steps = variant == 0 ? 60 : 400; // half full, full, full of episode ends
    for (int64_t i = 0; i < steps; i++) world_step(w);
    Batch batch = batch_create(w, 250, 1, 0.9, 5, 1);
    static int64_t hits[ENVS_MAX][STEPS_MAX];
    memset(hits, 0, sizeof hits);
    const int64_t batches = 800;
    for (int64_t k = 0; k < batches; k++) {
      draw(w, &batch);
      for (int64_t i = 0; i < batch.B; i++)
        hits[(int64_t)batch.sa[i * LD]][(int64_t)batch.sa[i * LD + 1]]++;
    }
    const int64_t count = count_drawable(w);
    const double expected = (double)(batches * batch.B) / (double)count;
    double chi2 = 0;
    for (int64_t e = 0; e < N; e++)
      for (int64_t t = 0; t < w->T; t++) {
        const double d = (double)hits[e][t] - expected;
        if (drawable(w, e, t))
          chi2 += d * d / expected;
        else
          assert_int_equal(hits[e][t], 0);
      }
    const double df = (double)(count - 1);
    print_message("chi-square %.1f with %d degrees of freedom\n", chi2, (int)df);
    assert_true(fabs(chi2 - df) < 4.5 * sqrt(2 * df));
    batch_destroy(&batch);
    world_destroy(w);
  }
}

/// Any number of threads and any batch size give the same sample i.
static void test_same_for_any_cut(void **state) {
  (void)state;
  World *w = world_create(3, 60, 0.3, 0.1, 3);
  for (int i = 0; i < 200; i++) world_step(w);
  Batch one = batch_create(w, 101, 3, 0.99, 9, 1);
  Batch three = batch_create(w, 101, 3, 0.99, 9, 3);
  Batch part = batch_create(w, 37, 3, 0.99, 9, 1);
  Batch other = batch_create(w, 101, 3, 0.99, 10, 1);
  *w->counter = 7;
  assert_int_equal(celi_plan_run(one.plan, one.team), CEL_OK);
  assert_int_equal(celi_plan_run(three.plan, three.team), CEL_OK);
  assert_int_equal(celi_plan_run(part.plan, part.team), CEL_OK);
  assert_int_equal(celi_plan_run(other.plan, other.team), CEL_OK);
  assert_memory_equal(one.row, three.row, 101 * sizeof(int64_t));
  assert_memory_equal(one.sa, three.sa, 101 * LD * sizeof(float));
  assert_memory_equal(one.reward, three.reward, 101 * sizeof(float));
  assert_memory_equal(one.mid_obs, three.mid_obs, 2 * 101 * O * sizeof(float));
  assert_memory_equal(one.row, part.row, 37 * sizeof(int64_t));
  assert_memory_not_equal(one.row, other.row, 101 * sizeof(int64_t));
  // The next counter gives other samples.
  int64_t before[101];
  memcpy(before, one.row, sizeof before);
  draw(w, &one);
  assert_memory_equal(before, one.row, sizeof before);
  draw(w, &one);
  assert_memory_not_equal(before, one.row, sizeof before);
  batch_destroy(&one), batch_destroy(&three), batch_destroy(&part), batch_destroy(&other);
  world_destroy(w);
}

/// Rewards within a window are scaled and clipped one by one.
static void test_reward_scale(void **state) {
  (void)state;
  World *w = world_create(1, 40, 0, 0, 2);
  for (int i = 0; i < 30; i++) world_step(w);
  float scale = 0.8f, reward[64], discount[64], obs[64][O], next[64][O], mid[2][64][O],
        weight[2][64];
  int64_t row[64];
  const CeliReplayBatch spec = {.B = 64,
                                .n = 3,
                                .gamma = 0.5,
                                .reward_scale = &scale,
                                .clip_reward = 1,
                                .obs = obs[0],
                                .ldo = O,
                                .next_obs = next[0],
                                .ldn = O,
                                .reward = reward,
                                .discount = discount,
                                .mid_obs = mid[0][0],
                                .mid_weight = weight[0],
                                .row = row};
  CeliPlan *plan;
  CeliTeam *team;
  assert_int_equal(celi_plan_create(&plan), CEL_OK);
  assert_int_equal(celi_team_create(&team, 1), CEL_OK);
  celi_replay_plan_sample(plan, &w->replay, &spec, 1, w->counter);
  assert_int_equal(celi_plan_end(plan), CEL_OK);
  assert_int_equal(celi_plan_run(plan, team), CEL_OK);
  bool clipped = false;
  for (int i = 0; i < 64; i++) {
    double want = 0;
    for (int64_t k = 0; k < 3 && (int64_t)obs[i][1] + k < w->T; k++) {
      const double r = 0.8 * (double)w->list[0][(int64_t)obs[i][1] + k].reward;
      clipped = clipped || fabs(r) > 1;
      want += pow(0.5, (double)k) * fmax(-1, fmin(1, r));
    }
    assert_true(fabs(want - (double)reward[i]) < 1e-6);
  }
  assert_true(clipped);
  celi_plan_destroy(plan);
  celi_team_destroy(team);
  world_destroy(w);
}

/// A discrete action is stored and sampled as its number.
static void test_discrete_action(void **state) {
  (void)state;
  CelTensors *tensors;
  CeliReplay replay;
  const CelSpace obs = cel_space_box(1, -1, 1), action = cel_space_discrete(5);
  assert_int_equal(cel_tensors_create(&tensors), CEL_OK);
  assert_int_equal(celi_replay_declare(&replay, tensors, &obs, &action, 1, 10), CEL_OK);
  assert_int_equal(cel_tensors_allocate(tensors), CEL_OK);
  float x = 0;
  celi_replay_start(&replay, &x);
  for (int32_t t = 0; t < 8; t++) {
    const int32_t a = t * 7 % 5;
    const float reward = 0;
    const uint8_t no = 0;
    x = (float)(t + 1);
    celi_replay_add(&replay, &a, &reward, &no, &no, &x, NULL);
  }
  float drawn[32], next[32], reward[32], discount[32];
  int32_t actions[32];
  int64_t row[32];
  uint64_t counter = 0;
  const CeliReplayBatch spec = {.B = 32,
                                .n = 1,
                                .gamma = 1,
                                .obs = drawn,
                                .ldo = 1,
                                .action_i32 = actions,
                                .next_obs = next,
                                .ldn = 1,
                                .reward = reward,
                                .discount = discount,
                                .row = row};
  CeliPlan *plan;
  CeliTeam *team;
  assert_int_equal(celi_plan_create(&plan), CEL_OK);
  assert_int_equal(celi_team_create(&team, 1), CEL_OK);
  celi_replay_plan_sample(plan, &replay, &spec, 1, &counter);
  assert_int_equal(celi_plan_end(plan), CEL_OK);
  assert_int_equal(celi_plan_run(plan, team), CEL_OK);
  for (int i = 0; i < 32; i++) {
    assert_int_equal(actions[i], (int32_t)drawn[i] * 7 % 5);
    assert_true(next[i] - drawn[i] >= 1 && next[i] - drawn[i] <= 1);
  }
  celi_plan_destroy(plan);
  celi_team_destroy(team);
  cel_tensors_destroy(tensors);
}

/// Environments that start anew in the middle of an episode: no window crosses that point.
static void test_start_again(void **state) {
  (void)state;
  World *w = world_create(1, 30, 0, 0, 4);
  for (int i = 0; i < 5; i++) world_step(w);
  const float again[O] = {0, 1000, 0};
  celi_replay_start(&w->replay, again);
  const float action[A] = {0}, reward = 50, next[O] = {0, 1001, 0};
  const uint8_t no = 0;
  celi_replay_add(&w->replay, action, &reward, &no, &no, next, NULL);
  assert_int_equal(*w->replay.transitions, 6);
  Batch batch = batch_create(w, 200, 3, 1, 5, 1);
  draw(w, &batch);
  bool last = false;
  for (int i = 0; i < 200; i++) {
    const float t = batch.sa[i * LD + 1], t_next = batch.next[i * LD + 1];
    if (t < 500) {
      assert_true(t_next <= 5 && fabsf(batch.reward[i]) <= 6);
    } else {
      assert_true(t_next >= 1001 && batch.reward[i] >= 50);
    }
    last = last || t > 500;
  }
  assert_true(last);
  batch_destroy(&batch);
  world_destroy(w);
}

static void test_reset_empties(void **state) {
  (void)state;
  World *w = world_create(2, 20, 0.2, 0, 6);
  for (int i = 0; i < 50; i++) world_step(w);
  celi_replay_reset(&w->replay);
  assert_int_equal(*w->replay.transitions, 0);
  assert_int_equal(w->replay.head[1], 0);
  w->T = 0;
  float first[2][O];
  for (int64_t e = 0; e < 2; e++) {
    observation(first[e], e, 0, false);
    w->rows[e] = 1;
  }
  celi_replay_start(&w->replay, first);
  Batch batch = batch_create(w, 50, 2, 0.9, 1, 1);
  for (int i = 0; i < 60; i++) {
    world_step(w);
    assert_int_equal(*w->replay.transitions, count_drawable(w));
    draw(w, &batch);
    for (int64_t k = 0; k < 50; k++) check_sample(w, &batch, k, 0.9);
  }
  batch_destroy(&batch);
  world_destroy(w);
}

static void test_million_pendulum_transitions(void **state) {
  (void)state;
  CelTensors *tensors;
  CeliReplay replay;
  const CelSpace obs = cel_space_box(3, -8, 8), action = cel_space_box(1, -1, 1);
  assert_int_equal(cel_tensors_create(&tensors), CEL_OK);
  assert_int_equal(celi_replay_declare(&replay, tensors, &obs, &action, 1, 1000000), CEL_OK);
  assert_int_equal(cel_tensors_allocate(tensors), CEL_OK);
  print_message("%zu bytes\n", cel_tensors_bytes(tensors));
  assert_true(cel_tensors_bytes(tensors) < 30000000);
  cel_tensors_destroy(tensors);
}

/// What fits into buffer_size 100: a row for each transition, and one more for each ended episode.
static void test_what_a_buffer_holds(void **state) {
  (void)state;
  // environments, probability that a step ends its episode, transitions in a full buffer
  static const struct {
    int64_t N;
    double ends;
    int64_t holds;
  } cases[] = {{1, 0, 101}, {1, 1, 50}, {3, 0, 105}, {3, 1, 51}, {4, 0, 104}, {4, 1, 52}};
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    World *w = world_create(cases[k].N, 100, cases[k].ends, 0, 1);
    for (int step = 0; step < 400; step++) world_step(w);
    assert_int_equal(*w->replay.transitions, cases[k].holds);
    assert_int_equal(count_drawable(w), cases[k].holds);
    world_destroy(w);
  }
}

static void test_capacity(void **state) {
  (void)state;
  CelTensors *tensors;
  CeliReplay replay;
  const CelSpace obs = cel_space_box(3, -8, 8), action = cel_space_box(1, -1, 1);
  assert_int_equal(cel_tensors_create(&tensors), CEL_OK);
  assert_int_equal(celi_replay_declare(&replay, tensors, &obs, &action, 8, 7), CEL_E_RANGE);
  assert_non_null(strstr(cel_error(), "7 transitions"));
  assert_int_equal(celi_replay_declare(&replay, tensors, &obs, &action, 1, INT64_MAX),
                   CEL_E_MEMORY);
  assert_int_equal(celi_replay_declare(&replay, tensors, &obs, &action, 1, INT64_MAX / 8),
                   CEL_E_MEMORY);
  cel_tensors_destroy(tensors);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_windows_against_list),
      cmocka_unit_test(test_uniform),
      cmocka_unit_test(test_same_for_any_cut),
      cmocka_unit_test(test_reward_scale),
      cmocka_unit_test(test_discrete_action),
      cmocka_unit_test(test_start_again),
      cmocka_unit_test(test_reset_empties),
      cmocka_unit_test(test_million_pendulum_transitions),
      cmocka_unit_test(test_what_a_buffer_holds),
      cmocka_unit_test(test_capacity),
  };
  return cmocka_run_group_tests_name("rl/replay", tests, NULL, NULL);
}
