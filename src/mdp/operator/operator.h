/// The backup of a finite MDP in a layout for fast sweeps. Solvers read a CelMdp only through it.
///
/// A slice holds eight states, one per SIMD lane. Level a of a slice holds the a-th action of every
/// lane. A level has one column for each k: the k-th transition of that action in every lane, as
/// eight probabilities and eight next states. A sweep therefore updates eight states at once and
/// reads memory in order. Some slices have a compressed form:
///   run             the next states of every column are consecutive; only the first is stored
///   even run        the probabilities of every column are equal too; only one is stored
///   run with holes  an even run in which a column may lack some lanes; a mask says which (holes.c)
/// A missing transition has probability 0, and a missing action has reward -inf. Transitions that
/// end the episode have probability 0. Terminal states keep the value 0 and do not enter residuals.
///
/// States keep their order. If that would leave columns too empty, the states of a chunk are sorted
/// by their number of actions and transitions instead. Vectors have `padded` elements, and those
/// past the last state are zero.
///
/// Work is divided into blocks that do not depend on the number of threads, and every sum has a
/// fixed order. So the bits are the same for any number of threads and any instruction set.
#ifndef CELI_MDP_OPERATOR_H
#define CELI_MDP_OPERATOR_H
#include "mdp/backup/certificate.h"
#include "ops/plan.h"

enum { CELI_WIDE = 8 };     ///< states per slice
enum { CELI_CHUNK = 32 };   ///< slices per chunk: 256 states
enum { CELI_BLOCK = 4096 }; ///< states per block: 16 chunks
enum { CELI_SUMS = 4 };     ///< largest number of sums of a block function

typedef enum CeliSliceFlag {
  CELI_RUN = 1,     ///< next states of each column are consecutive
  CELI_SORTED = 2,  ///< lanes are not consecutive states
  CELI_PARTIAL = 4, ///< some lanes are terminal or past the end
  CELI_EVEN = 16,   ///< a run whose columns have one probability each
  CELI_HOLES = 32,  ///< an even run with a mask of lanes per column
  CELI_MERGED = 8   ///< P_pi has one column per next state
} CeliSliceFlag;

typedef struct CeliSlice {
  uint32_t first;   ///< state of lane 0, the others follow; if CELI_SORTED, use lane
  uint32_t levels;  ///< largest number of actions
  uint32_t columns; ///< transition columns of all levels
  uint32_t merged;  ///< columns of P_pi
  uint8_t flags;
  uint8_t mask; ///< lanes with a state that has actions
} CeliSlice;

/// Where a chunk begins in each array of CeliOperator. `level` counts levels, and `merged` counts
/// columns of P_pi. The others count elements of their array.
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
  int threads;         ///< threads that get work; 1 for small MDPs
  CeliSlice *slice;    ///< (slices)
  CeliChunk *chunk;    ///< (chunks + 1)
  uint32_t *lane;      ///< (slices, 8) states of sorted slices, or NULL
  uint32_t *width;     ///< (levels) columns of each level
  double *reward;      ///< (levels, 8)
  double *probability; ///< (columns) of even runs, else (columns, 8)
  uint32_t *index;     ///< (columns) of runs, else (columns, 8)
  uint8_t *hole;       ///< (columns) of runs with holes: mask of lanes
  // gamma P_pi, valid after celi_operator_prepare.
  uint32_t *merged_index; ///< (merged columns) of runs, else (merged columns, 8)
  uint8_t *map;    ///< for merged slices: the column of P_pi of each column (runs) or each element
  double *value;   ///< (merged columns, 8)
  double *scratch; ///< (threads, scratch_stride) Q of each thread's slice
  int64_t scratch_stride;
  CeliResidual *found; ///< (blocks)
  double *sums;        ///< (blocks, CELI_SUMS)
  size_t bytes;        ///< size of all arrays
  size_t later;        ///< bytes that the caller allocates later, see celi_operator_create
} CeliOperator;

/// `later`: bytes that the caller will allocate while the operator exists. Every request for memory
/// by the operator or a method includes them, so that a solve does not fail when it allocates its
/// result.
/// Errors: CEL_E_MEMORY, CEL_E_UNSUPPORTED (2^31 states or more).
CelStatus celi_operator_create(CeliOperator **out, const CelMdp *mdp, double gamma, int64_t threads,
                               size_t later) CEL_WARN_UNUSED;
void celi_operator_destroy(CeliOperator *op);
/// Allocates and lays out gamma P_pi. Errors: CEL_E_MEMORY.
CelStatus celi_operator_prepare(CeliOperator *op) CEL_WARN_UNUSED;
/// Checks that there is memory for `n` arrays of bytes[i] bytes and for op->later bytes.
/// `what` names the arrays in the error. Errors: CEL_E_MEMORY.
CelStatus celi_operator_room(const CeliOperator *op, const size_t *bytes, int n,
                             const char *what) CEL_WARN_UNUSED;
/// Allocates a zeroed vector (padded). The caller frees it. Errors: CEL_E_MEMORY.
CelStatus celi_operator_vector(const CeliOperator *op, double **out) CEL_WARN_UNUSED;
/// The state of a lane. A number >= states means that the lane has no state.
int64_t celi_operator_state(const CeliOperator *op, int64_t slice, int lane);
/// The first chunk that begins at or after a state.
static inline int64_t celi_chunk_of(int64_t state) {
  return (state + CELI_CHUNK * CELI_WIDE - 1) / (CELI_CHUNK * CELI_WIDE);
}
/// Moves to the start of the next slice.
void celi_chunk_advance(CeliChunk *at, const CeliSlice *slice);

/// next = TV. alpha = 0: unregularized.
CeliResidual celi_operator_sweep(CeliOperator *op, double alpha, double *next, const double *V);
/// V = TV in place, slice by slice, with states in ascending or descending order. Returns the
/// residuals met on the way. Uses one thread.
CeliResidual celi_operator_sweep_in_place(CeliOperator *op, double alpha, double *V, bool down);
/// residual = TV - V, and gamma P_pi of the softmax policy of V (alpha = 0: greedy, uniform over
/// ties).
CeliResidual celi_operator_linearize(CeliOperator *op, double alpha, double *residual,
                                     const double *V);
/// gamma P_pi and r_pi of the policy `pi` (pairs).
void celi_operator_assemble(CeliOperator *op, const double *pi, double alpha, double *r_pi);
/// y = b + gamma P_pi x; b NULL: 0.
void celi_operator_apply(CeliOperator *op, double *y, const double *b, const double *x);

/// Computes states [begin, end) of one block in thread `thread`. `sums` (CELI_SUMS) is zeroed
/// before.
typedef void (*CeliBlockFn)(CeliOperator *op, void *args, int thread, int64_t begin, int64_t end,
                            double *sums);
/// Calls fn for every block. Adds up sums[j] of the blocks in order.
void celi_operator_blocks(CeliOperator *op, CeliBlockFn fn, void *args, double sums[CELI_SUMS]);
/// The combined residual of all blocks.
CeliResidual celi_operator_found(const CeliOperator *op);
/// y += a x.
void celi_operator_add(CeliOperator *op, double *y, double a, const double *x);

#endif
