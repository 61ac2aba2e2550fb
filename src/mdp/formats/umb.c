/// Reads UMB, the unified Markov binary format (umb.dev; docs/files.md): a tar archive, plain or
/// compressed, of index.json and little-endian arrays.
///
///     state-to-choices.bin       (states + 1) uint64: the choices of a state; missing: one each
///     choice-to-branches.bin     (choices + 1) uint64: the branches of a choice; missing: one each
///     branch-to-target.bin       (branches) uint64
///     branch-to-probability.bin  (branches) double or rational
///     state-is-initial.bin       (states) bits
///     actions/choices/values.bin (choices) uint32
///     annotations/aps/ID/states/values.bin                      (states) bits
///     annotations/rewards/ID/states|choices|branches/values.bin double or rational
///
/// index.json has the sizes of all arrays. They are compared with the archive before use.
#include "mdp/formats/umb.h"
#include "base/base.h"
#include "mdp/formats/explicit.h"
#include "mdp/formats/tar.h"
#include "mdp/model.h"
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { INDEX_MAX = 16 << 20 };

typedef struct Reader {
  const char *file;
  CeliTarFile *list;
  int64_t files;
  cJSON *index;
  CeliExplicit model;
  char name[CEL_TEXT_MAX];
  CelMdpLabel *label;
  CelMdpReward *reward;
  void **owned; ///< (n_owned) arrays that were converted
  int64_t n_owned, owned_capacity;
} Reader;

static void say(const Reader *reader, const char *format, ...) CEL_PRINTF(2, 3);
static void say(const Reader *reader, const char *format, ...) {
  char text[512];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  (void)cel_fail(CEL_E_CORRUPT, "%s: %s", reader->file, text);
}
/// Records "FILE: ..." and evaluates to CEL_E_CORRUPT.
#define fail(reader, ...) (say(reader, __VA_ARGS__), CEL_E_CORRUPT)

/// Allocates an array that is freed with the reader.
static CelStatus own(Reader *reader, void *out, int64_t n, size_t size) {
  void *block;
  CELI_TRY(celi_grow(&reader->owned, &reader->owned_capacity, reader->n_owned + 1,
                     sizeof *reader->owned, "arrays"));
  CELI_TRY(celi_calloc(&block, (size_t)n, size, "an array of a UMB file"));
  reader->owned[reader->n_owned++] = block;
  memcpy(out, &block, sizeof block);
  return CEL_OK;
}

// ---- index.json

static const cJSON *get(const cJSON *object, const char *key) {
  return cJSON_GetObjectItemCaseSensitive(object, key);
}

/// A whole number of the transition system. `most`: the largest that is allowed.
static CelStatus get_count(const Reader *reader, const cJSON *system, const char *key, double most,
                           int64_t *out) {
  const cJSON *item = get(system, key);
  const double x = cJSON_IsNumber(item) ? item->valuedouble : (double)NAN;
  if (!item) return fail(reader, "index.json: \"transition-system\" has no \"%s\"", key);
  if (!(x >= 0.0 && x <= most) || x != floor(x)) {
    return fail(reader, "index.json: \"%s\" must be a whole number from 0 to %.0f", key, most);
  }
  *out = (int64_t)x;
  return CEL_OK;
}

/// The text of a key, or "" if it is missing or not a text.
static const char *get_text(const cJSON *object, const char *key) {
  const cJSON *item = get(object, key);
  return cJSON_IsString(item) ? item->valuestring : "";
}

