/// Plans: barriers only where they are needed, the same bits for any team of threads, errors
/// reported.
#include "kit.h"
#include "ops/plan.h"

#include <pthread.h>
#include <time.h>

// ---- a training step of a small network as a plan

enum { B = 100, K = 23, H = 64, N = 1 };

typedef struct Net {
  float X[B * K], W1[K * H], b1[H], W2[H * N], b2[N], W2t[N * H];
  float Y1[B * H], Y2[B * N], dY2[B * N], dY1[B * H];
  float dW1[K * H], db1[H], dW2[H * N], db2[N];
  float m[K * H], v[K * H], loss;
  CeliAdamStep step;
} Net;

typedef struct NetArgs {
  Net *net;
} NetArgs;

static Net *net_of(const void *args) {
  return ((const NetArgs *)args)->net;
}

static void op_forward1(const void *args, int64_t begin, int64_t end) {
  Net *n = net_of(args);
  celi_ops()->dense_forward(n->Y1, H, NULL, 0, n->X, K, n->W1, n->b1, begin, end, K, H, CELI_RELU);
}

static void op_forward2(const void *args, int64_t begin, int64_t end) {
  Net *n = net_of(args);
  celi_ops()->dense_forward(n->Y2, N, NULL, 0, n->Y1, H, n->W2, n->b2, begin, end, H, N,
                            CELI_IDENTITY);
}

static void op_error(const void *args, int64_t begin, int64_t end) {
  Net *n = net_of(args);
  for (int64_t b = begin; b < end; b++) n->dY2[b] = (n->Y2[b] - n->X[b * K]) / B;
}

static void op_backward(const void *args, int64_t begin, int64_t end) {
  Net *n = net_of(args);
  celi_ops()->dense_backward_data(n->dY1, H, n->dY2, N, n->W2t, n->Y1, H, begin, end, H, N,
                                  CELI_RELU);
}

static void op_weight1(const void *args, int64_t begin, int64_t end) {
  Net *n = net_of(args);
  celi_ops()->dense_backward_weight(n->dW1, n->db1, n->X, K, n->dY1, H, B, K, H, begin, end, false);
}

static void op_weight2(const void *args, int64_t begin, int64_t end) {
  Net *n = net_of(args);
  celi_ops()->dense_backward_weight(n->dW2, n->db2, n->Y1, H, n->dY2, N, B, H, N, begin, end,
                                    false);
}

static void op_advance(const void *args, int64_t begin, int64_t end) {
  (void)begin, (void)end;
  Net *n = net_of(args);
  celi_adam_advance(&n->step);
  n->loss = celi_ops()->sum_squares(n->dY2, B);
}

static void op_adam(const void *args, int64_t begin, int64_t end) {
  Net *n = net_of(args);
  celi_ops()->adam(n->W1, n->dW1, n->m, n->v, &n->step, begin, end);
}

static Net *net_make(void) {
  Net *n = calloc(1, sizeof *n);
  if (!n) abort();
  uint64_t random = 77;
  for (int i = 0; i < B * K; i++) n->X[i] = kit_float(&random);
  for (int i = 0; i < K * H; i++) n->W1[i] = kit_float(&random) * 0.2f;
  for (int i = 0; i < H * N; i++) n->W2t[i] = n->W2[i] = kit_float(&random) * 0.2f;
  n->step = (CeliAdamStep){
      .learning_rate = 1e-3f, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8f, .grad_scale = 1};
  return n;
}

static CeliPlan *net_plan(Net *net) {
  CeliPlan *plan;
  assert_int_equal(celi_plan_create(&plan), CEL_OK);
  const NetArgs args = {net};
  const size_t size = sizeof args;
  celi_plan_add(plan, "forward1", op_forward1, CELI_ROWS, B, 4, false, &args, size);
  celi_plan_add(plan, "forward2", op_forward2, CELI_ROWS, B, 4, false, &args, size);
  celi_plan_add(plan, "error", op_error, CELI_ROWS, B, 4, false, &args, size);
  celi_plan_add(plan, "backward", op_backward, CELI_ROWS, B, 4, false, &args, size);
  celi_plan_add(plan, "weight1", op_weight1, CELI_PARTS, celi_dense_tiles(K, H), 1, false, &args,
                size);
  celi_plan_add(plan, "weight2", op_weight2, CELI_PARTS, celi_dense_tiles(H, N), 1, true, &args,
                size);
  celi_plan_add(plan, "advance", op_advance, CELI_SERIAL, 1, 1, true, &args, size);
  celi_plan_add(plan, "adam", op_adam, CELI_PARTS, K * H, 16, false, &args, size);
  assert_int_equal(celi_plan_end(plan), CEL_OK);
  return plan;
}

