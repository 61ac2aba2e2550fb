/// PETSc's binary matrices (docs/files.md), as the solver madupite uses them: the probabilities are
/// a sparse matrix of S m rows and S columns. Row s m + a is action a of state s, and each state
/// has m actions.
///
/// A file is a sequence of objects. All numbers are big-endian. Integers have 4 bytes, or 8 if
/// PETSc was built with 64-bit indices.
///
///     sparse matrix  1211216, rows, columns, n; entries of each row; n columns; n doubles
///     dense matrix   1211216, rows, columns, -1; rows * columns doubles, row by row
///     vector         1211214, n; n doubles
///
/// The second object has the rewards: S rows and m columns for r(s,a), or the shape of the
/// probabilities for r(s,a,s'). A third, a vector, is the initial distribution. madupite keeps
/// probabilities and costs apart, in files such as P.bin and g.bin. Such a file does not say
/// whether its numbers are costs or rewards, so both are reward models: "reward" and "cost", the
/// negative.
#include "mdp/formats/petsc.h"
#include "base/base.h"
#include "mdp/formats/explicit.h"
#include "mdp/model.h"
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MATRIX = 1211216, VECTOR = 1211214 };

/// A matrix. A vector has one column.
typedef struct Matrix {
  bool dense;
  int64_t rows, columns, n;
  uint64_t *row;    ///< (rows + 1) if sparse
  uint64_t *column; ///< (n) if sparse
  double *value;    ///< (n)
} Matrix;

typedef struct Reader {
  const CeliPetscFile *file;
  size_t at;
  bool wide; ///< integers of 8 bytes
} Reader;

#define fail(reader, ...) (say(reader, __VA_ARGS__), CEL_E_CORRUPT)
static void say(const Reader *reader, const char *format, ...) CEL_PRINTF(2, 3);
static void say(const Reader *reader, const char *format, ...) {
  char text[512];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  (void)cel_fail(CEL_E_CORRUPT, "%s: byte %zu: %s", reader->file->name, reader->at, text);
}

// ---- numbers

static uint64_t big_endian(const uint8_t *data, size_t bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < bytes; i++) value = value << 8 | data[i];
  return value;
}

static const uint8_t *at(const Reader *reader) {
  return (const uint8_t *)reader->file->data + reader->at;
}

static size_t left(const Reader *reader) {
  return reader->file->size - reader->at;
}

/// Checks that n elements of `size` bytes follow.
static CelStatus need(const Reader *reader, int64_t n, size_t size, const char *what) {
  if (n >= 0 && (uint64_t)n <= left(reader) / size) return CEL_OK;
  return fail(reader, "%" PRId64 " %s should follow, but the file ends after %zu bytes", n, what,
              left(reader));
}

/// The integer at an index of those that follow. need() was called.
static int64_t integer(const Reader *reader, int64_t i) {
  const uint8_t *data = at(reader);
  if (reader->wide) return (int64_t)big_endian(data + 8 * i, 8);
  return (int32_t)(uint32_t)big_endian(data + 4 * i, 4);
}

static size_t width(const Reader *reader) {
  return reader->wide ? 8 : 4;
}

static CelStatus read_values(Reader *reader, int64_t n, double **out) {
  CELI_TRY(need(reader, n, 8, "numbers"));
  CELI_TRY(celi_alloc(out, (size_t)n, sizeof **out, "a PETSc matrix"));
  for (int64_t i = 0; i < n; i++) {
    const uint64_t bits = big_endian(at(reader) + 8 * i, 8);
    memcpy(&(*out)[i], &bits, sizeof bits);
    if (isfinite((*out)[i])) continue;
    reader->at += (size_t)(8 * i);
    return fail(reader, "the number is not finite");
  }
  reader->at += (size_t)(8 * n);
  return CEL_OK;
}

// ---- objects

/// Detects the width of integers at the beginning of the file.
static CelStatus begin(Reader *reader) {
  const uint64_t narrow = left(reader) >= 4 ? big_endian(at(reader), 4) : 0;
  reader->wide = left(reader) >= 8 && big_endian(at(reader), 8) == MATRIX;
  if (reader->wide || narrow == MATRIX) return CEL_OK;
  return fail(reader, "the file does not begin with a PETSc matrix (1211216, big-endian)");
}

