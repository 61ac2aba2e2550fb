/// The inner loops of sweeps, written once for all instruction sets.
///
/// The eight states of a slice are computed VL lanes at a time. For each level (action) a of a
/// slice
///     Q_a = r_a + gamma sum_k p_k V(next_k),   M = max_a Q_a,
///     w_a = exp((Q_a - M)/alpha) = 2^((Q_a - M) sharpness),
///     TV = M + alpha log sum_a w_a,            pi_a = w_a / sum w.
/// At alpha = 0, w_a is 1 if Q_a = M and 0 otherwise, and TV = M. Source: [soft-q-learning, 2-3.1].
#ifndef CELI_MDP_KERNELS_IMPL_H
#define CELI_MDP_KERNELS_IMPL_H
#include "mdp/backup/explog.h"
#include "mdp/backup/explog_impl.h"
#include "mdp/operator/kernels.h"

enum { WIDE = CELI_WIDE, PARTS = CELI_WIDE / VL };

typedef float float8 __attribute__((vector_size(32)));
typedef double double8 __attribute__((vector_size(64)));

/// The position in each stream while iterating over slices.
typedef struct Walk {
  const uint32_t *width, *index, *merged_index;
  const double *reward, *probability;
  const uint8_t *map, *hole;
  double *value;
} Walk;

INLINE Walk walk_from(const CeliOperator *op, const CeliChunk *chunk) {
  return (Walk){.width = op->width + chunk->level,
                .index = op->index + chunk->index,
                .merged_index = op->merged_index ? op->merged_index + chunk->merged_index : NULL,
                .reward = op->reward + chunk->level * WIDE,
                .probability = op->probability + chunk->probability,
                .hole = op->hole + chunk->hole,
                .map = op->map ? op->map + chunk->map : NULL,
                .value = op->value ? op->value + chunk->merged * WIDE : NULL};
}

INLINE void walk_on(Walk *walk, const CeliSlice *slice) {
  const uint32_t each = slice->flags & CELI_RUN ? 1 : WIDE;
  walk->width += slice->levels;
  walk->index += slice->columns * (size_t)each;
  walk->reward += slice->levels * (size_t)WIDE;
  walk->probability += slice->columns * (size_t)(slice->flags & CELI_EVEN ? 1 : WIDE);
  if (slice->flags & CELI_HOLES) walk->hole += slice->columns;
  if (!walk->value) return;
  walk->merged_index += slice->merged * (size_t)each;
  walk->value += slice->merged * (size_t)WIDE;
  if (slice->flags & CELI_MERGED) walk->map += slice->columns * (size_t)each;
}

/// How the columns of a slice are stored.
typedef enum Kind { GATHER, RUN, EVEN, HOLES } Kind;

INLINE Kind kind_of(const CeliSlice *slice) {
  if (slice->flags & CELI_HOLES) return HOLES;
  return slice->flags & CELI_EVEN ? EVEN : slice->flags & CELI_RUN ? RUN : GATHER;
}

INLINE vd probabilities(const Walk *walk, int64_t k, int lane, Kind kind) {
  const double *p = walk->probability;
  if (kind == HOLES) return vd_where_bit(vd_set1(p[k]), walk->hole[k] >> lane);
  return kind == EVEN ? vd_set1(p[k]) : vd_load(p + k * WIDE + lane);
}

INLINE vd next_values(const double *V, const uint32_t *index, int64_t k, int lane, bool run) {
  return run ? vd_load(V + index[k] + lane) : vd_gather(V, index + k * WIDE + lane);
}

/// Writes Q of all levels to q (levels, 8), lanes [lane, lane + VL). Returns the maximum.
INLINE vd slice_q(double *q, const Walk *walk, const CeliSlice *slice, double gamma,
                  const double *V, int lane, Kind kind) {
  const vd discount = vd_set1(gamma);
  vd M = vd_set1(-__builtin_inf());
  int64_t k = 0;
  for (uint32_t a = 0; a < slice->levels; a++) {
    vd sum = vd_zero();
    for (const int64_t end = k + walk->width[a]; k < end; k++)
      sum = sum + probabilities(walk, k, lane, kind) *
                      next_values(V, walk->index, k, lane, kind != GATHER);
    const vd Q = vd_load(walk->reward + a * (size_t)WIDE + lane) + discount * sum;
    vd_store(q + a * (size_t)WIDE + lane, Q);
    M = vd_max(M, Q);
  }
  return M;
}

