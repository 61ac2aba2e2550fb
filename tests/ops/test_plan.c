/// Plans: barriers only where they are needed, the same bits for any team of threads, errors
/// reported.
#include "celsius/rng.h"
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
  celi_plan_add(plan, "forward1", op_forward1, CELI_ROWS, B, 4, &args, size);
  celi_plan_touch(plan, CELI_READ_ROWS(net->X, K, K), CELI_READ(net->W1, K * H),
                  CELI_READ(net->b1, H), CELI_WRITE_ROWS(net->Y1, H, H));
  celi_plan_add(plan, "forward2", op_forward2, CELI_ROWS, B, 4, &args, size);
  celi_plan_touch(plan, CELI_READ_ROWS(net->Y1, H, H), CELI_READ(net->W2, H * N),
                  CELI_READ(net->b2, N), CELI_WRITE_ROWS(net->Y2, N, N));
  celi_plan_add(plan, "error", op_error, CELI_ROWS, B, 4, &args, size);
  celi_plan_touch(plan, CELI_READ_ROWS(net->Y2, N, N), CELI_READ_ROWS(net->X, K, 1),
                  CELI_WRITE_ROWS(net->dY2, N, N));
  celi_plan_add(plan, "backward", op_backward, CELI_ROWS, B, 4, &args, size);
  celi_plan_touch(plan, CELI_READ_ROWS(net->dY2, N, N), CELI_READ_ROWS(net->Y1, H, H),
                  CELI_READ(net->W2t, N * H), CELI_WRITE_ROWS(net->dY1, H, H));
  celi_plan_add(plan, "weight1", op_weight1, CELI_PARTS, celi_dense_tiles(K, H), 1, &args, size);
  celi_plan_touch(plan, CELI_READ(net->X, B * K), CELI_READ(net->dY1, B * H),
                  CELI_WRITE(net->dW1, K * H), CELI_WRITE(net->db1, H));
  celi_plan_add(plan, "weight2", op_weight2, CELI_PARTS, celi_dense_tiles(H, N), 1, &args, size);
  celi_plan_touch(plan, CELI_READ(net->Y1, B * H), CELI_READ(net->dY2, B * N),
                  CELI_WRITE(net->dW2, H * N), CELI_WRITE(net->db2, N));
  celi_plan_add(plan, "advance", op_advance, CELI_SERIAL, 1, 1, &args, size);
  celi_plan_touch(plan, CELI_READ(net->dY2, B), CELI_UPDATE(&net->step, 1),
                  CELI_WRITE(&net->loss, 1));
  celi_plan_add(plan, "adam", op_adam, CELI_PARTS, K * H, 16, &args, size);
  celi_plan_touch(plan, CELI_READ(&net->step, 1), CELI_READ_ROWS(net->dW1, 1, 1),
                  CELI_UPDATE_ROWS(net->W1, 1, 1), CELI_UPDATE_ROWS(net->m, 1, 1),
                  CELI_UPDATE_ROWS(net->v, 1, 1));
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

// ---- operations that run only now and then

typedef struct Counts {
  int64_t counter; ///< runs so far, as the plan's last operation counts them
  float items[12], each[12];
} Counts;

static void op_items(const void *args, int64_t begin, int64_t end) {
  Counts *c = *(Counts *const *)args;
  for (int64_t i = begin; i < end; i++) c->items[i] += (float)(c->counter + 1);
}

static void op_each(const void *args, int64_t begin, int64_t end) {
  Counts *c = *(Counts *const *)args;
  for (int64_t i = begin; i < end; i++) c->each[i] += c->items[11 - i];
}

static void op_count(const void *args, int64_t begin, int64_t end) {
  (void)begin, (void)end;
  ++(*(Counts *const *)args)->counter;
}