static CelStatus read_index(Reader *reader) {
  const CeliTarFile *file = celi_tar_find(reader->list, reader->files, "index.json");
  if (!file) return fail(reader, "the archive has no index.json, so it is not a UMB file");
  if (file->size > INDEX_MAX)
    return fail(reader, "index.json has %zu bytes; at most 16 MiB are read", file->size);
  reader->index = cJSON_ParseWithLength((const char *)file->data, file->size);
  if (!cJSON_IsObject(reader->index)) return fail(reader, "index.json is not valid JSON");
  const cJSON *version = get(reader->index, "format-version");
  if (!cJSON_IsNumber(version) || !(version->valuedouble >= 0 && version->valuedouble <= 1)) {
    return cel_fail(CEL_E_UNSUPPORTED,
                    "%s: index.json: \"format-version\" must be 0 or 1, the versions that are "
                    "supported; convert the file",
                    reader->file);
  }
  return CEL_OK;
}

/// Refuses models that are not MDPs, by their names.
static CelStatus check_kind(const Reader *reader, const cJSON *system) {
  int64_t players = 0;
  const char *time = get_text(system, "time"), *kind = NULL;
  const bool rates = strcmp(time, "stochastic") == 0,
             urgent = strcmp(time, "urgent-stochastic") == 0;
  CELI_TRY(get_count(reader, system, "#players", UINT32_MAX, &players));
  if (strcmp(time, "discrete") != 0 && !rates && !urgent) {
    return fail(reader, "index.json: \"time\" must be \"discrete\", \"stochastic\" or "
                        "\"urgent-stochastic\"");
  }
  if (rates) kind = players == 0 ? "a continuous-time Markov chain" : "a continuous-time MDP";
  if (urgent) kind = "a Markov automaton";
  if (players > 1) kind = "a stochastic game with several players";
  const char *type = get_text(get(system, "branch-probability-type"), "type");
  if (strstr(type, "interval")) kind = "an MDP with intervals of probabilities";
  if (!kind) return CEL_OK;
  return cel_fail(CEL_E_UNSUPPORTED,
                  "%s: the model is %s; only MDPs, POMDPs and discrete-time Markov chains can be "
                  "read",
                  reader->file, kind);
}

static CelStatus read_system(Reader *reader) {
  CeliExplicit *model = &reader->model;
  const cJSON *system = get(reader->index, "transition-system");
  const double most = 1e15;
  int64_t observations = 0;
  if (!cJSON_IsObject(system)) return fail(reader, "index.json has no \"transition-system\"");
  CELI_TRY(check_kind(reader, system));
  CELI_TRY(get_count(reader, system, "#states", most, &model->states));
  CELI_TRY(get_count(reader, system, "#choices", most, &model->pairs));
  CELI_TRY(get_count(reader, system, "#branches", most, &model->transitions));
  if (get(system, "#observations"))
    CELI_TRY(get_count(reader, system, "#observations", most, &observations));
  if (observations > 0) {
    model->left_out = "observations are left out: the states of the MDP below the POMDP are known";
  }
  if (model->states < 1) return fail(reader, "index.json: \"#states\" must be at least 1");
  return CEL_OK;
}

// ---- arrays

/// Finds an array of n elements of `size` bytes. *out is NULL if it is missing.
static CelStatus find(const Reader *reader, const char *name, int64_t n, size_t size,
                      const void **out) {
  const CeliTarFile *file = celi_tar_find(reader->list, reader->files, name);
  size_t bytes;
  *out = NULL;
  if (!file) return CEL_OK;
  if (!celi_size_mul((size_t)n, size, &bytes)) bytes = SIZE_MAX;
  if (file->size != bytes) {
    return fail(reader, "%s has %zu bytes; index.json requires %zu", name, file->size, bytes);
  }
  *out = file->data;
  return CEL_OK;
}

