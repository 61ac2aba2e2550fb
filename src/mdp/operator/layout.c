/// Lays out an MDP for sweeps: which states share a slice, and the streams of numbers to read.
///
/// The team makes two passes over the chunks. The first decides the form of each slice and counts
/// its columns. The second knows the position of each chunk and writes it. P_pi is laid out in the
/// same way if a method needs it.
#include "base/base.h"
#include "mdp/operator/holes.h"
#include "mdp/operator/kernels.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { WIDE = CELI_WIDE, CHUNK_STATES = CELI_CHUNK * CELI_WIDE };
enum {
  MERGE_MOST = 256
}; ///< more columns are not merged in P_pi, because an element of a map is one byte
enum { SMALL = 20000 }; ///< with fewer transitions, threads cost more than they save
enum { HUGE_PAGE = 2 * 1024 * 1024 };
enum {
  HOLES_WORTH = 3
}; ///< columns with holes that take as much time as a gathered one (as bytes: seven)

/// Allocates memory, on huge pages for large blocks. Errors: CEL_E_MEMORY.
static CelStatus take(CeliOperator *op, void *out, int64_t n, size_t size, const char *what) {
  size_t bytes;
  if (!celi_size_mul((size_t)n, size, &bytes) || !celi_size_round(bytes + 64, 64, &bytes))
    return cel_fail(CEL_E_MEMORY, "%s: %lld elements are too many to address", what, (long long)n);
  const bool large = bytes >= 2 * HUGE_PAGE;
  if (large && !celi_size_round(bytes, HUGE_PAGE, &bytes))
    return cel_fail(CEL_E_MEMORY, "%s: %zu bytes are too many to address", what, bytes);
  CELI_TRY(celi_memory_room(bytes, NULL, what));
  void *block = aligned_alloc(large ? HUGE_PAGE : 64, bytes);
  if (!block) return cel_fail(CEL_E_MEMORY, "%s: not enough memory for %zu bytes", what, bytes);
  if (large) madvise(block, bytes, MADV_HUGEPAGE); // optional, so failure is ignored
  memcpy(out, &block, sizeof block);
  op->bytes += bytes;
  return CEL_OK;
}

// ---- the form of a slice

/// Transition k of action a of a state, or -1.
static int64_t transition(const CelMdp *mdp, int64_t s, int64_t a, int64_t k) {
  if (s >= mdp->states || a >= mdp->pair[s + 1] - mdp->pair[s]) return -1;
  const int64_t p = mdp->pair[s] + a, t = mdp->row[p] + k;
  return t < mdp->row[p + 1] ? t : -1;
}

static int64_t actions(const CelMdp *mdp, int64_t s) {
  return s < mdp->states ? mdp->pair[s + 1] - mdp->pair[s] : 0;
}

static int64_t row_length(const CelMdp *mdp, int64_t s, int64_t a) {
  return mdp->row[mdp->pair[s] + a + 1] - mdp->row[mdp->pair[s] + a];
}

static int64_t level_width(const CelMdp *mdp, const int64_t state[WIDE], int64_t a) {
  int64_t most = 0;
  for (int i = 0; i < WIDE; i++) {
    if (a >= actions(mdp, state[i])) continue;
    const int64_t n = row_length(mdp, state[i], a);
    if (n > most) most = n;
  }
  return most;
}

static int64_t most_actions(const CelMdp *mdp, const int64_t state[WIDE]) {
  int64_t most = 1; // a terminal state has one action of reward 0
  for (int i = 0; i < WIDE; i++)
    if (actions(mdp, state[i]) > most) most = actions(mdp, state[i]);
  return most;
}

static int64_t columns_of(const CelMdp *mdp, const int64_t state[WIDE]) {
  int64_t columns = 0;
  for (int64_t a = 0; a < most_actions(mdp, state); a++) columns += level_width(mdp, state, a);
  return columns;
}

/// The base of a column of a run: next state minus lane, equal in all lanes with a transition. -1
/// if the column is not a run.
static int64_t run_base(const CeliOperator *op, int64_t first, int64_t a, int64_t k) {
  int64_t base = -1;
  for (int i = 0; i < WIDE; i++) {
    const int64_t t = transition(op->mdp, first + i, a, k);
    if (t < 0) continue;
    const int64_t here = cel_mdp_next(op->mdp, t) - i;
    if (here < 0 || (base >= 0 && here != base)) return -1;
    base = here;
  }
  return base >= 0 && base + WIDE <= op->padded ? base : -1;
}