/// Teams of 1, 2, 3 and 5 threads give the same bytes in the network and in all buffers between.
static void test_same_bits(void **state) {
  (void)state;
  static const int sizes[] = {1, 2, 3, 5};
  Net *first = NULL;
  for (int s = 0; s < 4; s++) {
    Net *net = net_make();
    CeliPlan *plan = net_plan(net);
    CeliTeam *team;
    assert_int_equal(celi_team_create(&team, sizes[s]), CEL_OK);
    const float before = net->W1[5];
    for (int i = 0; i < 20; i++) assert_int_equal(celi_plan_run(plan, team), CEL_OK);
    assert_int_equal(celi_plan_repeat(plan, team, 30), CEL_OK);
    assert_int_equal(net->step.t, 50);
    assert_true(net->W1[5] != before && isfinite(net->loss));
    if (first) assert_memory_equal(net, first, sizeof *net);
    celi_team_destroy(team);
    celi_plan_destroy(plan);
    if (s == 0)
      first = net;
    else
      free(net);
  }
  free(first);
}

static void test_profile(void **state) {
  (void)state;
  Net *net = net_make(), *other = net_make();
  CeliPlan *plan = net_plan(net), *plain = net_plan(other);
  CeliTeam *team;
  assert_int_equal(celi_team_create(&team, 1), CEL_OK);
  double seconds[8];
  const char *names[8];
  assert_int_equal(celi_plan_count(plan), 8);
  assert_int_equal(celi_plan_profile(plan, 5, seconds, names), CEL_OK);
  assert_int_equal(celi_plan_repeat(plain, team, 5), CEL_OK);
  assert_memory_equal(net, other, sizeof *net);
  assert_string_equal(names[4], "weight1");
  for (int i = 0; i < 8; i++) assert_true(seconds[i] >= 0 && seconds[i] < 10);
  celi_team_destroy(team);
  celi_plan_destroy(plan);
  celi_plan_destroy(plain);
  free(net);
  free(other);
}

// ---- places of barriers

static void op_nothing(const void *args, int64_t begin, int64_t end) {
  (void)args, (void)begin, (void)end;
}

typedef struct Line {
  CeliCut cut;
  int64_t count, grain;
  bool with_previous;
} Line;

static int64_t barriers(const Line *lines, int n) {
  CeliPlan *plan;
  assert_int_equal(celi_plan_create(&plan), CEL_OK);
  for (int i = 0; i < n; i++)
    celi_plan_add(plan, "line", op_nothing, lines[i].cut, lines[i].count, lines[i].grain,
                  lines[i].with_previous, NULL, 0);
  assert_int_equal(celi_plan_end(plan), CEL_OK);
  const int64_t found = celi_plan_barriers(plan);
  celi_plan_destroy(plan);
  return found;
}

static void test_barriers(void **state) {
  (void)state;
  const Line rows[] = {
      {CELI_ROWS, 9, 2, false}, {CELI_ROWS, 9, 2, false}, {CELI_ROWS, 9, 2, false}};
  assert_int_equal(barriers(rows, 3), 0);
  const Line grains[] = {
      {CELI_ROWS, 9, 2, false}, {CELI_ROWS, 9, 3, false}, {CELI_ROWS, 8, 3, false}};
  assert_int_equal(barriers(grains, 3), 2);
  const Line serial[] = {{CELI_ROWS, 9, 2, false},
                         {CELI_SERIAL, 1, 1, false},
                         {CELI_SERIAL, 1, 1, false},
                         {CELI_ROWS, 9, 2, false}};
  assert_int_equal(barriers(serial, 4), 2);
  const Line parts[] = {
      {CELI_PARTS, 9, 1, false}, {CELI_PARTS, 9, 1, false}, {CELI_PARTS, 5, 1, true}};
  assert_int_equal(barriers(parts, 3), 1);
  // The third operation may need results of the first that other threads computed. The serial
  // operation between them does not help.
  const Line joined[] = {
      {CELI_PARTS, 9, 1, false}, {CELI_SERIAL, 1, 1, true}, {CELI_SERIAL, 1, 1, false}};
  assert_int_equal(barriers(joined, 3), 1);
  const Line mixed[] = {{CELI_PARTS, 9, 1, false},
                        {CELI_ROWS, 9, 2, true},
                        {CELI_ROWS, 9, 2, false},
                        {CELI_ROWS, 9, 2, false}};
  assert_int_equal(barriers(mixed, 4), 1);
}

// ---- side by side

enum { SIDE = 11, TEAM_MAX = 5 };