/// Finds a mapping to intervals: n + 1 numbers that ascend from 0 to `total`. If it is missing,
/// each of the n has one.
static CelStatus find_mapping(const Reader *reader, const char *name, int64_t n, int64_t total,
                              const uint64_t **out) {
  const void *data;
  CELI_TRY(find(reader, name, n + 1, sizeof **out, &data));
  const uint64_t *list = *out = data;
  if (!list && n == total) return CEL_OK;
  if (!list) {
    return fail(reader,
                "%s is missing, which means one each, but there are %" PRId64 " and %" PRId64, name,
                n, total);
  }
  for (int64_t i = 0; i < n; i++) {
    if (list[i + 1] >= list[i]) continue;
    return fail(reader, "%s: entry %" PRId64 " is %" PRIu64 ", below the entry before it, %" PRIu64,
                name, i + 1, list[i + 1], list[i]);
  }
  if (list[0] == 0 && list[n] == (uint64_t)total) return CEL_OK;
  return fail(reader, "%s goes from %" PRIu64 " to %" PRIu64 "; it must go from 0 to %" PRId64,
              name, list[0], list[n], total);
}

/// Expands a set of states, one bit each, in words of 64. *out is NULL if it is missing.
static CelStatus find_set(Reader *reader, const char *name, uint8_t **out) {
  const int64_t S = reader->model.states;
  const void *data;
  CELI_TRY(find(reader, name, (S + 63) / 64, 8, &data));
  const uint8_t *bits = data;
  *out = NULL;
  if (!bits) return CEL_OK;
  CELI_TRY(own(reader, out, S, 1));
  for (int64_t s = 0; s < S; s++) (*out)[s] = bits[s / 8] >> (s % 8) & 1;
  for (int64_t s = S; s < (S + 63) / 64 * 64; s++) {
    if (bits[s / 8] >> (s % 8) & 1)
      return fail(reader, "%s: bit %" PRId64 " is set, but there are %" PRId64 " states", name, s,
                  S);
  }
  return CEL_OK;
}

/// The leading 64 bits of a big number as a double. The value is *out * 2^*exponent.
static void leading(const uint8_t *x, size_t n, bool negate, double *out, int *exponent) {
  uint64_t top = 0;
  unsigned carry = 1;
  size_t used = 0; // bytes up to the highest that is not 0
  for (size_t i = 0; i < n; i++) {
    const unsigned byte = negate ? (unsigned)(uint8_t)~x[i] + carry : x[i];
    carry = byte >> 8;
    if (byte & 0xff) used = i + 1;
  }
  carry = 1;
  for (size_t i = 0; i < used; i++) {
    const unsigned byte = negate ? (unsigned)(uint8_t)~x[i] + carry : x[i];
    carry = byte >> 8;
    if (i + 8 >= used) top |= (uint64_t)(byte & 0xff) << (8 * (i + 8 - used));
  }
  *out = (double)top;
  *exponent = 8 * ((int)used - 8);
}

bool celi_umb_rational(const uint8_t *numerator, const uint8_t *denominator, size_t bytes,
                       double *out) {
  const bool negative = numerator[bytes - 1] & 0x80;
  double a, b;
  int of_a, of_b;
  leading(numerator, bytes, negative, &a, &of_a);
  leading(denominator, bytes, false, &b, &of_b);
  if (!(b > 0.0)) return false;
  *out = ldexp(negative ? -a / b : a / b, a > 0.0 ? of_a - of_b : 0);
  return isfinite(*out);
}

typedef struct Type {
  const char *name;
  size_t size; ///< bytes of an element
  bool rational;
} Type;

static CelStatus read_type(const Reader *reader, const cJSON *json, const char *of, Type *type) {
  const cJSON *size = get(json, "size");
  type->name = get_text(json, "type");
  type->rational = strcmp(type->name, "rational") == 0;
  if (!type->rational && strcmp(type->name, "double") != 0) {
    return cel_fail(
        CEL_E_UNSUPPORTED,
        "%s: index.json: %s have type \"%.40s\"; only \"double\" and \"rational\" can be "
        "read",
        reader->file, of, celi_text_plain(type->name) ? type->name : "?");
  }
  double bits = type->rational ? 128 : 64;
  if (size) bits = cJSON_IsNumber(size) ? size->valuedouble : (double)NAN;
  if (type->rational ? bits >= 128 && bits <= 65536 && fmod(bits, 128) == 0 : bits == 64) {
    type->size = (size_t)bits / 8;
    return CEL_OK;
  }
  return fail(reader, "index.json: %s have a wrong \"size\"; it must be %s", of,
              type->rational ? "a multiple of 128 up to 65536" : "64");
}