static bool is_run(const CeliOperator *op, const CeliSlice *slice, const int64_t state[WIDE]) {
  if (slice->flags & CELI_SORTED) return false;
  for (int64_t a = 0; a < slice->levels; a++)
    for (int64_t k = 0, n = level_width(op->mdp, state, a); k < n; k++)
      if (run_base(op, state[0], a, k) < 0) return false;
  return true;
}

/// True if the lanes of every column of a run have equal probabilities.
static bool is_even(const CeliOperator *op, const CeliSlice *slice, const int64_t state[WIDE]) {
  const CelMdp *mdp = op->mdp;
  if (!(slice->flags & CELI_RUN) || mdp->ends) return false;
  for (int64_t a = 0; a < slice->levels; a++)
    for (int64_t k = 0, n = level_width(mdp, state, a); k < n; k++)
      for (int lane = 0; lane < WIDE; lane++) {
        const int64_t first = transition(mdp, state[0], a, k);
        const int64_t t = transition(mdp, state[lane], a, k);
        if (first < 0 || t < 0 || mdp->probability[t] != mdp->probability[first]) return false;
      }
  return true;
}

/// The number of columns of a slice as a run with holes. -1 if gathering is cheaper.
static int64_t holes_of(const CeliOperator *op, const CeliSlice *slice, const int64_t state[WIDE]) {
  CeliHoleColumn column[CELI_HOLES_MOST];
  const int64_t most = HOLES_WORTH * (int64_t)slice->columns;
  int64_t columns = 0;
  if (slice->flags & (CELI_SORTED | CELI_RUN)) return -1;
  for (int64_t a = 0; a < slice->levels; a++) {
    const int64_t left = most - columns;
    const int n = celi_holes_of(op->mdp, state[0], a, op->padded,
                                left < CELI_HOLES_MOST ? (int)left : CELI_HOLES_MOST, column);
    if (n < 0) return -1;
    columns += n;
  }
  return columns;
}

static void lanes_of(const CeliOperator *op, int64_t i, int64_t state[WIDE]) {
  for (int lane = 0; lane < WIDE; lane++) state[lane] = celi_operator_state(op, i, lane);
}

// ---- assigning states to slices

typedef struct Weight {
  int64_t state, actions, transitions;
} Weight;

static int heavier_first(const void *a, const void *b) {
  const Weight *x = a, *y = b;
  if (x->actions != y->actions) return x->actions > y->actions ? -1 : 1;
  if (x->transitions != y->transitions) return x->transitions > y->transitions ? -1 : 1;
  return x->state < y->state ? -1 : 1;
}

/// Orders the states of the chunk by descending weight.
static void sort_chunk(const CelMdp *mdp, int64_t first, int64_t order[CHUNK_STATES]) {
  Weight weight[CHUNK_STATES];
  for (int64_t i = 0; i < CHUNK_STATES; i++) {
    const int64_t s = first + i;
    weight[i] = (Weight){.state = s, .actions = actions(mdp, s)};
    if (s < mdp->states)
      weight[i].transitions = mdp->row[mdp->pair[s + 1]] - mdp->row[mdp->pair[s]];
  }
  qsort(weight, CHUNK_STATES, sizeof *weight, heavier_first);
  for (int64_t i = 0; i < CHUNK_STATES; i++) order[i] = weight[i].state;
}

/// True if sorting saves at least a fifth of the columns.
static bool better_sorted(const CelMdp *mdp, int64_t first, const int64_t order[CHUNK_STATES]) {
  int64_t plain = 0, sorted = 0;
  for (int64_t i = 0; i < CHUNK_STATES; i += WIDE) {
    int64_t state[WIDE];
    for (int lane = 0; lane < WIDE; lane++) state[lane] = first + i + lane;
    plain += columns_of(mdp, state);
    sorted += columns_of(mdp, order + i);
  }
  return 5 * sorted <= 4 * plain;
}