/// How often each operation processed each row, and which thread ran the first one.
typedef struct Trace {
  int done[2][2 * SIDE];
  pthread_t by[2 * SIDE];
  bool moved; ///< another thread ran the second operation of a row than the first
} Trace;

typedef struct TraceArgs {
  Trace *trace;
  int op;
  int64_t at;
} TraceArgs;

static void op_trace(const void *args, int64_t begin, int64_t end) {
  const TraceArgs *a = args;
  for (int64_t i = a->at + begin; i < a->at + end; i++) {
    a->trace->done[a->op][i]++;
    if (a->op == 0)
      a->trace->by[i] = pthread_self();
    else if (!pthread_equal(a->trace->by[i], pthread_self()))
      a->trace->moved = true;
  }
}

static void add_side(CeliPlan *plan, Trace *trace, int64_t at) {
  celi_plan_side(plan, at, 2 * SIDE);
  for (int op = 0; op < 2; op++) {
    const TraceArgs args = {trace, op, at};
    celi_plan_add(plan, "side", op_trace, CELI_ROWS, SIDE, 2, false, &args, sizeof args);
  }
  celi_plan_side(plan, 0, 0);
}

/// Every row is processed once, by the same thread as before, without a barrier. Two threads take
/// one side each, except for the rows of the unit that both share.
static void test_sides(void **state) {
  (void)state;
  for (int size = 1; size <= TEAM_MAX; size++) {
    Trace trace = {.moved = false};
    CeliPlan *plan;
    CeliTeam *team;
    assert_int_equal(celi_team_create(&team, size), CEL_OK);
    assert_int_equal(celi_plan_create(&plan), CEL_OK);
    add_side(plan, &trace, 0);
    add_side(plan, &trace, SIDE);
    assert_int_equal(celi_plan_end(plan), CEL_OK);
    assert_int_equal(celi_plan_barriers(plan), 0);
    assert_int_equal(celi_plan_run(plan, team), CEL_OK);
    for (int i = 0; i < 2 * SIDE; i++) {
      assert_int_equal(trace.done[0][i], 1);
      assert_int_equal(trace.done[1][i], 1);
    }
    assert_false(trace.moved);
    assert_int_equal(!!pthread_equal(trace.by[0], trace.by[2 * SIDE - 1]), size == 1);
    if (size == 2) assert_true(pthread_equal(trace.by[0], trace.by[SIDE - 1]));
    celi_plan_destroy(plan);
    celi_team_destroy(team);
  }
}

/// Two operations whose parts are split as one list: with two threads, one thread gets the first
/// half of 3 + 5 parts.
static void test_together(void **state) {
  (void)state;
  for (int size = 1; size <= TEAM_MAX; size++) {
    Trace trace = {.moved = false};
    CeliPlan *plan;
    CeliTeam *team;
    assert_int_equal(celi_team_create(&team, size), CEL_OK);
    assert_int_equal(celi_plan_create(&plan), CEL_OK);
    const TraceArgs first = {&trace, 0, 0}, second = {&trace, 0, 3};
    celi_plan_add(plan, "first", op_trace, CELI_PARTS, 3, 1, false, &first, sizeof first);
    celi_plan_add(plan, "second", op_trace, CELI_PARTS, 5, 1, true, &second, sizeof second);
    celi_plan_together(plan, 2);
    assert_int_equal(celi_plan_end(plan), CEL_OK);
    assert_int_equal(celi_plan_run(plan, team), CEL_OK);
    for (int i = 0; i < 8; i++) assert_int_equal(trace.done[0][i], 1);
    if (size == 2) {
      assert_true(pthread_equal(trace.by[0], trace.by[3]));
      assert_true(pthread_equal(trace.by[4], trace.by[7]));
      assert_false(pthread_equal(trace.by[3], trace.by[4]));
    }
    celi_plan_destroy(plan);
    celi_team_destroy(team);
  }
}

// ---- errors

