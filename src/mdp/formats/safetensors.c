/// Finite MDPs in safetensors files. Tensors have the names of the arrays of CelMdp
/// (docs/files.md).
///
/// A loaded MDP points into the mapped file. Only small arrays are copied, and what a foreign file
/// leaves to compute: rows that sum to 1 only nearly, a missing r(s,a) or start, and indices and
/// numbers of other types.
///     pair (S + 1) I64, row (P + 1) I64, next (T) U32 or I64, probability (T) F64, reward (P) F64
///     optional: reward_next (T) F64, ends (T) U8, action (P) I32, start (S) F64
///     grid.state (rows, columns) I64, grid.direction (actions, 2) I32
///     label.NAME (S) U8: the states with a label
///     reward.NAME.state (S), reward.NAME.pair (P), reward.NAME.transition (T) F64: reward models
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
  CelTensor *tensor; ///< with room for all of them
  int64_t n;
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

/// Adds the labels and reward models. `zeros` (P) stands for a model without any array.
static void add_named(List *list, const CelMdp *mdp, const double *zeros) {
  char name[CEL_NAME_MAX];
  for (int64_t i = 0; i < mdp->labels; i++) {
    snprintf(name, sizeof name, "label.%.63s", mdp->label[i].name);
    add(list, name, CEL_U8, mdp->label[i].in, mdp->states, 0);
  }
  for (int64_t i = 0; i < mdp->reward_models; i++) {
    const CelMdpReward *model = &mdp->reward_model[i];
    const bool none = !model->state && !model->pair && !model->transition;
    snprintf(name, sizeof name, "reward.%.63s.state", model->name);
    add(list, name, CEL_F64, model->state, mdp->states, 0);
    snprintf(name, sizeof name, "reward.%.63s.pair", model->name);
    add(list, name, CEL_F64, none ? zeros : model->pair, mdp->pairs, 0);
    snprintf(name, sizeof name, "reward.%.63s.transition", model->name);
    add(list, name, CEL_F64, model->transition, mdp->transitions, 0);
  }
}

/// The directions of a grid in the type of the file. The caller frees them.
static CelStatus widen(const CelMdpGrid *grid, int32_t **out) {
  CELI_TRY(celi_alloc(out, (size_t)grid->actions, 2 * sizeof **out, "a grid"));
  for (int64_t i = 0; i < 2 * grid->actions; i++) (*out)[i] = (int32_t)grid->direction[i];
  return CEL_OK;
}

static CelStatus save_list(const CelMdp *mdp, const char *path, List *list) {
  char discount[CELI_NUMBER_MAX], horizon[CELI_NUMBER_MAX];
  celi_double_text(discount, mdp->discount);
  snprintf(horizon, sizeof horizon, "%" PRId64, mdp->horizon);
  const CelMeta meta[] = {{"format", FORMAT},
                          {"name", mdp->name},
                          {"discount", discount},
                          {"horizon", horizon},
                          {"reward", mdp->reward_chosen ? mdp->reward_chosen->name : ""}};
  return cel_safetensors_write_list(path, list->tensor, list->n, meta, mdp->reward_chosen ? 5 : 4);
}

static CelStatus save(const CelMdp *mdp, const char *path) {
  const size_t room = (size_t)(11 + mdp->labels + 3 * mdp->reward_models);
  List list = {.tensor = NULL};
  int32_t *direction = NULL;
  double *zeros = NULL;
  CelStatus status = celi_calloc(&list.tensor, room, sizeof *list.tensor, "a list of tensors");
  if (status == CEL_OK && mdp->reward_models > 0)
    status = celi_calloc(&zeros, (size_t)mdp->pairs, sizeof *zeros, "rewards");
  if (status == CEL_OK && mdp->grid) status = widen(mdp->grid, &direction);
  if (status == CEL_OK) {
    add_arrays(&list, mdp);
    add_named(&list, mdp, zeros);
    if (mdp->grid) {
      add(&list, "grid.state", CEL_I64, mdp->grid->state, mdp->grid->rows, mdp->grid->columns);
      add(&list, "grid.direction", CEL_I32, direction, mdp->grid->actions, 2);
    }
    status = save_list(mdp, path, &list);
  }
  free(direction);
  free(zeros);
  free(list.tensor);
  return status;
}