/// With `every` 3, an operation runs in the runs where the counter becomes 3, 6, ... This depends
/// neither on how runs are grouped nor on the threads, and leaves the barriers where they are.
static void test_every(void **state) {
  (void)state;
  static const int groups[][5] = {{9}, {1, 1, 1, 5, 1}, {2, 7}};
  for (int64_t first = 0; first < 4; first++)
    for (int g = 0; g < 3; g++) {
      Counts counts = {.counter = first}, *c = &counts;
      CeliPlan *plan;
      CeliTeam *team;
      float items = 0, each = 0;
      assert_int_equal(celi_plan_create(&plan), CEL_OK);
      celi_plan_every(plan, &c->counter, 3);
      celi_plan_add(plan, "items", op_items, CELI_ROWS, 12, 1, &c, sizeof c);
      celi_plan_touch(plan, CELI_READ(&c->counter, 1), CELI_UPDATE_ROWS(c->items, 1, 1));
      celi_plan_every(plan, NULL, 1);
      celi_plan_add(plan, "each", op_each, CELI_ROWS, 12, 1, &c, sizeof c);
      celi_plan_touch(plan, CELI_READ(c->items, 12), CELI_UPDATE_ROWS(c->each, 1, 1));
      celi_plan_add(plan, "count", op_count, CELI_SERIAL, 1, 1, &c, sizeof c);
      celi_plan_touch(plan, CELI_UPDATE(&c->counter, 1));
      assert_int_equal(celi_plan_end(plan), CEL_OK);
      assert_int_equal(celi_plan_barriers(plan), 1);
      assert_int_equal(celi_team_create(&team, g + 1), CEL_OK);
      for (int i = 0; i < 5 && groups[g][i]; i++)
        assert_int_equal(celi_plan_repeat(plan, team, groups[g][i]), CEL_OK);
      for (int64_t run = first + 1; run <= first + 9; run++) {
        if (run % 3 == 0) items += (float)run;
        each += items;
      }
      for (int i = 0; i < 12; i++)
        assert_true(fabsf(c->items[i] - items) < 1e-6f && fabsf(c->each[i] - each) < 1e-6f);
      double seconds[3];
      const char *names[3];
      assert_int_equal(celi_plan_profile(plan, 3, seconds, names), CEL_OK);
      assert_true(c->items[0] > items);
      celi_team_destroy(team);
      celi_plan_destroy(plan);
    }
}

// ---- places of barriers

static void op_nothing(const void *args, int64_t begin, int64_t end) {
  (void)args, (void)begin, (void)end;
}

enum { ROWS = 12, WIDTH = 6, CELLS = ROWS * WIDTH };

typedef struct Line {
  CeliCut cut;
  int64_t count, grain;
  CeliAccess access[3];
} Line;

/// Where barriers are, as a string of '|' and operations '.'; or "!": celi_plan_end refused.
static const char *barriers(const Line *lines, int n) {
  static char found[64];
  CeliPlan *plan;
  char *at = found;
  assert_int_equal(celi_plan_create(&plan), CEL_OK);
  for (int i = 0; i < n; i++) {
    celi_plan_add(plan, "line", op_nothing, lines[i].cut, lines[i].count, lines[i].grain, NULL, 0);
    celi_plan_touches(plan, lines[i].access, 3); // those that are NULL are ignored
  }
  if (celi_plan_end(plan) != CEL_OK) {
    *at++ = '!';
    n = 0;
  }
  for (int i = 0; i < n; i++) {
    if (celi_plan_op(plan, i)->barrier) *at++ = '|';
    *at++ = '.';
  }
  *at = 0;
  celi_plan_destroy(plan);
  return found;
}

static void test_barriers(void **state) {
  (void)state;
  static float x[CELLS], y[CELLS];
  const CeliAccess read = CELI_READ(x, CELLS), write = CELI_WRITE(x, CELLS);
  const CeliAccess rows = CELI_UPDATE_ROWS(x, WIDTH, WIDTH);
  // Operations that split the same rows continue with their own.
  const Line same[] = {{CELI_ROWS, ROWS, 2, {rows}}, {CELI_ROWS, ROWS, 2, {rows}}};
  assert_string_equal(barriers(same, 2), "..");
  const Line grains[] = {{CELI_ROWS, ROWS, 2, {rows}}, {CELI_ROWS, ROWS, 3, {rows}}};
  assert_string_equal(barriers(grains, 2), ".|.");
  const Line counts[] = {{CELI_ROWS, ROWS, 2, {rows}}, {CELI_ROWS, ROWS - 1, 2, {rows}}};
  assert_string_equal(barriers(counts, 2), ".|.");
  // Parts of a whole are anyone's; reading it twice is not a conflict.
  const Line whole[] = {{CELI_ROWS, ROWS, 2, {rows}},
                        {CELI_PARTS, 9, 1, {read}},
                        {CELI_PARTS, 7, 1, {read}},
                        {CELI_PARTS, 9, 1, {write}},
                        {CELI_PARTS, 9, 1, {write}}};
  assert_string_equal(barriers(whole, 5), ".|..|.|.");
  // The first and the third conflict, although the second lies between them.
  const Line apart[] = {{CELI_PARTS, 9, 1, {write}},
                        {CELI_PARTS, 9, 1, {CELI_READ(y, CELLS)}},
                        {CELI_ROWS, ROWS, 2, {rows}}};
  assert_string_equal(barriers(apart, 3), "..|.");
  // One thread does not conflict with itself.
  const Line serial[] = {{CELI_SERIAL, 5, 1, {write}}, {CELI_PARTS, 1, 1, {read, write}}};
  assert_string_equal(barriers(serial, 2), "..");
  // Columns beside each other in the same memory.
  const Line columns[] = {{CELI_ROWS, ROWS, 2, {CELI_WRITE_ROWS(x, WIDTH, 2)}},
                          {CELI_ROWS, ROWS, 3, {CELI_WRITE_ROWS(x + 2, WIDTH, 4)}},
                          {CELI_ROWS, ROWS, 3, {CELI_READ_ROWS(x + 1, WIDTH, 1)}}};
  assert_string_equal(barriers(columns, 3), "..|.");
  // A thread's own part.
  const Line own[] = {{CELI_ROWS, ROWS, 2, {CELI_OWN(x, CELLS)}},
                      {CELI_ROWS, ROWS, 2, {CELI_OWN(x, CELLS)}},
                      {CELI_ROWS, ROWS, 3, {CELI_OWN(x, CELLS)}}};
  assert_string_equal(barriers(own, 3), "..|.");
  // Without a declaration, an operation conflicts with every other.
  const Line silent[] = {
      {CELI_ROWS, ROWS, 2, {rows}}, {CELI_ROWS, ROWS, 2, {{0}}}, {CELI_ROWS, ROWS, 2, {rows}}};
  assert_string_equal(barriers(silent, 3), ".|.|.");
}