/// Replaces q by w. Returns the sum.
INLINE vd slice_weights(double *q, const CeliSlice *slice, vd M, double sharpness, int lane,
                        bool hard) {
  vd sum = vd_zero();
  for (uint32_t a = 0; a < slice->levels; a++) {
    double *at = q + a * (size_t)WIDE + lane;
    const vd Q = vd_load(at);
    const vd w = hard ? vd_where_ge(vd_set1(1.0), Q, M) : vd_exp2((Q - M) * vd_set1(sharpness));
    vd_store(at, w);
    sum = sum + w;
  }
  return sum;
}

/// Only the sum, without storing the weights.
INLINE vd slice_sum(const double *q, const CeliSlice *slice, vd M, double sharpness, int lane) {
  vd sum = vd_zero();
  for (uint32_t a = 0; a < slice->levels; a++)
    sum = sum + vd_exp2((vd_load(q + a * (size_t)WIDE + lane) - M) * vd_set1(sharpness));
  return sum;
}

/// gamma P_pi of lanes [lane, lane + VL). Columns are written one after the other, or added to
/// their merged column.
INLINE void slice_policy(const Walk *walk, const CeliSlice *slice, const double *w, vd scale,
                         int lane, Kind kind) {
  const bool merged = slice->flags & CELI_MERGED;
  if (merged)
    for (uint32_t m = 0; m < slice->merged; m++)
      vd_store(walk->value + m * (size_t)WIDE + lane, vd_zero());
  int64_t k = 0;
  for (uint32_t a = 0; a < slice->levels; a++) {
    const vd pi = vd_load(w + a * (size_t)WIDE + lane) * scale;
    for (const int64_t end = k + walk->width[a]; k < end; k++) {
      const vd p = pi * probabilities(walk, k, lane, kind);
      if (!merged) {
        vd_store(walk->value + k * WIDE + lane, p);
      } else if (kind != GATHER) {
        double *to = walk->value + walk->map[k] * (size_t)WIDE + lane;
        vd_store(to, vd_load(to) + p);
      } else {
        for (int i = 0; i < VL; i++)
          walk->value[walk->map[k * WIDE + lane + i] * (size_t)WIDE + (size_t)(lane + i)] += p[i];
      }
    }
  }
}

/// What the lanes of a slice contribute to the residual.
typedef struct Found {
  vd low, high, most;
} Found;

INLINE void found_add(Found *found, const CeliSlice *slice, vd old, vd difference, int lane) {
  if (slice->flags & CELI_PARTIAL) {
    for (int i = 0; i < VL; i++) { // excluded lanes repeat an existing extreme
      if (slice->mask >> (lane + i) & 1) continue;
      difference[i] = found->low[i], old[i] = 0.0;
    }
    const vd high = vd_max(found->high, difference);
    for (int i = 0; i < VL; i++)
      if (slice->mask >> (lane + i) & 1) found->high[i] = high[i];
  } else {
    found->high = vd_max(found->high, difference);
  }
  found->low = vd_min(found->low, difference);
  found->most = vd_max(found->most, vd_abs(old));
}

INLINE vd lanes_load(const CeliOperator *op, const CeliSlice *slice, const double *x, int lane) {
  if (!(slice->flags & CELI_SORTED)) return vd_load(x + slice->first + lane);
  return vd_gather(x, op->lane + (slice - op->slice) * WIDE + lane);
}

