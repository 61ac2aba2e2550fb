/// The backup of a finite problem, laid out for sweeps: the only way in which solvers touch a CelMdp.
///
/// States are taken eight at a time, in slices; the k-th transitions of the a-th actions of a slice's states lie side by
/// side (a column: eight probabilities, eight next states), so a sweep works on eight states at once and reads memory in
/// order. Where the eight next states follow each other in every column (a run: most of a grid world), only the first is
/// stored, and where their probabilities are the same in every column (an even run), only one. Where that is so but for
/// some lanes, columns are made of what is alike and say which lanes they are for (holes.c: a run with holes). States
/// without a k-th transition or an a-th action have probability 0 or reward -inf there; transitions that end the episode
/// have probability 0; terminal states are left out of every residual and keep the value 0.
///
/// States keep their order, or, where that would fill columns badly, are sorted within a chunk of slices by how much
/// they hold. Vectors have `padded` elements: those past the last state are zero.
///
/// All work is cut by blocks, which do not depend on the number of threads, and every sum has one order: the bits are the
/// same for any number of threads and on any instruction set.
#ifndef CELI_MDP_OPERATOR_H
#define CELI_MDP_OPERATOR_H
#include "mdp/solve/certificate.h"
#include "ops/plan.h"

enum { CELI_WIDE = 8 };     ///< states of a slice
enum { CELI_CHUNK = 32 };   ///< slices of a chunk: 256 states
enum { CELI_BLOCK = 4096 }; ///< states of a block: 16 chunks
enum { CELI_SUMS = 4 };     ///< most sums that a block function has

typedef enum CeliSliceFlag {
  CELI_RUN = 1,     ///< next states of each column follow each other
  CELI_SORTED = 2,  ///< lanes are not consecutive states
  CELI_PARTIAL = 4, ///< some lanes are terminal or past the end
  CELI_EVEN = 16,   ///< a run whose columns have one probability each
  CELI_HOLES = 32,  ///< an even run whose columns have masks of lanes
  CELI_MERGED = 8   ///< its rows of P_pi are merged: one column a next state
} CeliSliceFlag;

typedef struct CeliSlice {
  uint32_t first;   ///< state of lane 0, the others follow; CELI_SORTED: see lane
  uint32_t levels;  ///< most actions
  uint32_t columns; ///< transition columns of all levels
  uint32_t merged;  ///< columns of P_pi
  uint8_t flags;
  uint8_t mask; ///< lanes that are states with actions
} CeliSlice;

/// Where a chunk begins in each stream, in its elements.
typedef struct CeliChunk {
  int64_t level, probability, index, hole, merged, merged_index, map;
} CeliChunk;

typedef struct CeliMdpKernels CeliMdpKernels;

typedef struct CeliOperator {
  const CelMdp *mdp;
  const CeliMdpKernels *kernels;
  CeliTeam *team;
  CeliShape shape;
  double gamma;
  int64_t states, padded;
  int64_t slices, chunks, blocks, max_levels;
  int threads;         ///< that work is given to: one where there is little
  CeliSlice *slice;    ///< (slices)
  CeliChunk *chunk;    ///< (chunks + 1)
  uint32_t *lane;      ///< (slices, 8) states of sorted slices, or NULL
  uint32_t *width;     ///< (levels) columns of each level
  double *reward;      ///< (levels, 8)
  double *probability; ///< (columns) of even runs, else (columns, 8)
  uint32_t *index;     ///< (columns) of runs, else (columns, 8)
  uint8_t *hole;       ///< (columns) of runs with holes: the lanes that a column is for
  // gamma P_pi, from celi_operator_prepare on.
  uint32_t *merged_index; ///< (merged columns) of runs, else (merged columns, 8)
  uint8_t
      *map; ///< of merged slices: the column of P_pi of each column (runs), else of each element
  double *value;   ///< (merged columns, 8)
  double *scratch; ///< (threads, scratch_stride) rows of Q
  int64_t scratch_stride;
  CeliResidual *found; ///< (blocks)
  double *sums;        ///< (blocks, CELI_SUMS)
  size_t bytes;        ///< of all the above
  size_t later; ///< bytes that the caller allocates when it is done with the operator's method
} CeliOperator;

/// `later`: bytes that the caller will allocate while the operator still exists. They count as needed whenever the
/// operator or a method asks for memory, so that a solve does not end for want of room for its result.
/// Errors: CEL_E_MEMORY, CEL_E_UNSUPPORTED (2^31 states or more).
CelStatus celi_operator_create(CeliOperator **out, const CelMdp *mdp, double gamma, int64_t threads,
                               size_t later) CEL_WARN_UNUSED;
void celi_operator_destroy(CeliOperator *op);
/// Lays out gamma P_pi. Errors: CEL_E_MEMORY.
CelStatus celi_operator_prepare(CeliOperator *op) CEL_WARN_UNUSED;
/// Whether there is room for `n` arrays of bytes[i] bytes and for op->later. Errors: CEL_E_MEMORY.
CelStatus celi_operator_room(const CeliOperator *op, const size_t *bytes, int n,
                             const char *what) CEL_WARN_UNUSED;
/// A zeroed vector (padded); free() it. Errors: CEL_E_MEMORY.
CelStatus celi_operator_vector(const CeliOperator *op, double **out) CEL_WARN_UNUSED;
/// The state of a lane; states and above: none.
int64_t celi_operator_state(const CeliOperator *op, int64_t slice, int lane);
/// The first chunk that begins at or after a state.
static inline int64_t celi_chunk_of(int64_t state) {
  return (state + CELI_CHUNK * CELI_WIDE - 1) / (CELI_CHUNK * CELI_WIDE);
}
/// On to where the next slice begins.
void celi_chunk_advance(CeliChunk *at, const CeliSlice *slice);

/// next = TV. alpha = 0: the hard problem.
CeliResidual celi_operator_sweep(CeliOperator *op, double alpha, double *next, const double *V);
/// V = TV in place, slice by slice, up or down the states; the residuals are those met on the way. One thread.
CeliResidual celi_operator_sweep_in_place(CeliOperator *op, double alpha, double *V, bool down);
/// residual = TV - V, and gamma P_pi of the softmax (alpha = 0: greedy, uniform over ties) policy of V.
CeliResidual celi_operator_linearise(CeliOperator *op, double alpha, double *residual,
                                     const double *V);
/// gamma P_pi of a policy (pairs) that is given, and r_pi.
void celi_operator_assemble(CeliOperator *op, const double *pi, double alpha, double *r_pi);
/// y = b + gamma P_pi x; b NULL: 0.
void celi_operator_apply(CeliOperator *op, double *y, const double *b, const double *x);

/// Work on states [begin, end) of one block by `thread`; its sums go to `sums` (CELI_SUMS), zero before.
typedef void (*CeliBlockFn)(CeliOperator *op, void *args, int thread, int64_t begin, int64_t end,
                            double *sums);
/// Runs fn on every block; sums[j] of the blocks are added up in order.
void celi_operator_blocks(CeliOperator *op, CeliBlockFn fn, void *args, double sums[CELI_SUMS]);
/// The residuals of all blocks together.
CeliResidual celi_operator_found(const CeliOperator *op);
/// y += a x.
void celi_operator_add(CeliOperator *op, double *y, double a, const double *x);

#endif