/// celi_plan_end refuses an operation whose slices conflict with each other.
static void test_self_conflicts(void **state) {
  (void)state;
  static float x[CELLS];
  const Line both[] = {{CELI_PARTS, 9, 1, {CELI_READ(x, CELLS), CELI_WRITE(x + 5, 1)}}};
  assert_string_equal(barriers(both, 1), "!");
  assert_non_null(strstr(cel_error(), "operation line"));
  const Line shifted[] = {
      {CELI_ROWS, 9, 1, {CELI_READ_ROWS(x, WIDTH, WIDTH), CELI_WRITE_ROWS(x + WIDTH, WIDTH, 1)}}};
  assert_string_equal(barriers(shifted, 1), "!");
  const Line wide[] = {{CELI_ROWS, 9, 1, {CELI_WRITE_ROWS(x, WIDTH, WIDTH + 1)}}};
  assert_string_equal(barriers(wide, 1), "!");
  const Line beside[] = {
      {CELI_ROWS, 9, 1, {CELI_READ_ROWS(x, WIDTH, WIDTH), CELI_UPDATE_ROWS(x + 1, WIDTH, 2)}}};
  assert_string_equal(barriers(beside, 1), ".");
}

/// Bytes of x that a slice touches, as bits of READS and WRITES.
static void touch_cells(const CeliOp *op, const float *x, int thread, int size, int cell[CELLS]) {
  int64_t begin, end;
  memset(cell, 0, CELLS * sizeof *cell);
  if (!celi_op_slice(op, thread, size, &begin, &end)) return;
  for (int64_t i = 0; i < op->n; i++) {
    const CeliAccess *a = &op->access[i];
    const int64_t first = (const float *)a->at - x;
    const int64_t stride = (int64_t)(a->stride / sizeof *x),
                  width = (int64_t)(a->width / sizeof *x);
    if (a->pattern == CELI_WHOLE)
      for (int64_t k = 0; k < (int64_t)(a->bytes / sizeof *x); k++) cell[first + k] |= a->mode;
    else
      for (int64_t row = begin; row < end; row++)
        for (int64_t k = 0; k < width; k++) cell[first + row * stride + k] |= a->mode;
  }
}

/// Whether two threads of a team of some size touch one byte, one of them by writing.
static bool collide(const CeliOp *a, const CeliOp *b, const float *x) {
  static int one[CELLS], other[CELLS];
  for (int size = 2; size <= 5; size++)
    for (int s = 0; s < size; s++)
      for (int t = 0; t < size; t++) {
        if (s == t) continue;
        touch_cells(a, x, s, size, one);
        touch_cells(b, x, t, size, other);
        for (int i = 0; i < CELLS; i++)
          if (one[i] && other[i] && ((one[i] | other[i]) & CELI_WRITES)) return true;
      }
  return false;
}

static int64_t draw(CelRng *rng, int64_t n) {
  return (int64_t)(cel_rng_uniform(rng) * (double)n);
}

static CeliAccess random_access(CelRng *rng, float *x, int64_t count) {
  static const int modes[] = {CELI_READS, CELI_READS, CELI_WRITES, CELI_UPDATES};
  CeliAccess access = CELI_READ(x, 1 + draw(rng, 9));
  const int64_t ld = draw(rng, 4) ? 4 : 1 + draw(rng, 5), width = 1 + draw(rng, ld);
  if (draw(rng, 4)) access = CELI_READ_ROWS(x, ld, width);
  const int64_t last = access.pattern == CELI_WHOLE ? 9 : (count - 1) * ld + width;
  access.at = x + draw(rng, draw(rng, 3) ? 6 : CELLS - last + 1);
  access.mode = modes[draw(rng, 4)];
  return access;
}