INLINE void lanes_store(const CeliOperator *op, const CeliSlice *slice, double *x, vd v, int lane) {
  if (!(slice->flags & CELI_SORTED)) {
    vd_store(x + slice->first + lane, v);
    return;
  }
  const uint32_t *to = op->lane + (slice - op->slice) * WIDE + lane;
  for (int i = 0; i < VL; i++) x[to[i]] = v[i];
}

INLINE void slice_sweep(const CeliOperator *op, const CeliSlice *slice, const Walk *walk,
                        double alpha, double sharpness, double *next, double *residual,
                        const double *V, double *q, Found *found, Kind kind, bool hard) {
  vd result[PARTS];
  for (int part = 0; part < PARTS; part++) {
    const int lane = part * VL;
    const vd M = slice_q(q, walk, slice, op->gamma, V, lane, kind);
    vd TV = M;
    if (residual) {
      const vd sum = slice_weights(q, slice, M, sharpness, lane, hard);
      slice_policy(walk, slice, q, vd_set1(op->gamma) / sum, lane, kind);
      if (!hard) TV = M + vd_set1(alpha) * vd_log(sum);
    } else if (!hard) {
      TV = M + vd_set1(alpha) * vd_log(slice_sum(q, slice, M, sharpness, lane));
    }
    const vd old = lanes_load(op, slice, V, lane);
    const vd difference = TV - old;
    found_add(found, slice, old, difference, lane);
    result[part] = residual ? difference : TV;
  }
  // All lanes are stored together. A lane of the slice must not read a value that another one
  // updated.
  for (int part = 0; part < PARTS; part++)
    lanes_store(op, slice, residual ? residual : next, result[part], part * VL);
}

INLINE int64_t last_slice(const CeliOperator *op, int64_t chunk) {
  const int64_t end = (chunk + 1) * CELI_CHUNK;
  return end < op->slices ? end : op->slices;
}

INLINE void chunks_sweep(const CeliOperator *op, double alpha, double *next, double *residual,
                         const double *V, int64_t begin, int64_t end, double *q, Found *found,
                         bool hard) {
  const double sharpness = hard ? 0.0 : celi_sharpness(alpha);
  for (int64_t c = begin; c < end; c++) {
    Walk walk = walk_from(op, &op->chunk[c]);
    const CeliSlice *last = op->slice + last_slice(op, c);
    for (const CeliSlice *slice = op->slice + c * CELI_CHUNK; slice < last; slice++) {
      switch (kind_of(slice)) {
      case EVEN:
        slice_sweep(op, slice, &walk, alpha, sharpness, next, residual, V, q, found, EVEN, hard);
        break;
      case HOLES:
        slice_sweep(op, slice, &walk, alpha, sharpness, next, residual, V, q, found, HOLES, hard);
        break;
      case RUN:
        slice_sweep(op, slice, &walk, alpha, sharpness, next, residual, V, q, found, RUN, hard);
        break;
      case GATHER:
        slice_sweep(op, slice, &walk, alpha, sharpness, next, residual, V, q, found, GATHER, hard);
        break;
      }
      walk_on(&walk, slice);
    }
  }
}

INLINE Found found_nothing(void) {
  return (Found){.low = vd_set1(__builtin_inf()), .high = vd_set1(-__builtin_inf())};
}

INLINE void found_fold(CeliResidual *found, const Found *lanes) {
  for (int i = 0; i < VL; i++) {
    found->low = lanes->low[i] < found->low ? lanes->low[i] : found->low;
    found->high = lanes->high[i] > found->high ? lanes->high[i] : found->high;
    found->value_max = lanes->most[i] > found->value_max ? lanes->most[i] : found->value_max;
  }
}

static void sweep(const CeliOperator *op, double alpha, double *next, double *residual,
                  const double *V, int64_t begin, int64_t end, double *scratch,
                  CeliResidual *found) {
  Found lanes = found_nothing();
  if (residual && alpha > 0.0)
    chunks_sweep(op, alpha, NULL, residual, V, begin, end, scratch, &lanes, false);
  else if (residual)
    chunks_sweep(op, alpha, NULL, residual, V, begin, end, scratch, &lanes, true);
  else if (alpha > 0.0)
    chunks_sweep(op, alpha, next, NULL, V, begin, end, scratch, &lanes, false);
  else
    chunks_sweep(op, alpha, next, NULL, V, begin, end, scratch, &lanes, true);
  found_fold(found, &lanes);
}

