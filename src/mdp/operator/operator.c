/// Sweeps over an MDP in the layout of layout.c. Threads of a team compute blocks.
#include "mdp/operator/operator.h"
#include "base/base.h"
#include "mdp/backup/explog.h"
#include "mdp/operator/kernels.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

int64_t celi_operator_state(const CeliOperator *op, int64_t slice, int lane) {
  if (op->slice[slice].flags & CELI_SORTED) return op->lane[slice * CELI_WIDE + lane];
  return (int64_t)op->slice[slice].first + lane;
}

void celi_chunk_advance(CeliChunk *at, const CeliSlice *slice) {
  const int64_t each = slice->flags & CELI_RUN ? 1 : CELI_WIDE;
  at->level += slice->levels;
  at->probability += slice->columns * (slice->flags & CELI_EVEN ? 1 : CELI_WIDE);
  at->index += slice->columns * each;
  if (slice->flags & CELI_HOLES) at->hole += slice->columns;
  at->merged += slice->merged;
  at->merged_index += slice->merged * each;
  if (slice->flags & CELI_MERGED) at->map += slice->columns * each;
}

CelStatus celi_operator_vector(const CeliOperator *op, double **out) {
  CELI_TRY(celi_alloc(out, (size_t)op->padded, sizeof **out, "a vector of states"));
  memset(*out, 0, (size_t)op->padded * sizeof **out);
  return CEL_OK;
}

// ---- blocks

typedef struct Blocks {
  CeliOperator *op;
  CeliBlockFn fn;
  void *args;
} Blocks;

static void blocks_share(void *arg, int thread, int size) {
  const Blocks *job = arg;
  CeliOperator *op = job->op;
  int64_t begin, end;
  celi_share(op->blocks, 1, thread, size, &begin, &end);
  for (int64_t b = begin; b < end; b++) {
    const int64_t first = b * CELI_BLOCK, last = first + CELI_BLOCK;
    job->fn(op, job->args, thread, first, last < op->states ? last : op->states,
            op->sums + b * CELI_SUMS);
  }
}

void celi_operator_blocks(CeliOperator *op, CeliBlockFn fn, void *args, double sums[CELI_SUMS]) {
  Blocks job = {.op = op, .fn = fn, .args = args};
  memset(op->sums, 0, (size_t)(op->blocks * CELI_SUMS) * sizeof *op->sums);
  // If no thread can be started, this thread does all the work. The bits are the same.
  if (op->threads == 1 || celi_team_run(op->team, blocks_share, &job) != CEL_OK)
    blocks_share(&job, 0, 1);
  for (int j = 0; j < CELI_SUMS; j++) sums[j] = 0.0;
  for (int64_t b = 0; b < op->blocks; b++)
    for (int j = 0; j < CELI_SUMS; j++) sums[j] += op->sums[b * CELI_SUMS + j];
}

// ---- sweeps

typedef struct Sweep {
  double alpha;
  double *next, *residual;
  const double *V;
} Sweep;

static void sweep_block(CeliOperator *op, void *args, int thread, int64_t begin, int64_t end,
                        double *sums) {
  (void)sums;
  const Sweep *sweep = args;
  CeliResidual *found = &op->found[begin / CELI_BLOCK];
  *found = (CeliResidual){.low = HUGE_VAL, .high = -HUGE_VAL};
  op->kernels->sweep(op, sweep->alpha, sweep->next, sweep->residual, sweep->V, celi_chunk_of(begin),
                     celi_chunk_of(end), op->scratch + thread * op->scratch_stride, found);
}

CeliResidual celi_operator_found(const CeliOperator *op) {
  CeliResidual all = op->found[0];
  for (int64_t b = 1; b < op->blocks; b++) {
    all.low = fmin(all.low, op->found[b].low);
    all.high = fmax(all.high, op->found[b].high);
    all.value_max = fmax(all.value_max, op->found[b].value_max);
    all.magnitude = fmax(all.magnitude, op->found[b].magnitude);
  }
  if (all.low > all.high) all.low = all.high = 0.0; // every state is terminal
  return all;
}

static CeliResidual sweep(CeliOperator *op, Sweep *args) {
  if (args->alpha <= CELI_ALPHA_LEAST) args->alpha = 0.0;
  double sums[CELI_SUMS];
  celi_operator_blocks(op, sweep_block, args, sums);
  return celi_operator_found(op);
}

CeliResidual celi_operator_sweep(CeliOperator *op, double alpha, double *next, const double *V) {
  return sweep(op, &(Sweep){.alpha = alpha, .next = next, .V = V});
}

CeliResidual celi_operator_linearize(CeliOperator *op, double alpha, double *residual,
                                     const double *V) {
  return sweep(op, &(Sweep){.alpha = alpha, .residual = residual, .V = V});
}