/// Pairs of random operations: wherever threads can collide, the operations conflict. Operations by
/// row on the same number of columns conflict only there.
static void test_random_conflicts(void **state) {
  (void)state;
  static float x[CELLS];
  CelRng rng = cel_rng(3, CEL_RNG_USER, 0);
  int conflicts = 0, exact = 0;
  for (int i = 0; i < 4000; i++) {
    CeliAccess access[2];
    CeliPlan *plan;
    assert_int_equal(celi_plan_create(&plan), CEL_OK);
    for (int k = 0; k < 2; k++) {
      const int64_t count = draw(&rng, 3) ? 9 : 1 + draw(&rng, 9);
      access[k] = random_access(&rng, x, count);
      // One draw per statement: compilers evaluate arguments in different orders.
      const CeliCut cut = draw(&rng, 8) ? CELI_ROWS : CELI_SERIAL;
      const int64_t grain = 1 + draw(&rng, 2);
      celi_plan_add(plan, "random", op_nothing, cut, count, grain, NULL, 0);
      celi_plan_touches(plan, &access[k], 1);
    }
    assert_int_equal(celi_plan_end(plan), CEL_OK);
    const CeliOp *a = celi_plan_op(plan, 0), *b = celi_plan_op(plan, 1);
    const bool real = collide(a, b, x), found = celi_plan_barriers(plan) == 1;
    if (real && !found) fail_msg("random pair %d (seed 3): threads collide without a barrier", i);
    const bool alike = access[0].pattern == CELI_BY_ROW && access[1].pattern == CELI_BY_ROW &&
                       access[0].stride == access[1].stride && a->of == b->of &&
                       a->grain == b->grain && a->cut == b->cut;
    conflicts += real, exact += alike && !found;
    celi_plan_destroy(plan);
  }
  assert_true(conflicts > 400);
  assert_true(exact > 100);
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
    celi_plan_add(plan, "side", op_trace, CELI_ROWS, SIDE, 2, &args, sizeof args);
    celi_plan_touch(plan, CELI_UPDATE_ROWS(trace->by + at, 1, 1),
                    CELI_UPDATE_ROWS(&trace->done[op][at], 1, 1));
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
    celi_plan_add(plan, "first", op_trace, CELI_PARTS, 3, 1, &first, sizeof first);
    celi_plan_touch(plan, CELI_WRITE(trace.by, 3));
    celi_plan_add(plan, "second", op_trace, CELI_PARTS, 5, 1, &second, sizeof second);
    celi_plan_touch(plan, CELI_WRITE(trace.by + 3, 5));
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
  celi_plan_add(plan, "fat", op_nothing, CELI_ROWS, 1, 1, big, sizeof big);
  celi_plan_add(plan, "grainless", op_nothing, CELI_ROWS, 1, 0, NULL, 0);
  assert_int_equal(celi_plan_end(plan), CEL_E_RANGE); // first failure
  assert_non_null(strstr(cel_error(), "fat"));
  assert_int_equal(celi_plan_run(plan, team), CEL_E_STATE);
  celi_plan_destroy(plan);
  assert_int_equal(celi_plan_create(&plan), CEL_OK);
  celi_plan_add(plan, "grainless", op_nothing, CELI_ROWS, 1, 0, NULL, 0);
  assert_int_equal(celi_plan_end(plan), CEL_E_RANGE);
  celi_plan_destroy(plan);
  assert_int_equal(celi_plan_create(&plan), CEL_OK);
  celi_plan_side(plan, 6, 10);
  celi_plan_add(plan, "long", op_nothing, CELI_ROWS, 5, 1, NULL, 0);
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
    celi_plan_add(plan, "add", op_add, CELI_SERIAL, 2, 1, &args, sizeof args);
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
    celi_plan_add(plan, "slow", op_slow, CELI_PARTS, 2 * threads, 1, &args, sizeof args);
    celi_plan_add(plan, "quick", op_quick, CELI_PARTS, 2 * threads, 1, &args, sizeof args);
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
      cmocka_unit_test(test_same_bits),      cmocka_unit_test(test_every),
      cmocka_unit_test(test_profile),        cmocka_unit_test(test_barriers),
      cmocka_unit_test(test_self_conflicts), cmocka_unit_test(test_random_conflicts),
      cmocka_unit_test(test_errors),         cmocka_unit_test(test_many),
      cmocka_unit_test(test_sides),          cmocka_unit_test(test_together),
      cmocka_unit_test(test_stop),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