static void sweep_in_place(const CeliOperator *op, double alpha, double *V, int64_t chunk,
                           bool down, double *scratch, CeliResidual *found) {
  const double sharpness = alpha > 0.0 ? celi_sharpness(alpha) : 0.0;
  Walk walk[CELI_CHUNK];
  walk[0] = walk_from(op, &op->chunk[chunk]);
  const CeliSlice *first = op->slice + chunk * CELI_CHUNK;
  const int64_t n = last_slice(op, chunk) - chunk * CELI_CHUNK;
  for (int64_t i = 1; i < n; i++) {
    walk[i] = walk[i - 1];
    walk_on(&walk[i], &first[i - 1]);
  }
  Found lanes = found_nothing();
  for (int64_t k = 0; k < n; k++) {
    const int64_t i = down ? n - 1 - k : k;
    const CeliSlice *slice = &first[i];
    const Kind kind = kind_of(slice);
    if (alpha > 0.0)
      slice_sweep(op, slice, &walk[i], alpha, sharpness, V, NULL, V, scratch, &lanes, kind, false);
    else
      slice_sweep(op, slice, &walk[i], alpha, sharpness, V, NULL, V, scratch, &lanes, kind, true);
  }
  found_fold(found, &lanes);
}

INLINE void slice_apply(const CeliOperator *op, const CeliSlice *slice, const Walk *walk, double *y,
                        const double *b, const double *x, bool run) {
  for (int part = 0; part < PARTS; part++) {
    const int lane = part * VL;
    vd sum = vd_zero();
    for (int64_t m = 0; m < slice->merged; m++)
      sum = sum + vd_load(walk->value + m * WIDE + lane) *
                      next_values(x, walk->merged_index, m, lane, run);
    if (b) sum = lanes_load(op, slice, b, lane) + sum;
    lanes_store(op, slice, y, sum, lane);
  }
}

static void apply(const CeliOperator *op, double *y, const double *b, const double *x,
                  int64_t begin, int64_t end) {
  for (int64_t c = begin; c < end; c++) {
    Walk walk = walk_from(op, &op->chunk[c]);
    const CeliSlice *last = op->slice + last_slice(op, c);
    for (const CeliSlice *slice = op->slice + c * CELI_CHUNK; slice < last; slice++) {
      if (slice->flags & CELI_RUN)
        slice_apply(op, slice, &walk, y, b, x, true);
      else
        slice_apply(op, slice, &walk, y, b, x, false);
      walk_on(&walk, slice);
    }
  }
}

#define REAL float
#define R8 float8
#define NAME(x) single_##x
#include "mdp/operator/krylov_impl.h"

#define REAL double
#define R8 double8
#define NAME(x) double_##x
#include "mdp/operator/krylov_impl.h"

INLINE void map(double *y, const double *x, int64_t n, vd (*f)(vd)) {
  for (int64_t i = 0; i < n; i += VL) {
    const size_t left = (size_t)(n - i < VL ? n - i : VL) * sizeof *x;
    vd v = vd_set1(1.0);
    memcpy(&v, x + i, left);
    v = f(v);
    memcpy(y + i, &v, left);
  }
}

static void map_exp2(double *y, const double *x, int64_t n) {
  map(y, x, n, vd_exp2);
}

static void map_log(double *y, const double *x, int64_t n) {
  map(y, x, n, vd_log);
}

const CeliMdpKernels CELI_TABLE = {.name = CELI_TABLE_NAME,
                                   .sweep = sweep,
                                   .apply = apply,
                                   .sweep_in_place = sweep_in_place,
                                   .krylov_single = &single_krylov,
                                   .krylov_double = &double_krylov,
                                   .exp2 = map_exp2,
                                   .log = map_log};
#endif