// ---- first pass: look and count

/// Determines the form of a slice and adds its sizes to the counts.
static void look(CeliOperator *op, int64_t i, CeliChunk *count) {
  const CelMdp *mdp = op->mdp;
  CeliSlice *slice = &op->slice[i];
  int64_t state[WIDE];
  lanes_of(op, i, state);
  slice->levels = (uint32_t)most_actions(mdp, state);
  slice->columns = (uint32_t)columns_of(mdp, state);
  slice->mask = 0;
  for (int lane = 0; lane < WIDE; lane++)
    if (actions(mdp, state[lane]) > 0) slice->mask |= (uint8_t)(1 << lane);
  if (slice->mask != 0xff) slice->flags |= CELI_PARTIAL;
  if (is_run(op, slice, state)) slice->flags |= CELI_RUN;
  if (is_even(op, slice, state)) slice->flags |= CELI_EVEN;
  const int64_t holes = holes_of(op, slice, state);
  if (holes >= 0) {
    slice->flags |= CELI_RUN | CELI_EVEN | CELI_HOLES;
    slice->columns = (uint32_t)holes;
  }
  celi_chunk_advance(count, slice);
}

static void look_at_chunk(CeliOperator *op, int64_t c) {
  const int64_t first = c * CHUNK_STATES, begin = c * CELI_CHUNK;
  int64_t order[CHUNK_STATES];
  sort_chunk(op->mdp, first, order);
  const bool sorted = better_sorted(op->mdp, first, order);
  CeliChunk count = {0};
  for (int64_t i = begin; i < begin + CELI_CHUNK && i < op->slices; i++) {
    op->slice[i] = (CeliSlice){.first = (uint32_t)(i * WIDE), .flags = sorted ? CELI_SORTED : 0};
    for (int lane = 0; lane < WIDE; lane++)
      op->lane[i * WIDE + lane] = (uint32_t)order[(i - begin) * WIDE + lane];
    look(op, i, &count);
  }
  op->chunk[c] = count;
}

/// Turns counts into positions.
static void place(CeliOperator *op) {
  CeliChunk at = {0};
  for (int64_t c = 0; c <= op->chunks; c++) {
    const CeliChunk count = c < op->chunks ? op->chunk[c] : at;
    op->chunk[c] = at;
    at.level += count.level;
    at.probability += count.probability;
    at.index += count.index;
    at.hole += count.hole;
    at.merged += count.merged;
    at.merged_index += count.merged_index;
    at.map += count.map;
  }
}

// ---- second pass: write

/// The reward of level a of a lane. A terminal state has one action of reward 0. Missing actions
/// have -inf.
static void write_reward(const CeliOperator *op, const CeliChunk *at, int64_t a, int64_t s,
                         int lane) {
  const CelMdp *mdp = op->mdp;
  op->reward[(at->level + a) * WIDE + lane] = a < actions(mdp, s) ? mdp->reward[mdp->pair[s] + a]
                                              : a == 0            ? 0.0
                                                                  : -HUGE_VAL;
}

/// Writes level a of lane i: probabilities, and next states unless the slice is a run.
static void write_row(const CeliOperator *op, const CeliSlice *slice, const CeliChunk *at,
                      int64_t column, int64_t a, int64_t s, int lane) {
  const CelMdp *mdp = op->mdp;
  const int64_t n = op->width[at->level + a];
  for (int64_t k = 0; k < n; k++) {
    const int64_t t = transition(mdp, s, a, k), cell = (column + k) * WIDE + lane;
    const bool passes = t >= 0 && !(mdp->ends && mdp->ends[t]);
    const int64_t place = slice->flags & CELI_EVEN ? column + k : cell;
    op->probability[at->probability + place] = passes ? mdp->probability[t] : 0.0;
    if (!(slice->flags & CELI_RUN))
      op->index[at->index + cell] = (uint32_t)(t >= 0 ? cel_mdp_next(mdp, t) : s);
  }
}