static CelStatus read_vector(Reader *reader, Matrix *out) {
  CELI_TRY(need(reader, 2, width(reader), "integers"));
  *out = (Matrix){.dense = true, .rows = integer(reader, 1), .columns = 1};
  if (out->rows < 1) return fail(reader, "a vector has %" PRId64 " entries", out->rows);
  out->n = out->rows;
  reader->at += 2 * width(reader);
  return read_values(reader, out->n, &out->value);
}

/// Reads the numbers of entries of the rows, and the columns.
static CelStatus read_pattern(Reader *reader, Matrix *out) {
  CELI_TRY(need(reader, out->rows, width(reader), "row lengths"));
  CELI_TRY(celi_alloc(&out->row, (size_t)out->rows + 1, sizeof *out->row, "a PETSc matrix"));
  int64_t sum = 0;
  out->row[0] = 0;
  for (int64_t i = 0; i < out->rows; i++) {
    const int64_t n = integer(reader, i);
    if (n < 0 || n > out->columns || n > out->n - sum)
      return fail(reader, "row %" PRId64 " has %" PRId64 " entries, too many for the matrix", i, n);
    sum += n;
    out->row[i + 1] = (uint64_t)sum;
  }
  if (sum != out->n)
    return fail(reader, "the rows have %" PRId64 " entries, but the matrix has %" PRId64, sum,
                out->n);
  reader->at += (size_t)out->rows * width(reader);
  CELI_TRY(need(reader, out->n, width(reader), "columns"));
  CELI_TRY(celi_alloc(&out->column, (size_t)out->n, sizeof *out->column, "a PETSc matrix"));
  for (int64_t i = 0; i < out->n; i++) {
    const int64_t column = integer(reader, i);
    if (column < 0 || column >= out->columns) {
      reader->at += (size_t)i * width(reader);
      return fail(reader, "column %" PRId64 " is out of range; columns are 0 to %" PRId64, column,
                  out->columns - 1);
    }
    out->column[i] = (uint64_t)column;
  }
  reader->at += (size_t)out->n * width(reader);
  return CEL_OK;
}

static CelStatus read_matrix(Reader *reader, Matrix *out) {
  CELI_TRY(need(reader, 4, width(reader), "integers"));
  *out =
      (Matrix){.rows = integer(reader, 1), .columns = integer(reader, 2), .n = integer(reader, 3)};
  if (integer(reader, 0) != MATRIX)
    return fail(reader, "found object %" PRId64 " where a matrix (1211216) should be",
                integer(reader, 0));
  if (out->rows < 1 || out->columns < 1 || out->n < -1)
    return fail(reader, "a matrix of %" PRId64 " rows, %" PRId64 " columns and %" PRId64 " entries",
                out->rows, out->columns, out->n);
  reader->at += 4 * width(reader);
  out->dense = out->n == -1;
  if (!out->dense) CELI_TRY(read_pattern(reader, out));
  if (out->dense && __builtin_mul_overflow(out->rows, out->columns, &out->n))
    return fail(reader, "the matrix is too large");
  return read_values(reader, out->n, &out->value);
}

static void matrix_free(Matrix *matrix) {
  free(matrix->row);
  free(matrix->column);
  free(matrix->value);
}

// ---- the problem

typedef struct Problem {
  Matrix probability, reward, start;
  bool costs; ///< the rewards come from a file that may mean costs
  int64_t states, actions;
  uint64_t *pair;           ///< (states + 1)
  double *given, *negative; ///< (pairs) or (transitions)
} Problem;

/// Lists all entries of a dense matrix. The builder drops those that are 0.
static CelStatus expand(Problem *problem) {
  Matrix *P = &problem->probability;
  if (!P->dense) return CEL_OK;
  CELI_TRY(celi_alloc(&P->row, (size_t)P->rows + 1, sizeof *P->row, "a PETSc matrix"));
  CELI_TRY(celi_alloc(&P->column, (size_t)P->n, sizeof *P->column, "a PETSc matrix"));
  for (int64_t i = 0; i <= P->rows; i++) P->row[i] = (uint64_t)(i * P->columns);
  for (int64_t i = 0; i < P->n; i++) P->column[i] = (uint64_t)(i % P->columns);
  return CEL_OK;
}

static CelStatus check_shape(const Reader *reader, Problem *problem) {
  const Matrix *P = &problem->probability;
  problem->states = P->columns;
  problem->actions = P->rows / P->columns;
  if (problem->actions >= 1 && P->rows == problem->actions * P->columns) return CEL_OK;
  return cel_fail(CEL_E_CORRUPT,
                  "%s: the matrix has %" PRId64 " rows and %" PRId64
                  " columns; the rows must be a multiple of the columns, one for each state and "
                  "action",
                  reader->file->name, P->rows, P->columns);
}

