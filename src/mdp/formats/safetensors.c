/// Finite MDPs in safetensors files. Tensors have the names of the arrays of CelMdp
/// (docs/files.md).
///
/// A loaded MDP points into the mapped file. Only small arrays are copied, and what a foreign file
/// leaves to compute: rows that sum to 1 only nearly, a missing r(s,a) or start, and indices and
/// numbers of other types.
///     pair (S + 1) I64, row (P + 1) I64, next (T) U32 or I64, probability (T) F64, reward (P) F64
///     optional: reward_next (T) F64, ends (T) U8, action (P) I32, start (S) F64
///     grid.state (rows, columns) I64, grid.direction (actions, 2) I32
#include "base/base.h"
#include "mdp/formats/formats.h"
#include "mdp/model.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FORMAT "celsius-mdp"

// ---- saving

/// The tensors to write.
typedef struct List {
  CelTensor tensor[12];
  int n;
} List;

static void add(List *list, const char *name, CelType type, const void *data, int64_t rows,
                int64_t columns) {
  if (data == NULL) return;
  CelTensor *tensor = &list->tensor[list->n++];
  snprintf(tensor->name, sizeof tensor->name, "%s", name);
  tensor->type = type;
  tensor->role = CEL_MODEL;
  tensor->ndim = columns > 0 ? 2 : 1;
  tensor->shape[0] = rows;
  tensor->shape[1] = columns;
  tensor->size = columns > 0 ? rows * columns : rows;
  tensor->data = (void *)data; // the writer only reads
}

static void add_arrays(List *list, const CelMdp *mdp) {
  add(list, "pair", CEL_I64, mdp->pair, mdp->states + 1, 0);
  add(list, "row", CEL_I64, mdp->row, mdp->pairs + 1, 0);
  if (mdp->next32) {
    add(list, "next", CEL_U32, mdp->next32, mdp->transitions, 0);
  } else {
    add(list, "next", CEL_I64, mdp->next64, mdp->transitions, 0);
  }
  add(list, "probability", CEL_F64, mdp->probability, mdp->transitions, 0);
  add(list, "reward", CEL_F64, mdp->reward, mdp->pairs, 0);
  add(list, "reward_next", CEL_F64, mdp->reward_next, mdp->transitions, 0);
  add(list, "ends", CEL_U8, mdp->ends, mdp->transitions, 0);
  add(list, "action", CEL_I32, mdp->action, mdp->pairs, 0);
  add(list, "start", CEL_F64, mdp->start, mdp->states, 0);
}

/// The directions of a grid in the type of the file. The caller frees them.
static CelStatus widen(const CelMdpGrid *grid, int32_t **out) {
  CELI_TRY(celi_alloc(out, (size_t)grid->actions, 2 * sizeof **out, "a grid"));
  for (int64_t i = 0; i < 2 * grid->actions; i++) (*out)[i] = (int32_t)grid->direction[i];
  return CEL_OK;
}

static CelStatus save(const CelMdp *mdp, const char *path) {
  List list = {0};
  int32_t *direction = NULL;
  add_arrays(&list, mdp);
  if (mdp->grid) {
    CELI_TRY(widen(mdp->grid, &direction));
    add(&list, "grid.state", CEL_I64, mdp->grid->state, mdp->grid->rows, mdp->grid->columns);
    add(&list, "grid.direction", CEL_I32, direction, mdp->grid->actions, 2);
  }
  char discount[CELI_NUMBER_MAX], horizon[CELI_NUMBER_MAX];
  celi_double_text(discount, mdp->discount);
  snprintf(horizon, sizeof horizon, "%" PRId64, mdp->horizon);
  const CelMeta meta[] = {
      {"format", FORMAT}, {"name", mdp->name}, {"discount", discount}, {"horizon", horizon}};
  const CelStatus status = cel_safetensors_write_list(path, list.tensor, list.n, meta, 4);
  free(direction);
  return status;
}

// ---- loading: the tensors, each once, of the right type and size

static const char *const names[] = {"pair",   "row",        "next",          "probability",
                                    "reward", "start",      "reward_next",   "ends",
                                    "action", "grid.state", "grid.direction"};
enum { NAMES = sizeof names / sizeof *names };