/// Finds n numbers. Rationals are converted. *out is NULL if the array is missing.
static CelStatus find_numbers(Reader *reader, const char *name, int64_t n, const Type *type,
                              const double **out) {
  const void *data;
  double *copy;
  *out = NULL;
  CELI_TRY(find(reader, name, n, type->size, &data));
  if (!type->rational || !data) {
    *out = data;
    return CEL_OK;
  }
  CELI_TRY(own(reader, &copy, n, sizeof *copy));
  const size_t half = type->size / 2;
  for (int64_t i = 0; i < n; i++) {
    const uint8_t *x = (const uint8_t *)data + (size_t)i * type->size;
    if (celi_umb_rational(x, x + half, half, &copy[i])) continue;
    return fail(reader, "%s: entry %" PRId64 " has the denominator 0 or is too large for a double",
                name, i);
  }
  *out = copy;
  return CEL_OK;
}

static CelStatus read_transitions(Reader *reader) {
  CeliExplicit *model = &reader->model;
  const cJSON *system = get(reader->index, "transition-system");
  const cJSON *json = get(system, "branch-probability-type");
  const void *data;
  uint8_t *initial;
  Type type;
  CELI_TRY(find_mapping(reader, "state-to-choices.bin", model->states, model->pairs, &model->pair));
  CELI_TRY(find_mapping(reader, "choice-to-branches.bin", model->pairs, model->transitions,
                        &model->row));
  CELI_TRY(find(reader, "branch-to-target.bin", model->transitions, 8, &data));
  if (!data) return fail(reader, "branch-to-target.bin is missing");
  model->next = data;
  if (json) {
    CELI_TRY(read_type(reader, json, "probabilities", &type));
    CELI_TRY(find_numbers(reader, "branch-to-probability.bin", model->transitions, &type,
                          &model->probability));
    if (!model->probability) return fail(reader, "branch-to-probability.bin is missing");
    if (type.rational && !model->left_out)
      model->left_out =
          "rational probabilities are rounded to doubles: relative error at most 4.5e-16";
  }
  CELI_TRY(find(reader, "actions/choices/values.bin", model->pairs, 4, &data));
  model->action = data;
  CELI_TRY(find_set(reader, "state-is-initial.bin", &initial));
  model->initial = initial;
  return CEL_OK;
}

// ---- annotations

/// True if "applies-to" of an annotation has `what`.
static bool applies_to(const cJSON *annotation, const char *what) {
  const cJSON *item;
  cJSON_ArrayForEach(item, get(annotation, "applies-to")) {
    if (cJSON_IsString(item) && strcmp(item->valuestring, what) == 0) return true;
  }
  return false;
}

/// The name of an annotation: its alias, or its identifier. `id` becomes the identifier if it is
/// valid.
static CelStatus read_name(const Reader *reader, const cJSON *annotation, const char *what,
                           char name[CEL_TEXT_MAX], const char **id) {
  const char *alias = get_text(annotation, "alias");
  *id = annotation->string;
  const size_t n = strlen(*id);
  if (n == 0 || n > 100 || strspn(*id, "abcdefghijklmnopqrstuvwxyz0123456789_-") != n) {
    return fail(reader,
                "index.json: a %s has an invalid identifier; it must be 1 to 100 of a-z, 0-9, "
                "_ and -",
                what);
  }
  const char *chosen = alias[0] ? alias : *id;
  if (celi_mdp_check_name(chosen, what) != CEL_OK)
    return cel_fail_in(CEL_E_CORRUPT, "%s: index.json: identifier \"%s\": ", reader->file, *id);
  memcpy(name, chosen, strlen(chosen) + 1);
  return CEL_OK;
}

