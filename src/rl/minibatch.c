/// Minibatches of a rollout. Contract: minibatch.h.
#include "rl/minibatch.h"
#include "base/base.h"
#include "nn/net.h"

#include <math.h>
#include <string.h>

/// Random numbers are drawn in units of this size.
enum { DRAW_GRAIN = 64 };

CelStatus celi_minibatch_declare(CeliMinibatch *batch, CelTensors *tensors,
                                 const CeliRollout *rollout, const CeliDist *old, int64_t B,
                                 uint64_t seed) {
  const int64_t rows = rollout->T * rollout->N, count = (rows + B - 1) / B;
  CeliMinibatch *m = batch;
  *m = (CeliMinibatch){
      .rollout = rollout, .old = old, .B = B, .rows = rows, .count = count, .seed = seed};
  const struct {
    const char *name;
    CelType type;
    CelRole role;
    void *place;
    int64_t shape[2];
  } list[] = {
      {"batch.counter", CEL_U64, CEL_STATE, &m->counter, {1}},
      {"batch.order", CEL_I64, CEL_SCRATCH, &m->order, {rows}},
      {"batch.draws", CEL_I64, CEL_SCRATCH, &m->draws, {rows}},
      {"batch.cursor", CEL_I64, CEL_SCRATCH, &m->cursor, {1}},
      {"batch.used", CEL_I64, CEL_SCRATCH, &m->used, {1}},
      {"batch.shift", CEL_F32, CEL_SCRATCH, &m->shift, {count}},
      {"batch.scale", CEL_F32, CEL_SCRATCH, &m->scale, {count}},
      {"batch.x", CEL_F32, CEL_SCRATCH, &m->x, {B, rollout->O}},
      {"batch.x_value", CEL_F32, CEL_SCRATCH, &m->x_value, {B, rollout->O}},
      {"batch.actions", CEL_U8, CEL_SCRATCH, &m->actions, {B, (int64_t)rollout->bytes}},
      {"batch.old_logp", CEL_F32, CEL_SCRATCH, &m->old_logp, {B}},
      {"batch.advantage", CEL_F32, CEL_SCRATCH, &m->advantage, {B}},
      {"batch.returns", CEL_F32, CEL_SCRATCH, &m->returns, {B}},
      {"batch.old_value", CEL_F32, CEL_SCRATCH, &m->old_value, {B}},
  };
  for (size_t i = 0; i < sizeof list / sizeof list[0]; i++)
    CELI_TRY(cel_tensors_declare(tensors, list[i].name, list[i].type, list[i].role, list[i].place,
                                 list[i].shape[1] ? 2 : 1, list[i].shape));
  return CEL_OK;
}

typedef struct ShuffleArgs {
  const CeliMinibatch *batch;
  bool normalize;
} ShuffleArgs;

static const CeliMinibatch *shuffled(const void *args) {
  return ((const ShuffleArgs *)args)->batch;
}

static void op_draw(const void *args, int64_t begin, int64_t end) {
  const CeliMinibatch *m = shuffled(args);
  celi_ops()->uniform_index(m->draws, (int64_t)1 << 53, m->seed, CEL_RNG_SHUFFLE, 0, *m->counter,
                            begin, end);
}

/// Swaps position i with one of 0..i, drawn from 53 bits (bias below rows / 2^53).
static void op_permute(const void *args, int64_t begin, int64_t end) {
  (void)begin, (void)end;
  const CeliMinibatch *m = shuffled(args);
  *m->counter += (uint64_t)(m->rows + 1) / 2;
  for (int64_t i = 0; i < m->rows; i++) m->order[i] = i;
  for (int64_t i = m->rows - 1; i > 0; i--) {
    const int64_t j = (int64_t)((double)m->draws[i] * 0x1p-53 * (double)(i + 1));
    const int64_t kept = m->order[i];
    m->order[i] = m->order[j];
    m->order[j] = kept;
  }
}