/// Metadata may have unknown keys, but not misspellings of known ones.
static CelStatus check_meta(const CelSafetensors *file) {
  static const char *const keys[] = {"format", "name", "discount", "horizon"};
  enum { KEYS = sizeof keys / sizeof *keys };
  for (int64_t i = 0; cel_safetensors_meta_at(file, i).key; i++) {
    const char *key = cel_safetensors_meta_at(file, i).key;
    CeliNearest nearest = {.wanted = key};
    int known = 0;
    while (known < KEYS && strcmp(keys[known], key) != 0) celi_nearest_try(&nearest, keys[known++]);
    if (strcasecmp(key, "gamma") == 0) nearest.best = "discount";
    if (known < KEYS || !nearest.best) continue;
    return cel_fail(CEL_E_CORRUPT,
                    "metadata key \"%s\" is unknown; is \"%s\" meant? If not, rename it", key,
                    nearest.best);
  }
  return CEL_OK;
}

static CelStatus check_names(const CelSafetensors *file) {
  for (int64_t i = 0; i < cel_safetensors_count(file); i++) {
    const char *name = cel_safetensors_at(file, i)->name;
    CeliNearest nearest = {.wanted = name};
    int known = 0;
    while (known < NAMES && strcmp(names[known], name) != 0)
      celi_nearest_try(&nearest, names[known++]);
    if (known < NAMES) continue;
    return cel_fail(CEL_E_CORRUPT, "tensor \"%s\" is not part of a finite MDP%s%s%s", name,
                    nearest.best ? "; is \"" : "", nearest.best ? nearest.best : "",
                    nearest.best ? "\" meant?" : "");
  }
  return CEL_OK;
}

/// Kinds of numbers in a tensor, each with several allowed types.
typedef enum Kind { INDEX, NUMBER, FLAG } Kind;

static bool is_of_kind(CelType type, Kind kind) {
  switch (kind) {
  case INDEX: return type == CEL_I32 || type == CEL_I64 || type == CEL_U32 || type == CEL_U64;
  case NUMBER: return type == CEL_F64 || type == CEL_F32;
  case FLAG: return type == CEL_U8;
  }
  return false;
}

/// Finds a tensor with one axis of n entries. NULL if it is missing.
static CelStatus find(const CelSafetensors *file, const char *name, Kind kind, int64_t n,
                      const CelTensor **out) {
  static const char *const types[] = {"I32, I64, U32 or U64", "F64 or F32", "U8"};
  const CelTensor *tensor = *out = cel_safetensors_find(file, name);
  if (tensor == NULL) return CEL_OK;
  if (!is_of_kind(tensor->type, kind)) {
    return cel_fail(CEL_E_CORRUPT, "tensor \"%s\" is of type %s; it must be %s", name,
                    cel_type_name(tensor->type), types[kind]);
  }
  if (tensor->ndim != 1) {
    return cel_fail(CEL_E_CORRUPT, "tensor \"%s\" has %d axes; it must have one", name,
                    tensor->ndim);
  }
  if (tensor->size != n) {
    return cel_fail(CEL_E_CORRUPT,
                    "tensor \"%s\" has %" PRId64
                    " entr%s; the sizes of \"pair\", \"row\" and \"next\" require %" PRId64,
                    name, tensor->size, tensor->size == 1 ? "y" : "ies", n);
  }
  return CEL_OK;
}

/// Entry i of a tensor of indices. U64 values above INT64_MAX become negative, and so invalid.
static int64_t index_at(const CelTensor *tensor, int64_t i) {
  switch (tensor->type) {
  case CEL_I32: return ((const int32_t *)tensor->data)[i];
  case CEL_U32: return ((const uint32_t *)tensor->data)[i];
  default: return ((const int64_t *)tensor->data)[i];
  }
}

/// 64-bit indices: those of the file, or a copy.
static CelStatus find_indices(CeliMdp *model, const char *name, int64_t n, const int64_t **out) {
  const CelTensor *tensor;
  int64_t *copy;
  CELI_TRY(find(model->file, name, INDEX, n, &tensor));
  *out = tensor ? tensor->data : NULL;
  if (!tensor || tensor->type == CEL_I64 || tensor->type == CEL_U64) return CEL_OK;
  CELI_TRY(celi_alloc(&copy, (size_t)n, sizeof *copy, name));
  celi_mdp_own(model, copy);
  for (int64_t i = 0; i < n; i++) copy[i] = index_at(tensor, i);
  *out = copy;
  return CEL_OK;
}