static void test_errors(void **state) {
  (void)state;
  CeliPlan *plan;
  CeliTeam *team;
  char big[300] = {0};
  assert_int_equal(celi_team_create(&team, 1), CEL_OK);
  assert_int_equal(celi_plan_create(&plan), CEL_OK);
  assert_int_equal(celi_plan_run(plan, team), CEL_E_STATE);
  celi_plan_add(plan, "fat", op_nothing, CELI_ROWS, 1, 1, false, big, sizeof big);
  celi_plan_add(plan, "grainless", op_nothing, CELI_ROWS, 1, 0, false, NULL, 0);
  assert_int_equal(celi_plan_end(plan), CEL_E_RANGE); // first failure
  assert_non_null(strstr(cel_error(), "fat"));
  assert_int_equal(celi_plan_run(plan, team), CEL_E_STATE);
  celi_plan_destroy(plan);
  assert_int_equal(celi_plan_create(&plan), CEL_OK);
  celi_plan_add(plan, "grainless", op_nothing, CELI_ROWS, 1, 0, false, NULL, 0);
  assert_int_equal(celi_plan_end(plan), CEL_E_RANGE);
  celi_plan_destroy(plan);
  assert_int_equal(celi_plan_create(&plan), CEL_OK);
  celi_plan_side(plan, 6, 10);
  celi_plan_add(plan, "long", op_nothing, CELI_ROWS, 5, 1, false, NULL, 0);
  assert_int_equal(celi_plan_end(plan), CEL_E_RANGE);
  assert_non_null(strstr(cel_error(), "long"));
  celi_plan_destroy(plan);
  celi_plan_destroy(NULL);
  celi_team_destroy(team);
}

/// Many operations: the list grows and keeps its copies of the arguments.
typedef struct AddArgs {
  int64_t *total, value;
} AddArgs;

static void op_add(const void *args, int64_t begin, int64_t end) {
  const AddArgs *add = args;
  *add->total += add->value * (end - begin);
}

static void test_many(void **state) {
  (void)state;
  CeliPlan *plan;
  CeliTeam *team;
  int64_t total = 0;
  assert_int_equal(celi_team_create(&team, 2), CEL_OK);
  assert_int_equal(celi_plan_create(&plan), CEL_OK);
  for (int64_t i = 1; i <= 1000; i++) {
    const AddArgs args = {&total, i};
    celi_plan_add(plan, "add", op_add, CELI_SERIAL, 2, 1, false, &args, sizeof args);
  }
  assert_int_equal(celi_plan_end(plan), CEL_OK);
  assert_int_equal(celi_plan_run(plan, team), CEL_OK);
  assert_int_equal(total, 1001000);
  celi_plan_destroy(plan);
  celi_team_destroy(team);
}

// ---- stopped early

typedef struct Watched {
  int64_t asked, stop_at;
  int64_t ran[2]; // how often each operation ran on the caller's thread
} Watched;

static bool watched_stop(void *user) {
  Watched *w = user;
  return ++w->asked == w->stop_at;
}

static void op_slow(const void *args, int64_t begin, int64_t end) {
  Watched *w = *(Watched *const *)args;
  const struct timespec time = {
      .tv_nsec = 60000000}; // longer than the shortest time between two questions
  if (begin == 0 && end > 0) w->ran[0]++;
  nanosleep(&time, NULL);
}

static void op_quick(const void *args, int64_t begin, int64_t end) {
  Watched *w = *(Watched *const *)args;
  if (begin == 0 && end > 0) w->ran[1]++;
}

/// A run of many repeats ends at the barrier where the caller wants to stop, for any size of the
/// team. The next run is complete.
static void test_stop(void **state) {
  (void)state;
  for (int threads = 1; threads <= 3; threads++) {
    Watched w = {.stop_at = 3};
    Watched *args = &w;
    CeliPlan *plan;
    CeliTeam *team;
    assert_int_equal(celi_team_create(&team, threads), CEL_OK);
    assert_int_equal(celi_plan_create(&plan), CEL_OK);
    celi_plan_add(plan, "slow", op_slow, CELI_PARTS, threads, 1, false, &args, sizeof args);
    celi_plan_add(plan, "quick", op_quick, CELI_PARTS, threads, 1, false, &args, sizeof args);
    assert_int_equal(celi_plan_end(plan), CEL_OK);
    celi_team_watch(team, watched_stop, &w);
    assert_int_equal(celi_plan_repeat(plan, team, 1000000), CEL_E_INTERRUPTED);
    assert_int_equal(w.asked, 3);
    // The caller is asked at the barrier after each slow operation, so the third quick one did not
    // run.
    assert_int_equal(w.ran[0], 3);
    assert_int_equal(w.ran[1], 2);
    celi_team_watch(team, NULL, NULL);
    assert_int_equal(celi_plan_repeat(plan, team, 2), CEL_OK);
    assert_int_equal(w.ran[1], 4);
    celi_plan_destroy(plan);
    celi_team_destroy(team);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_same_bits), cmocka_unit_test(test_profile),
      cmocka_unit_test(test_barriers),  cmocka_unit_test(test_errors),
      cmocka_unit_test(test_many),      cmocka_unit_test(test_sides),
      cmocka_unit_test(test_together),  cmocka_unit_test(test_stop),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