/// The annotations of a group. *n is their number.
static CelStatus group_of(const Reader *reader, const char *key, const cJSON **out, int64_t *n) {
  *out = get(get(reader->index, "annotations"), key);
  if (!cJSON_IsObject(*out)) *out = NULL;
  *n = *out ? cJSON_GetArraySize(*out) : 0;
  if (*n <= CELI_MDP_NAMES) return CEL_OK;
  return fail(reader, "index.json: \"%s\" has more than %d entries", key, CELI_MDP_NAMES);
}

static CelStatus read_labels(Reader *reader) {
  const cJSON *group, *annotation;
  int64_t n;
  CELI_TRY(group_of(reader, "aps", &group, &n));
  CELI_TRY(celi_calloc(&reader->label, (size_t)n, sizeof *reader->label, "labels"));
  reader->model.label = reader->label;
  cJSON_ArrayForEach(annotation, group) {
    char path[CELI_TAR_NAME];
    const char *id;
    uint8_t *in;
    CelMdpLabel *label = &reader->label[reader->model.labels];
    CELI_TRY(read_name(reader, annotation, "label", label->name, &id));
    if (!applies_to(annotation, "states")) continue; // labels of choices have no meaning here
    snprintf(path, sizeof path, "annotations/aps/%s/states/values.bin", id);
    CELI_TRY(find_set(reader, path, &in));
    if (!in) CELI_TRY(own(reader, &in, reader->model.states, 1));
    label->in = in;
    reader->model.labels++;
  }
  return CEL_OK;
}

static CelStatus read_reward(Reader *reader, const cJSON *annotation, CelMdpReward *reward) {
  const CeliExplicit *model = &reader->model;
  const struct {
    const char *name;
    int64_t n;
    const double **out;
  } parts[] = {{"states", model->states, &reward->state},
               {"choices", model->pairs, &reward->pair},
               {"branches", model->transitions, &reward->transition}};
  char path[CELI_TAR_NAME];
  const char *id;
  Type type;
  CELI_TRY(read_name(reader, annotation, "reward model", reward->name, &id));
  CELI_TRY(read_type(reader, get(annotation, "type"), "rewards", &type));
  if (get(annotation, "probability-type")) {
    return cel_fail(
        CEL_E_UNSUPPORTED,
        "%s: reward model \"%s\" has distributions of rewards; only fixed rewards can be "
        "read",
        reader->file, reward->name);
  }
  for (int i = 0; i < 3; i++) {
    if (!applies_to(annotation, parts[i].name)) continue;
    snprintf(path, sizeof path, "annotations/rewards/%s/%s/values.bin", id, parts[i].name);
    CELI_TRY(find_numbers(reader, path, parts[i].n, &type, parts[i].out));
  }
  return CEL_OK;
}

static CelStatus read_rewards(Reader *reader) {
  const cJSON *group, *annotation;
  int64_t n;
  CELI_TRY(group_of(reader, "rewards", &group, &n));
  CELI_TRY(celi_calloc(&reader->reward, (size_t)n, sizeof *reader->reward, "reward models"));
  reader->model.reward = reader->reward;
  cJSON_ArrayForEach(annotation, group) {
    CELI_TRY(read_reward(reader, annotation, &reader->reward[reader->model.rewards]));
    reader->model.rewards++;
  }
  return CEL_OK;
}

/// The name, and the discount that umb_write.c stores. The format itself has none.
static void read_extras(Reader *reader) {
  const cJSON *file = get(reader->index, "file-data");
  const char *name = get_text(get(reader->index, "model-data"), "name");
  const cJSON *discount = get(get(file, "parameters"), "discount");
  if (strlen(name) < sizeof reader->name && celi_text_plain(name))
    memcpy(reader->name, name, strlen(name) + 1);
  reader->model.name = reader->name;
  if (strcmp(get_text(file, "tool"), "Celsius") == 0 && cJSON_IsNumber(discount) &&
      discount->valuedouble >= 0.0 && discount->valuedouble <= 1.0)
    reader->model.discount = discount->valuedouble;
}