/// Next states stay in 32 bits. Signed ones are checked to be nonnegative, so unsigned reads agree.
static CelStatus find_next(CeliMdp *model, int64_t n) {
  const CelTensor *tensor;
  CELI_TRY(find(model->file, "next", INDEX, n, &tensor));
  for (int64_t i = 0; tensor->type == CEL_I32 && i < n; i++) {
    if (index_at(tensor, i) >= 0) continue;
    return cel_fail(CEL_E_CORRUPT,
                    "tensor \"next\": entry %" PRId64 " is %" PRId64 "; states are numbered from 0",
                    i, index_at(tensor, i));
  }
  const bool narrow = tensor->type == CEL_I32 || tensor->type == CEL_U32;
  model->mdp.next32 = narrow ? tensor->data : NULL;
  model->mdp.next64 = narrow ? NULL : tensor->data;
  return CEL_OK;
}

/// 32-bit action numbers.
static CelStatus find_action(CeliMdp *model, int64_t n) {
  const CelTensor *tensor;
  int32_t *copy;
  CELI_TRY(find(model->file, "action", INDEX, n, &tensor));
  model->mdp.action = tensor ? tensor->data : NULL;
  if (!tensor || tensor->type == CEL_I32) return CEL_OK;
  CELI_TRY(celi_alloc(&copy, (size_t)n, sizeof *copy, "action numbers"));
  celi_mdp_own(model, copy);
  for (int64_t i = 0; i < n; i++) {
    const int64_t number = index_at(tensor, i);
    if (number < 0 || number >= INT32_MAX) {
      return cel_fail(CEL_E_CORRUPT,
                      "tensor \"action\": entry %" PRId64 " is %" PRId64
                      "; actions are 0 to 2^31 - 2",
                      i, number);
    }
    copy[i] = (int32_t)number;
  }
  model->mdp.action = copy;
  return CEL_OK;
}

/// Double-precision numbers: those of the file, or a copy.
static CelStatus find_numbers(CeliMdp *model, const char *name, int64_t n, const double **out) {
  const CelTensor *tensor;
  double *copy;
  CELI_TRY(find(model->file, name, NUMBER, n, &tensor));
  *out = tensor ? tensor->data : NULL;
  if (!tensor || tensor->type == CEL_F64) return CEL_OK;
  CELI_TRY(celi_alloc(&copy, (size_t)n, sizeof *copy, name));
  celi_mdp_own(model, copy);
  for (int64_t i = 0; i < n; i++) copy[i] = (double)((const float *)tensor->data)[i];
  *out = copy;
  return CEL_OK;
}

static CelStatus need(const CelSafetensors *file, const char *name, int64_t *size) {
  const CelTensor *tensor = cel_safetensors_find(file, name);
  if (tensor == NULL) {
    return cel_fail(CEL_E_CORRUPT, "tensor \"%s\" is missing (docs/files.md lists the tensors)",
                    name);
  }
  *size = tensor->size;
  return CEL_OK;
}

static CelStatus find_sizes(CelMdp *mdp, const CelSafetensors *file) {
  int64_t pair = 0, row = 0;
  CELI_TRY(need(file, "pair", &pair));
  CELI_TRY(need(file, "row", &row));
  CELI_TRY(need(file, "next", &mdp->transitions));
  if (pair < 2 || row < 2 || mdp->transitions < 1) {
    return cel_fail(CEL_E_CORRUPT,
                    "tensors \"pair\", \"row\" and \"next\" have %" PRId64 ", %" PRId64
                    " and %" PRId64 " entries; an MDP needs at least 2, 2 and 1",
                    pair, row, mdp->transitions);
  }
  mdp->states = pair - 1;
  mdp->pairs = row - 1;
  return CEL_OK;
}

static CelStatus find_arrays(CeliMdp *model) {
  CelMdp *mdp = &model->mdp;
  const int64_t S = mdp->states, P = mdp->pairs, T = mdp->transitions;
  const CelTensor *ends;
  int64_t unused = 0;
  CELI_TRY(find_indices(model, "pair", S + 1, &mdp->pair));
  CELI_TRY(find_indices(model, "row", P + 1, &mdp->row));
  CELI_TRY(find_next(model, T));
  CELI_TRY(need(model->file, "probability", &unused));
  CELI_TRY(find_numbers(model, "probability", T, &mdp->probability));
  CELI_TRY(find_numbers(model, "reward", P, &mdp->reward));
  CELI_TRY(find_numbers(model, "reward_next", T, &mdp->reward_next));
  CELI_TRY(find(model->file, "ends", FLAG, T, &ends));
  mdp->ends = ends ? ends->data : NULL;
  CELI_TRY(find_action(model, P));
  CELI_TRY(find_numbers(model, "start", S, &mdp->start));
  if (mdp->reward || mdp->reward_next) return CEL_OK;
  return cel_fail(CEL_E_CORRUPT,
                  "the tensors \"reward\" and \"reward_next\" are both missing; one is needed");
}