static int64_t size_of(const CeliMinibatch *m, int64_t k) {
  const int64_t left = m->rows - k * m->B;
  return left < m->B ? left : m->B;
}

/// Shift and scale of the advantages of minibatch k.
static void measure(const CeliMinibatch *m, int64_t k) {
  const int64_t *row = m->order + k * m->B, n = size_of(m, k);
  double sum = 0, square = 0;
  for (int64_t b = 0; b < n; b++) sum += (double)m->rollout->advantage[row[b]];
  const double mean = sum / (double)n;
  for (int64_t b = 0; b < n; b++) {
    const double d = (double)m->rollout->advantage[row[b]] - mean;
    square += d * d;
  }
  m->shift[k] = (float)mean;
  m->scale[k] = (float)(1 / (sqrt(square / (double)(n - 1)) + 1e-8));
}

/// Minibatches [begin, end).
static void op_measure(const void *args, int64_t begin, int64_t end) {
  const CeliMinibatch *m = shuffled(args);
  const bool normalize = ((const ShuffleArgs *)args)->normalize;
  for (int64_t k = begin; k < end; k++) {
    m->shift[k] = 0, m->scale[k] = 1;
    if (normalize && size_of(m, k) > 1) measure(m, k);
  }
}

static void op_first(const void *args, int64_t begin, int64_t end) {
  (void)begin, (void)end;
  const CeliMinibatch *m = shuffled(args);
  *m->cursor = 0;
  *m->used = size_of(m, 0);
}

void celi_minibatch_shuffle(CeliMinibatch *batch, bool normalize) {
  const ShuffleArgs args = {batch, normalize};
  op_draw(&args, 0, batch->rows);
  op_permute(&args, 0, 1);
  op_measure(&args, 0, batch->count);
  op_first(&args, 0, 1);
}

void celi_minibatch_plan_shuffle(CeliPlan *plan, const CeliMinibatch *batch, bool normalize) {
  const ShuffleArgs args = {batch, normalize};
  const CeliMinibatch *m = batch;
  const size_t size = sizeof args;
  celi_plan_add(plan, "draw", op_draw, CELI_PARTS, m->rows, DRAW_GRAIN, &args, size);
  celi_plan_touch(plan, CELI_READ(m->counter, 1), CELI_WRITE_ROWS(m->draws, 1, 1));
  celi_plan_add(plan, "permute", op_permute, CELI_SERIAL, 1, 1, &args, size);
  celi_plan_touch(plan, CELI_READ(m->draws, m->rows), CELI_UPDATE(m->counter, 1),
                  CELI_UPDATE(m->order, m->rows));
  celi_plan_add(plan, "measure", op_measure, CELI_PARTS, m->count, 1, &args, size);
  celi_plan_touch(plan, CELI_READ(m->order, m->rows), CELI_READ(m->rollout->advantage, m->rows),
                  CELI_WRITE_ROWS(m->shift, 1, 1), CELI_WRITE_ROWS(m->scale, 1, 1));
  celi_plan_add(plan, "first minibatch", op_first, CELI_PARTS, 1, 1, &args, size);
  celi_plan_touch(plan, CELI_WRITE(m->cursor, 1), CELI_WRITE(m->used, 1));
}

void celi_minibatch_next(const CeliMinibatch *batch) {
  ++*batch->cursor;
  *batch->used = *batch->cursor < batch->count ? size_of(batch, *batch->cursor) : 0;
}

/// The row of the rollout for row b of the current minibatch.
static int64_t row_of(const CeliMinibatch *m, int64_t b) {
  const int64_t first = *m->cursor * m->B;
  return m->order[b < *m->used ? first + b : first];
}

static void gather_x(const CeliMinibatch *m, float *x, int64_t b, int64_t row) {
  const CeliRollout *r = m->rollout;
  celi_normalizer_apply(r->norm, x + b * r->O, r->O, r->obs + row * r->O, r->O, 0, 1);
}