/// r(s,a) at row s and column a.
static void pair_rewards(const Problem *problem, double *out) {
  const Matrix *R = &problem->reward;
  memset(out, 0, (size_t)(R->rows * R->columns) * sizeof *out);
  for (int64_t i = 0; R->dense && i < R->n; i++) out[i] = R->value[i];
  for (int64_t s = 0; !R->dense && s < R->rows; s++)
    for (uint64_t i = R->row[s]; i < R->row[s + 1]; i++)
      out[s * R->columns + (int64_t)R->column[i]] += R->value[i];
}

/// r(s,a,s') of each entry of the probabilities. Entries of a row may have any order.
static CelStatus transition_rewards(const Reader *reader, const Problem *problem, double *out) {
  const Matrix *P = &problem->probability, *R = &problem->reward;
  if (R->dense) {
    for (int64_t p = 0; p < P->rows; p++)
      for (uint64_t t = P->row[p]; t < P->row[p + 1]; t++)
        out[t] = R->value[(uint64_t)(p * R->columns) + P->column[t]];
    return CEL_OK;
  }
  for (int64_t p = 0; p < P->rows; p++) {
    uint64_t hint = R->row[p];
    for (uint64_t t = P->row[p]; t < P->row[p + 1]; t++) {
      out[t] = 0.0;
      const bool next = hint < R->row[p + 1] && R->column[hint] == P->column[t];
      uint64_t i = next ? hint : R->row[p];
      while (i < R->row[p + 1] && R->column[i] != P->column[t]) i++;
      if (i == R->row[p + 1]) continue;
      out[t] = R->value[i];
      hint = i + 1;
    }
    for (uint64_t i = R->row[p]; i < R->row[p + 1]; i++) {
      bool found = !(R->value[i] < 0.0 || R->value[i] > 0.0) ||
                   (P->row[p + 1] - P->row[p] > i - R->row[p] &&
                    P->column[P->row[p] + i - R->row[p]] == R->column[i]);
      for (uint64_t t = P->row[p]; t < P->row[p + 1] && !found; t++)
        found = P->column[t] == R->column[i];
      if (found) continue;
      return cel_fail(CEL_E_CORRUPT,
                      "%s: row %" PRId64 " has a reward in column %" PRIu64
                      ", where its probability is missing",
                      reader->file->name, p, R->column[i]);
    }
  }
  return CEL_OK;
}

static CelStatus make_rewards(const Reader *reader, Problem *problem) {
  const Matrix *R = &problem->reward, *P = &problem->probability;
  const bool of_pairs = R->rows == problem->states && R->columns == problem->actions;
  const bool of_transitions = !of_pairs && R->rows == P->rows && R->columns == P->columns;
  if (!of_pairs && !of_transitions) {
    return cel_fail(CEL_E_CORRUPT,
                    "%s: the rewards have %" PRId64 " rows and %" PRId64
                    " columns; they must have %" PRId64 " and %" PRId64 " (states and actions), or "
                    "those of the probabilities",
                    reader->file->name, R->rows, R->columns, problem->states, problem->actions);
  }
  const int64_t n = of_pairs ? P->rows : P->n;
  CELI_TRY(celi_alloc(&problem->given, (size_t)n, sizeof(double), "rewards"));
  CELI_TRY(celi_alloc(&problem->negative, (size_t)n, sizeof(double), "rewards"));
  if (of_pairs) pair_rewards(problem, problem->given);
  if (of_transitions) CELI_TRY(transition_rewards(reader, problem, problem->given));
  for (int64_t i = 0; i < n; i++) problem->negative[i] = 0.0 - problem->given[i];
  return CEL_OK;
}