// ---- loading: the metadata

static CelStatus read_discount(CelMdp *mdp, const CelSafetensors *file,
                               const CelMdpLoadOptions *options) {
  const char *text = cel_safetensors_meta(file, "discount");
  const bool own = isnan(options->discount);
  mdp->discount = (double)NAN;
  if (own && text == NULL) {
    return cel_fail(CEL_E_CORRUPT, "metadata \"discount\" is missing; add it, or set one (solve: "
                                   "--gamma; environment mdp: --env.discount)");
  }
  if (own && celi_parse_double(text, &mdp->discount) != CELI_NUMBER_OK) {
    return cel_fail(CEL_E_CORRUPT, "metadata \"discount\": \"%s\" is not a number", text);
  }
  if (!own || !isnan(mdp->discount))
    CELI_TRY(celi_load_choose("options", options, &mdp->discount, &mdp->horizon));
  const CelStatus status = celi_mdp_check_discount(mdp->discount, mdp->horizon);
  return status == CEL_OK || !own ? status : cel_fail_in(CEL_E_CORRUPT, "metadata: ");
}

static CelStatus read_meta(CelMdp *mdp, const CelSafetensors *file,
                           const CelMdpLoadOptions *options) {
  const char *format = cel_safetensors_meta(file, "format");
  if (format == NULL || strcmp(format, FORMAT) != 0) {
    return cel_fail(CEL_E_CORRUPT,
                    "not a finite MDP: metadata \"format\" is %s%s%s, not \"" FORMAT "\"",
                    format ? "\"" : "", format ? format : "missing", format ? "\"" : "");
  }
  const char *horizon = cel_safetensors_meta(file, "horizon");
  if (horizon != NULL &&
      (celi_parse_i64(horizon, &mdp->horizon) != CELI_NUMBER_OK || mdp->horizon < 0)) {
    return cel_fail(CEL_E_CORRUPT, "metadata \"horizon\" is \"%s\"; it must be a number of steps",
                    horizon);
  }
  const char *name = cel_safetensors_meta(file, "name");
  if (name != NULL && (strlen(name) >= sizeof mdp->name || !celi_text_plain(name))) {
    return cel_fail(CEL_E_CORRUPT, "metadata \"name\" must be printable text of at most %zu bytes",
                    sizeof mdp->name - 1);
  }
  if (name != NULL) strcpy(mdp->name, name);
  return read_discount(mdp, file, options);
}

// ---- loading: the grid

static CelStatus find_grid(CeliMdp *model, const CelSafetensors *file) {
  const CelTensor *state = cel_safetensors_find(file, "grid.state");
  const CelTensor *direction = cel_safetensors_find(file, "grid.direction");
  if (!state && !direction) return CEL_OK;
  if (!state || !direction || state->type != CEL_I64 || direction->type != CEL_I32 ||
      state->ndim != 2 || direction->ndim != 2 || direction->shape[1] != 2) {
    return cel_fail(CEL_E_CORRUPT,
                    "a grid needs tensors \"grid.state\" (rows, columns) of type I64 and "
                    "\"grid.direction\" (actions, 2) of type I32");
  }
  int8_t *narrow;
  CELI_TRY(celi_alloc(&narrow, (size_t)direction->size, 1, "a grid"));
  celi_mdp_own(model, narrow);
  for (int64_t i = 0; i < direction->size; i++) {
    const int32_t step = ((const int32_t *)direction->data)[i];
    if (step < INT8_MIN || step > INT8_MAX) {
      return cel_fail(CEL_E_CORRUPT,
                      "tensor \"grid.direction\": action %" PRId64 " moves %" PRId32
                      " cells; it must be -128 to 127",
                      i / 2, step);
    }
    narrow[i] = (int8_t)step;
  }
  model->grid =
      (CelMdpGrid){state->shape[0], state->shape[1], state->data, narrow, direction->shape[0]};
  model->mdp.grid = &model->grid;
  return CEL_OK;
}

// ---- loading: completing foreign files