// ---- loading: the tensors, each once, of the right type and size

static const char *const names[] = {"pair",   "row",        "next",          "probability",
                                    "reward", "start",      "reward_next",   "ends",
                                    "action", "grid.state", "grid.direction"};
enum { NAMES = sizeof names / sizeof *names };

/// Metadata may have unknown keys, but not misspellings of known ones.
static CelStatus check_meta(const CelSafetensors *file) {
  static const char *const keys[] = {"format", "name", "discount", "horizon", "reward"};
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

/// The arrays of a reward model, in the order of CelMdpReward.
static const char *const parts[] = {".state", ".pair", ".transition"};

/// The name in "label.NAME". NULL for other tensors.
static const char *label_in(const char *tensor) {
  return strncmp(tensor, "label.", 6) == 0 ? tensor + 6 : NULL;
}

/// Finds the name in "reward.NAME.PART". Returns the index of the part; -1 for other tensors.
static int reward_in(const char *tensor, const char **name, size_t *size) {
  if (strncmp(tensor, "reward.", 7) != 0) return -1;
  *name = tensor + 7;
  for (int i = 0; i < 3; i++) {
    const size_t n = strlen(*name), end = strlen(parts[i]);
    if (n < end || strcmp(*name + n - end, parts[i]) != 0) continue;
    *size = n - end;
    return i;
  }
  return -1;
}

static CelStatus check_names(const CelSafetensors *file) {
  for (int64_t i = 0; i < cel_safetensors_count(file); i++) {
    const char *name = cel_safetensors_at(file, i)->name, *part;
    size_t size;
    if (label_in(name) || reward_in(name, &part, &size) >= 0) continue;
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
  return CEL_OK;
}

// ---- loading: labels and reward models

static CelStatus find_labels(CeliMdp *model) {
  const int64_t tensors = cel_safetensors_count(model->file);
  CelMdpLabel *label;
  int64_t n = 0;
  for (int64_t i = 0; i < tensors; i++)
    n += label_in(cel_safetensors_at(model->file, i)->name) != 0;
  if (n == 0) return CEL_OK;
  CELI_TRY(celi_calloc(&label, (size_t)n, sizeof *label, "labels"));
  celi_mdp_own(model, label);
  model->mdp.label = label;
  for (int64_t i = 0; i < tensors; i++) {
    const char *tensor = cel_safetensors_at(model->file, i)->name, *name = label_in(tensor);
    const CelTensor *found;
    if (!name) continue;
    if (celi_mdp_check_name(name, "label") != CEL_OK) return CEL_E_CORRUPT;
    CELI_TRY(find(model->file, tensor, FLAG, model->mdp.states, &found));
    snprintf(label->name, sizeof label->name, "%.63s", name);
    label++->in = found->data;
  }
  model->mdp.labels = n;
  return CEL_OK;
}

/// Finds or adds the reward model with that name.
static CelMdpReward *model_named(CelMdpReward *list, int64_t *n, const char *name, size_t size) {
  for (int64_t i = 0; i < *n; i++) {
    if (strlen(list[i].name) == size && memcmp(list[i].name, name, size) == 0) return &list[i];
  }
  CelMdpReward *added = &list[(*n)++];
  memcpy(added->name, name, size);
  return added;
}

static CelStatus find_rewards(CeliMdp *model) {
  const int64_t tensors = cel_safetensors_count(model->file);
  CelMdp *mdp = &model->mdp;
  CelMdpReward *list;
  const char *name;
  size_t size;
  int64_t n = 0, most = 0;
  for (int64_t i = 0; i < tensors; i++)
    most += reward_in(cel_safetensors_at(model->file, i)->name, &name, &size) >= 0;
  if (most == 0) return CEL_OK;
  if (most > CELI_MDP_NAMES)
    return cel_fail(CEL_E_CORRUPT, "more than %d tensors of reward models", CELI_MDP_NAMES);
  CELI_TRY(celi_mdp_own_more(model, most + 8));
  CELI_TRY(celi_calloc(&list, (size_t)most, sizeof *list, "reward models"));
  celi_mdp_own(model, list);
  mdp->reward_model = list;
  for (int64_t i = 0; i < tensors; i++) {
    const char *tensor = cel_safetensors_at(model->file, i)->name;
    const int part = reward_in(tensor, &name, &size);
    if (part < 0) continue;
    if (size == 0 || size >= CEL_TEXT_MAX)
      return cel_fail(CEL_E_CORRUPT, "tensor \"%s\": the name of a reward model has 1 to %d bytes",
                      tensor, CEL_TEXT_MAX - 1);
    CelMdpReward *to = model_named(list, &n, name, size);
    const int64_t entries[] = {mdp->states, mdp->pairs, mdp->transitions};
    const double **array[] = {&to->state, &to->pair, &to->transition};
    CELI_TRY(find_numbers(model, tensor, entries[part], array[part]));
  }
  mdp->reward_models = n;
  return CEL_OK;
}

/// The model that the metadata name, or NULL.
static CelStatus find_chosen(CelMdp *mdp, const CelSafetensors *file) {
  const char *name = cel_safetensors_meta(file, "reward");
  if (!name) return CEL_OK;
  return cel_fail_in(cel_mdp_reward_find(mdp, name, &mdp->reward_chosen) == CEL_OK ? CEL_OK
                                                                                   : CEL_E_CORRUPT,
                     "metadata \"reward\": ");
}

/// Fails unless there are rewards of some kind.
static CelStatus need_rewards(const CelMdp *mdp) {
  if (mdp->reward || mdp->reward_next || mdp->reward_models > 0) return CEL_OK;
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

/// Zeros as long as no reward model is selected.
static CelStatus begin_rewards(CeliMdp *model) {
  double *reward;
  CELI_TRY(celi_calloc(&reward, (size_t)model->mdp.pairs, sizeof *reward, "rewards"));
  celi_mdp_own(model, reward);
  model->mdp.reward = reward;
  model->mdp.reward_chosen = NULL;
  return CEL_OK;
}

static CelStatus make_start(CeliMdp *model) {
  double *start;
  CELI_TRY(celi_mdp_uniform_start(model->mdp.pair, model->mdp.states, &start));
  celi_mdp_own(model, start);
  model->mdp.start = start;
  return CEL_OK;
}

/// Completes what does not depend on the selected rewards. `pair` and `row` are valid.
static CelStatus complete(CeliMdp *model) {
  if (model->mdp.reward_next && !model->mdp.reward) CELI_TRY(make_reward(model));
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
  CELI_TRY(find_labels(model));
  CELI_TRY(find_rewards(model));
  CELI_TRY(need_rewards(mdp));
  CELI_TRY(find_chosen(mdp, model->file));
  CELI_TRY(find_grid(model, model->file));
  CELI_TRY(celi_mdp_check_order(mdp)); // before any loop over pair and row
  const bool own = mdp->reward || mdp->reward_next;
  const char *chosen = mdp->reward_chosen ? mdp->reward_chosen->name : "";
  if (!own) CELI_TRY(begin_rewards(model));
  CELI_TRY(complete(model));
  CELI_TRY(celi_mdp_check_given(mdp, &exact));
  if (!exact) CELI_TRY(normalize(model));
  if (own && !options->reward[0]) return CEL_OK;
  return celi_mdp_choose_reward(mdp, options->reward[0] ? options->reward : chosen);
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
    .named_rewards = true,
    .labels = true,
    .sniff = sniff,
    .load = load,
    .save = save};