static CelStatus read_objects(Problem *problem, const CeliPetscFile *file,
                              const CeliPetscFile *costs) {
  Reader reader = {.file = file}, other = {.file = costs};
  CELI_TRY(begin(&reader));
  CELI_TRY(read_matrix(&reader, &problem->probability));
  CELI_TRY(check_shape(&reader, problem));
  CELI_TRY(expand(problem));
  if (left(&reader) > 0) {
    CELI_TRY(read_matrix(&reader, &problem->reward));
    CELI_TRY(make_rewards(&reader, problem));
  } else if (costs->data) {
    CELI_TRY(begin(&other));
    CELI_TRY(read_matrix(&other, &problem->reward));
    CELI_TRY(make_rewards(&other, problem));
    problem->costs = true;
    if (left(&other) > 0) return fail(&other, "there is more than one matrix in the file of costs");
  }
  if (left(&reader) == 0) return CEL_OK;
  CELI_TRY(need(&reader, 2, width(&reader), "integers"));
  if (integer(&reader, 0) != VECTOR)
    return fail(&reader,
                "found object %" PRId64 " where the initial distribution, a vector "
                "(1211214), should be",
                integer(&reader, 0));
  CELI_TRY(read_vector(&reader, &problem->start));
  if (problem->start.rows != problem->states)
    return fail(&reader,
                "the initial distribution has %" PRId64 " entries, but there are %" PRId64
                " states",
                problem->start.rows, problem->states);
  return left(&reader) == 0 ? CEL_OK : fail(&reader, "there is more data behind the last object");
}

static CelStatus build(CelMdp **out, Problem *problem, const char *file,
                       const CelMdpLoadOptions *options) {
  const Matrix *P = &problem->probability, *R = &problem->reward;
  const bool of_pairs = R->columns == problem->actions && R->rows == problem->states;
  CelMdpReward reward[2] = {{.name = "reward"}, {.name = "cost"}};
  for (int i = 0; i < 2; i++) {
    const double *from = i == 0 ? problem->given : problem->negative;
    if (of_pairs)
      reward[i].pair = from;
    else
      reward[i].transition = from;
  }
  CELI_TRY(celi_alloc(&problem->pair, (size_t)problem->states + 1, sizeof(uint64_t), "states"));
  for (int64_t s = 0; s <= problem->states; s++)
    problem->pair[s] = (uint64_t)(s * problem->actions);
  const CeliExplicit model = {.file = file,
                              .states = problem->states,
                              .pairs = P->rows,
                              .transitions = P->n,
                              .pair = problem->pair,
                              .row = P->row,
                              .next = P->column,
                              .probability = P->value,
                              .start = problem->start.value,
                              .reward = reward,
                              .rewards = !problem->given  ? 0
                                         : problem->costs ? 2
                                                          : 1,
                              .discount = (double)NAN};
  return celi_explicit_build(out, &model, options);
}

CelStatus celi_mdp_parse_petsc(CelMdp **out, const CeliPetscFile *file, const CeliPetscFile *costs,
                               const CelMdpLoadOptions *options) {
  Problem problem = {.states = 0};
  CelStatus status = read_objects(&problem, file, costs);
  if (status == CEL_OK) status = build(out, &problem, file->name, options);
  matrix_free(&problem.probability);
  matrix_free(&problem.reward);
  matrix_free(&problem.start);
  free(problem.pair);
  free(problem.given);
  free(problem.negative);
  return status;
}

// ---- files

/// The file of costs beside a file of probabilities: P.bin and g.bin, or a_P_b.bin and a_g_b.bin.
/// NULL if the name has no part P. The caller frees *out.
static CelStatus costs_path(const char *path, char **out) {
  const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
  *out = NULL;
  for (const char *c = base; *c; c++) {
    const bool first = c == base || strchr("_-.", c[-1]), last = strchr("_-.", c[1]) != NULL;
    if (*c != 'P' || !first || !last) continue;
    *out = strdup(path);
    if (!*out) return cel_fail(CEL_E_MEMORY, "not enough memory for a path");
    (*out)[c - path] = 'g';
    return CEL_OK;
  }
  return CEL_OK;
}

static CelStatus load(CelMdp **out, const char *path, const CelMdpLoadOptions *options) {
  char *data = NULL, *more = NULL, *beside;
  CELI_TRY(costs_path(path, &beside));
  CeliPetscFile file = {.name = path}, costs = {.name = beside};
  CelStatus status = celi_text_read(path, &data, &file.size);
  file.data = data;
  if (status == CEL_OK && beside && access(beside, F_OK) == 0)
    status = celi_text_read(beside, &more, &costs.size);
  costs.data = more;
  if (status == CEL_OK) status = celi_mdp_parse_petsc(out, &file, &costs, options);
  free(data);
  free(more);
  free(beside);
  return status;
}

// ---- writing

