/// Direct solves with I - gamma P_pi.
///
/// The dense solver is Gaussian elimination without pivoting. Rows are diagonally dominant, so no
/// pivot vanishes and no element grows beyond twice the largest. Its bits are the same on every
/// machine. The sparse solver is KLU, whose bits depend on its version. KLU takes rows of A as
/// columns, so it holds A' and solves with A by its transposed solve.
/// Source: Davis, Palamadai Natarajan, "Algorithm 907: KLU", ACM Trans. Math. Softw. 2010.
#include "mdp/evaluate/direct.h"
#include "base/base.h"
#include <stdlib.h>
#include <string.h>
#ifdef CELSIUS_WITH_SUITESPARSE
#include <klu.h>
#endif

enum { DENSE_MOST = 400 }; ///< largest number of states for the dense solver

#ifdef CELSIUS_WITH_SUITESPARSE
// KLU cannot be stopped, so a factorization that would take much longer than a second is refused.
// KLU's analysis predicts the number of operations. Measured on random MDPs and grids: 2e9
// operations take 0.3 to 0.6 s, 7e9 take 4 s.
static const double OPERATIONS_MOST = 2e9;
static const int64_t ELEMENTS_MOST = 5000000; ///< nonzeros of A; its analysis takes 0.7 s
#endif

struct CeliDirect {
  int64_t S;
  double *dense;         ///< (S, S) L and U, or NULL
  int64_t *row, *column; ///< (S + 1), (elements) compressed rows of A
  int64_t *place;        ///< (S) last position of each column, while rows are filled
  int64_t last;          ///< last position used, while rows are filled
  double *value;         ///< (elements)
#ifdef CELSIUS_WITH_SUITESPARSE
  klu_l_common common;
  klu_l_symbolic *symbolic;
  klu_l_numeric *numeric;
#endif
};

CelStatus celi_direct_check(int64_t states) {
#ifndef CELSIUS_WITH_SUITESPARSE
  if (states > DENSE_MOST)
    return cel_fail(CEL_E_UNSUPPORTED,
                    "a direct solve of %lld states needs SuiteSparse, because it is beyond %d "
                    "states; use newton (krylov), or install libsuitesparse-dev and build again",
                    (long long)states, DENSE_MOST);
#endif
  (void)states;
  return CEL_OK;
}

/// Calls fn(arg, s, next, value) for every nonzero element of gamma P_pi.
static void each_element(const CeliOperator *op, void (*fn)(CeliDirect *, int64_t, int64_t, double),
                         CeliDirect *direct) {
  for (int64_t c = 0; c < op->chunks; c++) {
    CeliChunk at = op->chunk[c];
    for (int64_t i = c * CELI_CHUNK; i < (c + 1) * CELI_CHUNK && i < op->slices; i++) {
      const CeliSlice *slice = &op->slice[i];
      const bool run = slice->flags & CELI_RUN;
      for (int lane = 0; lane < CELI_WIDE; lane++) {
        const int64_t s = celi_operator_state(op, i, lane);
        for (int64_t m = 0; m < slice->merged && s < op->states; m++) {
          const double value = op->value[(at.merged + m) * CELI_WIDE + lane];
          const uint32_t *index = op->merged_index + at.merged_index;
          const int64_t next = run ? (int64_t)index[m] + lane : index[m * CELI_WIDE + lane];
          if (value != 0.0) fn(direct, s, next, value);
        }
      }
      celi_chunk_advance(&at, slice);
    }
  }
}

// ---- dense

static void put_dense(CeliDirect *direct, int64_t s, int64_t next, double value) {
  direct->dense[s * direct->S + next] -= value;
}

static CelStatus factor_dense(CeliDirect *direct, const CeliOperator *op) {
  const int64_t S = direct->S;
  CELI_TRY(celi_alloc(&direct->dense, (size_t)(S * S), sizeof(double), "a dense system"));
  double *A = direct->dense;
  memset(A, 0, (size_t)(S * S) * sizeof *A);
  for (int64_t s = 0; s < S; s++) A[s * S + s] = 1.0;
  each_element(op, put_dense, direct);
  for (int64_t k = 0; k < S; k++) {
    for (int64_t i = k + 1; i < S; i++) {
      if (A[i * S + k] == 0.0) continue;
      const double factor = A[i * S + k] / A[k * S + k];
      A[i * S + k] = factor;
      for (int64_t j = k + 1; j < S; j++) A[i * S + j] -= factor * A[k * S + j];
    }
  }
  return CEL_OK;
}

static void solve_dense(const CeliDirect *direct, double *x) {
  const int64_t S = direct->S;
  const double *A = direct->dense;
  for (int64_t i = 0; i < S; i++)
    for (int64_t j = 0; j < i; j++) x[i] -= A[i * S + j] * x[j];
  for (int64_t i = S - 1; i >= 0; i--) {
    for (int64_t j = i + 1; j < S; j++) x[i] -= A[i * S + j] * x[j];
    x[i] /= A[i * S + i];
  }
}

static void solve_dense_transposed(const CeliDirect *direct, double *x) {
  const int64_t S = direct->S;
  const double *A = direct->dense;
  for (int64_t i = 0; i < S; i++) {
    x[i] /= A[i * S + i];
    for (int64_t j = i + 1; j < S; j++) x[j] -= A[i * S + j] * x[i];
  }
  for (int64_t i = S - 1; i >= 0; i--)
    for (int64_t j = 0; j < i; j++) x[j] -= A[i * S + j] * x[i];
}

// ---- sparse

#ifdef CELSIUS_WITH_SUITESPARSE
static void count(CeliDirect *direct, int64_t s, int64_t next, double value) {
  (void)value;
  if (next != s) direct->row[s + 1]++;
}