/// Writes level a of a run with holes. Returns the number of its columns.
static int64_t write_holes(const CeliOperator *op, int64_t first, const CeliChunk *at,
                           int64_t column, int64_t a) {
  CeliHoleColumn holes[CELI_HOLES_MOST];
  const int n = celi_holes_of(op->mdp, first, a, op->padded, CELI_HOLES_MOST, holes);
  for (int k = 0; k < n; k++) {
    op->index[at->index + column + k] = (uint32_t)holes[k].base;
    op->probability[at->probability + column + k] = holes[k].p;
    op->hole[at->hole + column + k] = holes[k].mask;
  }
  op->width[at->level + a] = (uint32_t)n;
  return n;
}

static void write_slice(const CeliOperator *op, int64_t i, const CeliChunk *at) {
  const CeliSlice *slice = &op->slice[i];
  int64_t state[WIDE], column = 0;
  lanes_of(op, i, state);
  for (int64_t a = 0; a < slice->levels; a++) {
    for (int lane = 0; lane < WIDE; lane++) write_reward(op, at, a, state[lane], lane);
    if (slice->flags & CELI_HOLES) {
      column += write_holes(op, state[0], at, column, a);
      continue;
    }
    const int64_t n = level_width(op->mdp, state, a);
    op->width[at->level + a] = (uint32_t)n;
    for (int lane = 0; lane < WIDE; lane++) write_row(op, slice, at, column, a, state[lane], lane);
    for (int64_t k = 0; k < n && slice->flags & CELI_RUN; k++)
      op->index[at->index + column + k] = (uint32_t)run_base(op, state[0], a, k);
    column += n;
  }
}

// ---- P_pi: merging columns of a slice with equal next states

/// Finds `next` among the first *n elements of `seen`, or appends it. -1 if it is full.
static int64_t find_or_add(uint32_t *seen, int64_t *n, uint32_t next) {
  for (int64_t m = 0; m < *n; m++)
    if (seen[m] == next) return m;
  if (*n == MERGE_MOST) return -1;
  seen[*n] = next;
  return (*n)++;
}

/// The distinct next states of a slice's columns (of runs: their bases), or of lane i. Returns
/// their number, or -1 if there are too many. map (stride apart), unless NULL: the index for each
/// column.
static int64_t distinct(const CeliOperator *op, const CeliSlice *slice, const CeliChunk *at,
                        int lane, uint32_t seen[MERGE_MOST], uint8_t *map) {
  const bool run = slice->flags & CELI_RUN;
  const int64_t each = run ? 1 : WIDE;
  int64_t n = 0;
  for (int64_t k = 0; k < slice->columns; k++) {
    const int64_t cell = k * each + lane;
    int64_t m = 0; // any value, because the column is empty here
    if (run || op->probability[at->probability + cell] > 0.0)
      m = find_or_add(seen, &n, op->index[at->index + cell]);
    if (m < 0) return -1;
    if (map) map[cell] = (uint8_t)m;
  }
  return n;
}

static void merge_look(CeliOperator *op, int64_t i, const CeliChunk *at) {
  CeliSlice *slice = &op->slice[i];
  const int lanes = slice->flags & CELI_RUN ? 1 : WIDE;
  uint32_t seen[MERGE_MOST];
  int64_t most = 1;
  for (int lane = 0; lane < lanes && most > 0; lane++) {
    const int64_t n = distinct(op, slice, at, lane, seen, NULL);
    most = n < 0 ? -1 : n > most ? n : most;
  }
  // Merging has a cost, so it must save at least a quarter.
  const bool merged = most > 0 && 4 * most <= 3 * (int64_t)slice->columns;
  slice->merged = merged ? (uint32_t)most : slice->columns;
  if (merged) slice->flags |= CELI_MERGED;
}

static void merge_write(const CeliOperator *op, int64_t i, const CeliChunk *at) {
  const CeliSlice *slice = &op->slice[i];
  const int64_t lanes = slice->flags & CELI_RUN ? 1 : WIDE;
  uint32_t *to = op->merged_index + at->merged_index;
  memset(op->value + at->merged * WIDE, 0, slice->merged * (size_t)WIDE * sizeof *op->value);
  if (!(slice->flags & CELI_MERGED)) {
    memcpy(to, op->index + at->index, slice->columns * (size_t)lanes * sizeof *to);
    return;
  }
  for (int lane = 0; lane < lanes; lane++) {
    uint32_t seen[MERGE_MOST];
    const int64_t n = distinct(op, slice, at, lane, seen, op->map + at->map);
    for (int64_t m = 0; m < slice->merged; m++)
      to[m * lanes + lane] = m < n ? seen[m] : n > 0 ? seen[0] : slice->first;
  }
}