/// r(s,a) = sum_s' P(s'|s,a) r(s,a,s')
static CelStatus make_reward(CeliMdp *model) {
  CelMdp *mdp = &model->mdp;
  double *reward;
  CELI_TRY(celi_alloc(&reward, (size_t)mdp->pairs, sizeof *reward, "rewards"));
  celi_mdp_own(model, reward);
  for (int64_t p = 0; p < mdp->pairs; p++) {
    reward[p] = 0.0;
    for (int64_t t = mdp->row[p]; t < mdp->row[p + 1]; t++) {
      reward[p] += mdp->probability[t] * mdp->reward_next[t];
    }
  }
  mdp->reward = reward;
  return CEL_OK;
}

static CelStatus make_start(CeliMdp *model) {
  double *start;
  CELI_TRY(celi_mdp_uniform_start(model->mdp.pair, model->mdp.states, &start));
  celi_mdp_own(model, start);
  model->mdp.start = start;
  return CEL_OK;
}

static CelStatus complete(CeliMdp *model) {
  CELI_TRY(celi_mdp_check_order(&model->mdp)); // before any loop over pair and row
  if (!model->mdp.reward) CELI_TRY(make_reward(model));
  if (!model->mdp.start) CELI_TRY(make_start(model));
  model->mdp.max_actions = celi_mdp_max_actions(model->mdp.pair, model->mdp.states);
  return CEL_OK;
}

/// Copies x (n,), replaces negative numbers by 0, and divides by the sum.
static void divide(double *out, const double *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) out[i] = fmax(x[i], 0.0);
  const double sum = celi_mdp_sum(out, n);
  for (int64_t i = 0; i < n; i++) out[i] /= sum;
}

/// Copies probabilities that are only nearly exact (CELI_MDP_GIVEN) and divides them by their sums.
static CelStatus normalize(CeliMdp *model) {
  CelMdp *mdp = &model->mdp;
  double *probability, *start;
  CELI_TRY(celi_alloc(&probability, (size_t)mdp->transitions, sizeof *probability,
                      "probabilities that do not sum to 1"));
  celi_mdp_own(model, probability);
  CELI_TRY(celi_alloc(&start, (size_t)mdp->states, sizeof *start, "the initial distribution"));
  celi_mdp_own(model, start);
  for (int64_t p = 0; p < mdp->pairs; p++) {
    divide(probability + mdp->row[p], mdp->probability + mdp->row[p],
           mdp->row[p + 1] - mdp->row[p]);
  }
  divide(start, mdp->start, mdp->states);
  mdp->probability = probability;
  mdp->start = start;
  return mdp->reward_next ? make_reward(model) : CEL_OK;
}

// ---- loading

static CelStatus fill(CeliMdp *model, const CelMdpLoadOptions *options) {
  CelMdp *mdp = &model->mdp;
  bool exact;
  CELI_TRY(read_meta(mdp, model->file, options));
  CELI_TRY(check_meta(model->file));
  CELI_TRY(check_names(model->file));
  CELI_TRY(find_sizes(mdp, model->file));
  CELI_TRY(find_arrays(model));
  CELI_TRY(find_grid(model, model->file));
  CELI_TRY(complete(model));
  CELI_TRY(celi_mdp_check_given(mdp, &exact));
  return exact ? CEL_OK : normalize(model);
}

CelStatus celi_mdp_of_safetensors(CelMdp **out, CelSafetensors *file,
                                  const CelMdpLoadOptions *options) {
  CeliMdp *model;
  CelStatus status = celi_mdp_create(&model);
  if (status != CEL_OK) {
    cel_safetensors_close(file);
    return status;
  }
  model->file = file;
  status = fill(model, options);
  if (status != CEL_OK) {
    cel_mdp_destroy(&model->mdp);
    return status;
  }
  *out = &model->mdp;
  return CEL_OK;
}

static CelStatus load(CelMdp **out, const char *path, const CelMdpLoadOptions *options) {
  CelSafetensors *file;
  CELI_TRY(cel_safetensors_open(path, &file));
  return cel_fail_in(celi_mdp_of_safetensors(out, file, options), "%s: ", path);
}

/// A safetensors file begins with the 8-byte size of its header and the header's brace.
static bool sniff(const char *data, size_t size) {
  return size > 8 && data[8] == '{' && data[7] == 0;
}

const CeliMdpFormat celi_mdp_format_safetensors = {
    .info = {CEL_MDP_SAFETENSORS,
             "safetensors",
             "Celsius's own layout, exact and memory-mapped",
             {".safetensors"},
             {NULL}},
    .sniff = sniff,
    .load = load,
    .save = save};