static void op_gather_policy(const void *args, int64_t begin, int64_t end) {
  const CeliMinibatch *m = *(const CeliMinibatch *const *)args;
  const CeliRollout *r = m->rollout;
  const float shift = m->shift[*m->cursor], scale = m->scale[*m->cursor];
  for (int64_t b = begin; b < end; b++) {
    const int64_t row = row_of(m, b);
    gather_x(m, m->x, b, row);
    memcpy(m->actions + (size_t)b * r->bytes, r->actions + (size_t)row * r->bytes, r->bytes);
    if (m->old) m->old_logp[b] = m->old->logp[row];
    m->advantage[b] = (r->advantage[row] - shift) * scale;
  }
}

static void gather_targets(const CeliMinibatch *m, int64_t b, int64_t row) {
  m->returns[b] = m->rollout->returns[row];
  m->old_value[b] = m->rollout->value[row];
}

static void op_gather_value(const void *args, int64_t begin, int64_t end) {
  const CeliMinibatch *m = *(const CeliMinibatch *const *)args;
  for (int64_t b = begin; b < end; b++) {
    const int64_t row = row_of(m, b);
    gather_x(m, m->x_value, b, row);
    gather_targets(m, b, row);
  }
}

static void op_gather(const void *args, int64_t begin, int64_t end) {
  const CeliMinibatch *m = *(const CeliMinibatch *const *)args;
  op_gather_policy(args, begin, end);
  for (int64_t b = begin; b < end; b++) gather_targets(m, b, row_of(m, b));
}

/// What all gathers read: the current minibatch's rows. They write normalized observations to x.
static void plan_gather(CeliPlan *plan, const CeliMinibatch *m, CeliOpFn fn, float *x) {
  const CeliRollout *r = m->rollout;
  celi_plan_add(plan, "gather", fn, CELI_ROWS, m->B, CELI_ROW_GRAIN, &m, sizeof m);
  celi_normalizer_plan_touch(plan, r->norm);
  celi_plan_touch(plan, CELI_READ(m->cursor, 1), CELI_READ(m->used, 1),
                  CELI_READ(m->order, m->rows), CELI_READ(r->obs, m->rows * r->O),
                  CELI_WRITE_ROWS(x, r->O, r->O));
}

static void touch_policy(CeliPlan *plan, const CeliMinibatch *m) {
  const CeliRollout *r = m->rollout;
  const int64_t bytes = (int64_t)r->bytes;
  celi_plan_touch(plan, CELI_READ(m->shift, m->count), CELI_READ(m->scale, m->count),
                  CELI_READ(r->actions, m->rows * bytes), CELI_READ(r->advantage, m->rows),
                  CELI_READ(m->old ? m->old->logp : NULL, m->rows),
                  CELI_WRITE_ROWS(m->actions, bytes, bytes), CELI_WRITE_ROWS(m->old_logp, 1, 1),
                  CELI_WRITE_ROWS(m->advantage, 1, 1));
}

static void touch_targets(CeliPlan *plan, const CeliMinibatch *m) {
  celi_plan_touch(plan, CELI_READ(m->rollout->returns, m->rows),
                  CELI_READ(m->rollout->value, m->rows), CELI_WRITE_ROWS(m->returns, 1, 1),
                  CELI_WRITE_ROWS(m->old_value, 1, 1));
}

void celi_minibatch_plan_gather(CeliPlan *plan, const CeliMinibatch *batch) {
  plan_gather(plan, batch, op_gather, batch->x);
  touch_policy(plan, batch);
  touch_targets(plan, batch);
}

void celi_minibatch_plan_gather_policy(CeliPlan *plan, const CeliMinibatch *batch) {
  plan_gather(plan, batch, op_gather_policy, batch->x);
  touch_policy(plan, batch);
}

void celi_minibatch_plan_gather_value(CeliPlan *plan, const CeliMinibatch *batch) {
  plan_gather(plan, batch, op_gather_value, batch->x_value);
  touch_targets(plan, batch);
}