// ---- passes

/// The passes in order.
typedef enum Pass { LOOK, WRITE, MERGE_LOOK, MERGE_WRITE } Pass;

static void pass_block(CeliOperator *op, void *args, int thread, int64_t begin, int64_t end,
                       double *sums) {
  (void)thread, (void)sums;
  const Pass pass = *(const Pass *)args;
  for (int64_t c = begin / CHUNK_STATES; c * CHUNK_STATES < end; c++) {
    if (pass == LOOK) {
      look_at_chunk(op, c);
      continue;
    }
    CeliChunk at = op->chunk[c], count = {0};
    for (int64_t i = c * CELI_CHUNK; i < (c + 1) * CELI_CHUNK && i < op->slices; i++) {
      if (pass == WRITE) write_slice(op, i, &at);
      if (pass == MERGE_LOOK) merge_look(op, i, &at);
      if (pass == MERGE_WRITE) merge_write(op, i, &at);
      celi_chunk_advance(&at, &op->slice[i]);
      celi_chunk_advance(&count, &op->slice[i]);
    }
  }
}

static void pass(CeliOperator *op, Pass which) {
  double sums[CELI_SUMS];
  celi_operator_blocks(op, pass_block, &which, sums);
}

/// Counts again, with the merged columns of each slice.
static void recount(CeliOperator *op) {
  for (int64_t c = 0; c < op->chunks; c++) {
    CeliChunk count = {0};
    for (int64_t i = c * CELI_CHUNK; i < (c + 1) * CELI_CHUNK && i < op->slices; i++)
      celi_chunk_advance(&count, &op->slice[i]);
    op->chunk[c] = count;
  }
  place(op);
}

// ---- create, destroy

CelStatus celi_operator_room(const CeliOperator *op, const size_t *bytes, int n, const char *what) {
  size_t sum = op->later;
  bool fits = true;
  for (int i = 0; i < n && fits; i++) fits = celi_size_add(sum, bytes[i], &sum);
  return celi_memory_room(fits ? sum : SIZE_MAX, NULL, what);
}

/// Requests the memory for all arrays below and for the vectors of a method before writing any.
static CelStatus check_room(const CeliOperator *op) {
  enum { VECTORS = 6 };
  const CeliChunk *all = &op->chunk[op->chunks];
  const size_t level = sizeof *op->width + WIDE * sizeof(double);
  size_t part[5];
  const bool fits = celi_size_mul((size_t)all->level, level, &part[0]) &&
                    celi_size_mul((size_t)all->index, sizeof *op->index, &part[1]) &&
                    celi_size_mul((size_t)all->hole, sizeof *op->hole, &part[2]) &&
                    celi_size_mul((size_t)all->probability, sizeof(double), &part[3]) &&
                    celi_size_mul((size_t)op->padded, VECTORS * sizeof(double), &part[4]);
  if (!fits) part[0] = SIZE_MAX;
  return celi_operator_room(op, part, fits ? 5 : 1, "solving the MDP");
}