// ---- the whole file

static CelStatus read_all(Reader *reader, CelMdp **out, const uint8_t *data, size_t size,
                          const CelMdpLoadOptions *options) {
  CELI_TRY(celi_tar_list(reader->file, data, size, &reader->list, &reader->files));
  CELI_TRY(read_index(reader));
  CELI_TRY(read_system(reader));
  read_extras(reader);
  CELI_TRY(read_transitions(reader));
  CELI_TRY(read_labels(reader));
  CELI_TRY(read_rewards(reader));
  return celi_explicit_build(out, &reader->model, options);
}

static CelStatus parse_plain(CelMdp **out, const char *file, const uint8_t *data, size_t size,
                             const CelMdpLoadOptions *options) {
  Reader reader = {.file = file, .model = {.file = file, .discount = (double)NAN}};
  const CelStatus status = read_all(&reader, out, data, size, options);
  for (int64_t i = 0; i < reader.n_owned; i++) free(reader.owned[i]);
  free(reader.owned);
  free(reader.label);
  free(reader.reward);
  free(reader.list);
  cJSON_Delete(reader.index);
  return status;
}

CelStatus celi_mdp_parse_umb(CelMdp **out, const char *file, const void *data, size_t size,
                             const CelMdpLoadOptions *options) {
  const uint8_t *bytes = data;
  uint8_t *copy = NULL;
  if (celi_packing_of(bytes, size) != CELI_PLAIN) {
    CELI_TRY(celi_unpack(file, bytes, size, &copy, &size));
  } else if ((uintptr_t)data % 8 != 0) { // arrays are read in place
    CELI_TRY(celi_alloc(&copy, size, 1, "a UMB file"));
    memcpy(copy, data, size);
  }
  const CelStatus status = parse_plain(out, file, copy ? copy : bytes, size, options);
  free(copy);
  return status;
}

static CelStatus load(CelMdp **out, const char *path, const CelMdpLoadOptions *options) {
  char *data;
  size_t size;
  CELI_TRY(celi_text_read(path, &data, &size));
  const CelStatus status = celi_mdp_parse_umb(out, path, data, size, options);
  free(data);
  return status;
}

static bool ends_with(const char *path, const char *ending) {
  const size_t n = strlen(path), end = strlen(ending);
  return n >= end && strcasecmp(path + n - end, ending) == 0;
}

static CelStatus save(const CelMdp *mdp, const char *path) {
  CeliWriter writer;
  const CeliPacking packing = ends_with(path, ".gz")   ? CELI_GZIP
                              : ends_with(path, ".xz") ? CELI_XZ
                                                       : CELI_PLAIN;
  CELI_TRY(celi_writer_open(&writer, path));
  CeliOut out = {.writer = &writer};
  CelStatus status = cel_fail_in(celi_mdp_emit_umb(&out, mdp, packing), "%s: ", path);
  const CelStatus last = celi_out_finish(&out);
  if (status == CEL_OK) status = last;
  if (status == CEL_OK) return celi_writer_close(&writer);
  celi_writer_abandon(&writer);
  return status;
}

/// A tar archive whose first file is index.json, or compressed data.
static bool sniff(const char *data, size_t size) {
  if (celi_packing_of((const uint8_t *)data, size) != CELI_PLAIN) return true;
  return size >= CELI_TAR_BLOCK && memcmp(data + 257, "ustar", 5) == 0;
}

const CeliMdpFormat celi_mdp_format_umb = {
    .info = {CEL_MDP_UMB,
             "umb",
             "UMB, the binary format of PRISM, Storm and Modest; plain, gzip or xz",
             {".umb", ".umb.gz", ".umb.xz"},
             {NULL}},
    .named_rewards = true,
    .labels = true,
    .sniff = sniff,
    .load = load,
    .save = save};