/// Appends to row s at row[s]. The first element of a row is the diagonal.
static void put(CeliDirect *direct, int64_t s, int64_t next, double value) {
  const int64_t diagonal = direct->row[s];
  if (next == s) {
    direct->value[diagonal] -= value;
    return;
  }
  // Rows are filled one after the other. A position of another row lies outside of this row.
  int64_t at = direct->place[next];
  if (at <= diagonal || at >= direct->row[s + 1]) {
    if (direct->last < diagonal || direct->last >= direct->row[s + 1]) direct->last = diagonal;
    at = direct->place[next] = ++direct->last;
  }
  direct->column[at] = next;
  direct->value[at] -= value;
}

/// Removes the gaps that merged next states leave in rows.
static void close_rows(CeliDirect *direct) {
  int64_t to = 0;
  for (int64_t s = 0; s < direct->S; s++) {
    const int64_t begin = direct->row[s], end = direct->row[s + 1];
    direct->row[s] = to;
    for (int64_t at = begin; at < end && direct->column[at] >= 0; at++, to++) {
      direct->column[to] = direct->column[at];
      direct->value[to] = direct->value[at];
    }
  }
  direct->row[direct->S] = to;
}

static CelStatus too_long(int64_t states) {
  return cel_fail(CEL_E_UNSUPPORTED,
                  "a sparse direct solve of %lld states would take too long and cannot be stopped; "
                  "use newton (krylov)",
                  (long long)states);
}

static CelStatus fill_rows(CeliDirect *direct, const CeliOperator *op) {
  const int64_t S = direct->S;
  CELI_TRY(celi_alloc(&direct->row, (size_t)S + 1, sizeof(int64_t), "the rows of a sparse system"));
  memset(direct->row, 0, ((size_t)S + 1) * sizeof(int64_t));
  each_element(op, count, direct);
  for (int64_t s = 0; s < S; s++) direct->row[s + 1] += direct->row[s] + 1;
  const int64_t elements = direct->row[S];
  if (elements > ELEMENTS_MOST) return too_long(S);
  CELI_TRY(celi_alloc(&direct->column, (size_t)elements, sizeof(int64_t), "a sparse system"));
  CELI_TRY(celi_alloc(&direct->value, (size_t)elements, sizeof(double), "a sparse system"));
  CELI_TRY(celi_calloc(&direct->place, (size_t)S, sizeof(int64_t), "a sparse system"));
  for (int64_t i = 0; i < elements; i++) direct->column[i] = -1, direct->value[i] = 0.0;
  for (int64_t s = 0; s < S; s++)
    direct->column[direct->row[s]] = s, direct->value[direct->row[s]] = 1.0;
  each_element(op, put, direct);
  close_rows(direct);
  return CEL_OK;
}

static CelStatus factor_sparse(CeliDirect *direct, const CeliOperator *op) {
  CELI_TRY(fill_rows(direct, op));
  klu_l_defaults(&direct->common);
  direct->symbolic = klu_l_analyze(direct->S, direct->row, direct->column, &direct->common);
  if (direct->symbolic && direct->symbolic->est_flops > OPERATIONS_MOST) return too_long(direct->S);
  if (direct->symbolic)
    direct->numeric =
        klu_l_factor(direct->row, direct->column, direct->value, direct->symbolic, &direct->common);
  if (direct->numeric) return CEL_OK;
  return cel_fail(CEL_E_MEMORY,
                  "a sparse direct solve of %lld states failed (KLU's status %d); its factors may "
                  "be too large, so use newton (krylov)",
                  (long long)direct->S, (int)direct->common.status);
}
#endif

// ---- interface

CelStatus celi_direct_create(CeliDirect **out, const CeliOperator *op) {
  *out = NULL;
  CELI_TRY(celi_direct_check(op->states));
  CeliDirect *direct;
  CELI_TRY(celi_alloc(&direct, 1, sizeof *direct, "a direct solve"));
  memset(direct, 0, sizeof *direct);
  direct->S = op->states;
  CelStatus status = CEL_OK;
  if (op->states <= DENSE_MOST) status = factor_dense(direct, op);
#ifdef CELSIUS_WITH_SUITESPARSE
  else
    status = factor_sparse(direct, op);
#endif
  if (status != CEL_OK) {
    celi_direct_destroy(direct);
    return status;
  }
  *out = direct;
  return CEL_OK;
}

void celi_direct_destroy(CeliDirect *direct) {
  if (!direct) return;
#ifdef CELSIUS_WITH_SUITESPARSE
  if (direct->numeric) klu_l_free_numeric(&direct->numeric, &direct->common);
  if (direct->symbolic) klu_l_free_symbolic(&direct->symbolic, &direct->common);
#endif
  free(direct->dense), free(direct->row), free(direct->column), free(direct->value);
  free(direct->place);
  free(direct);
}

CelStatus celi_direct_solve(CeliDirect *direct, double *x, bool transposed) {
  if (direct->dense) {
    if (transposed)
      solve_dense_transposed(direct, x);
    else
      solve_dense(direct, x);
    return CEL_OK;
  }
#ifdef CELSIUS_WITH_SUITESPARSE
  const int64_t S = direct->S;
  const int ok =
      transposed ? (int)klu_l_solve(direct->symbolic, direct->numeric, S, 1, x, &direct->common)
                 : (int)klu_l_tsolve(direct->symbolic, direct->numeric, S, 1, x, &direct->common);
  if (!ok)
    return cel_fail(CEL_E_MEMORY, "a sparse direct solve failed (KLU's status %d)",
                    (int)direct->common.status);
#endif
  return CEL_OK;
}