CeliResidual celi_operator_sweep_in_place(CeliOperator *op, double alpha, double *V, bool down) {
  CeliResidual found = {.low = HUGE_VAL, .high = -HUGE_VAL};
  for (int64_t i = 0; i < op->chunks; i++)
    op->kernels->sweep_in_place(op, alpha <= CELI_ALPHA_LEAST ? 0.0 : alpha, V,
                                down ? op->chunks - 1 - i : i, down, op->scratch, &found);
  if (found.low > found.high) found.low = found.high = 0.0;
  return found;
}

// ---- gamma P_pi

typedef struct Assemble {
  const double *pi;
  double alpha;
  double *r_pi;
} Assemble;

/// One lane of a slice: its row of gamma P_pi, and r_pi = sum pi (r - alpha log pi).
static void assemble_lane(const CeliOperator *op, const Assemble *args, int64_t i,
                          const CeliChunk *at, int lane) {
  const CeliSlice *slice = &op->slice[i];
  if (!(slice->mask >> lane & 1)) return; // its columns of P_pi were initialized to 0
  const CelMdp *mdp = op->mdp;
  const bool merged = slice->flags & CELI_MERGED, run = slice->flags & CELI_RUN;
  const bool even = slice->flags & CELI_EVEN, holes = slice->flags & CELI_HOLES;
  const int64_t s = celi_operator_state(op, i, lane), first = mdp->pair[s];
  double *value = op->value + at->merged * CELI_WIDE + lane, r = 0.0;
  for (uint32_t m = 0; m < slice->merged; m++) value[m * (size_t)CELI_WIDE] = 0.0;
  int64_t k = 0;
  for (int64_t p = first; p < mdp->pair[s + 1]; p++) {
    const double pi = args->pi[p];
    if (pi > 0.0)
      r += pi * (mdp->reward[p] - (args->alpha > 0.0 ? args->alpha * celi_log(pi) : 0.0));
    for (const int64_t end = k + op->width[at->level + (p - first)]; k < end; k++) {
      if (holes && !(op->hole[at->hole + k] >> lane & 1)) continue;
      const int64_t column = !merged ? k : op->map[at->map + (run ? k : k * CELI_WIDE + lane)];
      value[column * CELI_WIDE] +=
          op->gamma * pi * op->probability[at->probability + (even ? k : k * CELI_WIDE + lane)];
    }
  }
  args->r_pi[s] = r;
}

static void assemble_block(CeliOperator *op, void *args, int thread, int64_t begin, int64_t end,
                           double *sums) {
  (void)thread, (void)sums;
  for (int64_t c = celi_chunk_of(begin); c < celi_chunk_of(end); c++) {
    CeliChunk at = op->chunk[c];
    for (int64_t i = c * CELI_CHUNK; i < (c + 1) * CELI_CHUNK && i < op->slices; i++) {
      for (int lane = 0; lane < CELI_WIDE; lane++) assemble_lane(op, args, i, &at, lane);
      celi_chunk_advance(&at, &op->slice[i]);
    }
  }
}

void celi_operator_assemble(CeliOperator *op, const double *pi, double alpha, double *r_pi) {
  double sums[CELI_SUMS];
  celi_operator_blocks(op, assemble_block, &(Assemble){.pi = pi, .alpha = alpha, .r_pi = r_pi},
                       sums);
}

typedef struct Apply {
  double *y;
  const double *b, *x;
} Apply;

static void apply_block(CeliOperator *op, void *args, int thread, int64_t begin, int64_t end,
                        double *sums) {
  (void)thread, (void)sums;
  const Apply *apply = args;
  op->kernels->apply(op, apply->y, apply->b, apply->x, celi_chunk_of(begin), celi_chunk_of(end));
}

void celi_operator_apply(CeliOperator *op, double *y, const double *b, const double *x) {
  double sums[CELI_SUMS];
  celi_operator_blocks(op, apply_block, &(Apply){.y = y, .b = b, .x = x}, sums);
}

typedef struct Add {
  double *y;
  double a;
  const double *x;
} Add;

static void add_block(CeliOperator *op, void *args, int thread, int64_t begin, int64_t end,
                      double *sums) {
  (void)op, (void)thread, (void)sums;
  const Add *add = args;
  double *restrict y = add->y;
  const double *restrict x = add->x;
  for (int64_t i = begin; i < end; i++) y[i] += add->a * x[i];
}

void celi_operator_add(CeliOperator *op, double *y, double a, const double *x) {
  double sums[CELI_SUMS];
  celi_operator_blocks(op, add_block, &(Add){.y = y, .a = a, .x = x}, sums);
}