CelStatus celi_mdp_check_petsc(const CelMdp *mdp) {
  if (mdp->horizon > 0) {
    return cel_fail(CEL_E_UNSUPPORTED,
                    "PETSc files have no horizon, but this MDP has horizon %" PRId64
                    "; write .safetensors instead",
                    mdp->horizon);
  }
  for (int64_t t = 0; mdp->ends && t < mdp->transitions; t++) {
    if (!mdp->ends[t]) continue;
    return cel_fail(CEL_E_UNSUPPORTED,
                    "in PETSc files no transition ends the episode, but transition %" PRId64
                    " does; write .safetensors instead",
                    t);
  }
  for (int64_t s = 0; s < mdp->states; s++) {
    const int64_t n = mdp->pair[s + 1] - mdp->pair[s];
    if (n == mdp->max_actions) continue;
    return cel_fail(CEL_E_UNSUPPORTED,
                    "in PETSc files all states have the same number of actions, but state %" PRId64
                    " has %" PRId64 " and another state %" PRId64 "; write .umb instead",
                    s, n, mdp->max_actions);
  }
  for (int64_t p = 0; mdp->action && p < mdp->pairs; p++) {
    if (mdp->action[p] == p % mdp->max_actions) continue;
    return cel_fail(CEL_E_UNSUPPORTED,
                    "in PETSc files actions are numbered 0, 1, ..., but state %" PRId64
                    " has action %" PRId32 "; write .umb instead",
                    p / mdp->max_actions, mdp->action[p]);
  }
  return CEL_OK;
}

static bool is_wide(const CelMdp *mdp) {
  return mdp->pairs > INT32_MAX || mdp->transitions > INT32_MAX;
}

static void put_big_endian(CeliOut *out, uint64_t x, int bytes) {
  uint8_t data[8];
  for (int i = 0; i < bytes; i++) data[i] = (uint8_t)(x >> (8 * (bytes - 1 - i)));
  celi_out_bytes(out, data, (size_t)bytes);
}

static void put_integer(CeliOut *out, const CelMdp *mdp, int64_t x) {
  put_big_endian(out, (uint64_t)x, is_wide(mdp) ? 8 : 4);
}

static void put_double(CeliOut *out, double x) {
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  put_big_endian(out, bits, 8);
}

/// A sparse matrix with the pattern of the transitions.
static void emit_sparse(CeliOut *out, const CelMdp *mdp, const double *value) {
  put_integer(out, mdp, MATRIX);
  put_integer(out, mdp, mdp->pairs);
  put_integer(out, mdp, mdp->states);
  put_integer(out, mdp, mdp->transitions);
  for (int64_t p = 0; p < mdp->pairs; p++) put_integer(out, mdp, mdp->row[p + 1] - mdp->row[p]);
  for (int64_t t = 0; t < mdp->transitions; t++) put_integer(out, mdp, cel_mdp_next(mdp, t));
  for (int64_t t = 0; t < mdp->transitions; t++) put_double(out, value[t]);
}

/// r(s,a) is written as a sparse matrix with all entries. PETSc loads that as sparse and as dense.
void celi_mdp_emit_petsc(CeliOut *out, const CelMdp *mdp) {
  emit_sparse(out, mdp, mdp->probability);
  if (mdp->reward_next) {
    emit_sparse(out, mdp, mdp->reward_next);
  } else {
    put_integer(out, mdp, MATRIX);
    put_integer(out, mdp, mdp->states);
    put_integer(out, mdp, mdp->max_actions);
    put_integer(out, mdp, mdp->pairs);
    for (int64_t s = 0; s < mdp->states; s++) put_integer(out, mdp, mdp->max_actions);
    for (int64_t p = 0; p < mdp->pairs; p++) put_integer(out, mdp, p % mdp->max_actions);
    for (int64_t p = 0; p < mdp->pairs; p++) put_double(out, mdp->reward[p]);
  }
  put_integer(out, mdp, VECTOR);
  put_integer(out, mdp, mdp->states);
  for (int64_t s = 0; s < mdp->states; s++) put_double(out, mdp->start[s]);
}

static CelStatus save(const CelMdp *mdp, const char *path) {
  CELI_TRY(cel_fail_in(celi_mdp_check_petsc(mdp), "%s: ", path));
  return celi_out_file(path, mdp, celi_mdp_emit_petsc);
}

static bool sniff(const char *data, size_t size) {
  return (size >= 4 && big_endian((const uint8_t *)data, 4) == MATRIX) ||
         (size >= 8 && big_endian((const uint8_t *)data, 8) == MATRIX);
}

const CeliMdpFormat celi_mdp_format_petsc = {
    .info = {CEL_MDP_PETSC,
             "petsc",
             "PETSc's binary matrices of probabilities and rewards, as madupite uses them",
             {".petsc"},
             {NULL}},
    .named_rewards = true,
    .sniff = sniff,
    .load = load,
    .save = save};