static CelStatus lay_out(CeliOperator *op) {
  CELI_TRY(take(op, &op->sums, op->blocks * CELI_SUMS, sizeof *op->sums, "the sums of blocks"));
  CELI_TRY(take(op, &op->found, op->blocks, sizeof *op->found, "the residuals of blocks"));
  CELI_TRY(take(op, &op->slice, op->slices, sizeof *op->slice, "the slices of an MDP"));
  CELI_TRY(take(op, &op->chunk, op->chunks + 1, sizeof *op->chunk, "the chunks of an MDP"));
  CELI_TRY(take(op, &op->lane, op->slices * WIDE, sizeof *op->lane, "the lanes of an MDP"));
  pass(op, LOOK);
  place(op);
  bool sorted = false;
  for (int64_t i = 0; i < op->slices; i++) {
    sorted |= (op->slice[i].flags & CELI_SORTED) != 0;
    if (op->slice[i].levels > op->max_levels) op->max_levels = op->slice[i].levels;
  }
  if (!sorted) {
    free(op->lane);
    op->lane = NULL;
  }
  const CeliChunk all = op->chunk[op->chunks];
  CELI_TRY(check_room(op));
  op->scratch_stride = op->max_levels * WIDE + 32;
  CELI_TRY(take(op, &op->scratch, op->threads * op->scratch_stride, sizeof(double), "rows of Q"));
  CELI_TRY(take(op, &op->width, all.level, sizeof *op->width, "the rows of an MDP"));
  CELI_TRY(take(op, &op->reward, all.level * WIDE, sizeof(double), "the rewards of an MDP"));
  CELI_TRY(take(op, &op->index, all.index, sizeof *op->index, "the next states of an MDP"));
  CELI_TRY(take(op, &op->hole, all.hole, sizeof *op->hole, "the lanes of columns with holes"));
  CELI_TRY(
      take(op, &op->probability, all.probability, sizeof(double), "the probabilities of an MDP"));
  pass(op, WRITE);
  return CEL_OK;
}

CelStatus celi_operator_create(CeliOperator **out, const CelMdp *mdp, double gamma, int64_t threads,
                               size_t later) {
  *out = NULL;
  const int64_t S = mdp->states;
  if (S > INT32_MAX - 2 * CHUNK_STATES)
    return cel_fail(CEL_E_UNSUPPORTED, "%lld states are too many; solvers support fewer than 2^31",
                    (long long)S);
  CeliOperator *op;
  CELI_TRY(celi_alloc(&op, 1, sizeof *op, "an operator"));
  *op = (CeliOperator){.mdp = mdp,
                       .kernels = celi_mdp_kernels(),
                       .shape = celi_mdp_shape(mdp),
                       .gamma = gamma,
                       .later = later,
                       .states = S,
                       .padded = (S + CHUNK_STATES - 1) / CHUNK_STATES * CHUNK_STATES + WIDE,
                       .slices = (S + WIDE - 1) / WIDE,
                       .chunks = (S + CHUNK_STATES - 1) / CHUNK_STATES,
                       .blocks = (S + CELI_BLOCK - 1) / CELI_BLOCK};
  const int64_t useful = mdp->transitions + S < SMALL ? 1 : op->blocks;
  op->threads = (int)(threads < useful ? threads : useful);
  CelStatus status = celi_team_create(&op->team, op->threads);
  if (status == CEL_OK) status = lay_out(op);
  if (status != CEL_OK) {
    celi_operator_destroy(op);
    return status;
  }
  *out = op;
  return CEL_OK;
}

CelStatus celi_operator_prepare(CeliOperator *op) {
  enum { VECTORS = 4 }; // of a method that uses P_pi, without those of a Krylov method
  if (op->value) return CEL_OK;
  pass(op, MERGE_LOOK);
  recount(op);
  const CeliChunk all = op->chunk[op->chunks];
  // No product overflows: the next states need at least 4 bytes a column, and they fit in memory.
  const size_t part[] = {
      (size_t)all.map * sizeof *op->map, (size_t)all.merged_index * sizeof *op->merged_index,
      (size_t)all.merged * WIDE * sizeof(double), (size_t)op->padded * VECTORS * sizeof(double)};
  CELI_TRY(celi_operator_room(op, part, 4, "the matrix P_pi of a policy"));
  CELI_TRY(take(op, &op->map, all.map, sizeof *op->map, "the map of P_pi"));
  CELI_TRY(take(op, &op->merged_index, all.merged_index, sizeof *op->merged_index,
                "the next states of P_pi"));
  CELI_TRY(take(op, &op->value, all.merged * WIDE, sizeof(double), "the values of P_pi"));
  pass(op, MERGE_WRITE);
  return CEL_OK;
}

void celi_operator_destroy(CeliOperator *op) {
  if (!op) return;
  celi_team_destroy(op->team);
  void *const blocks[] = {op->slice,       op->chunk,   op->lane,         op->width, op->reward,
                          op->probability, op->index,   op->merged_index, op->map,   op->value,
                          op->hole,        op->scratch, op->found,        op->sums};
  for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) free(blocks[i]);
  free(op);
}
