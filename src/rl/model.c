/// Spaces, layers and policies as JSON, for the metadata of model files. Contract: model.h.
#include "rl/model.h"
#include "base/text.h"
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const kind_names[] = {"box", "discrete", "multi_discrete", "multi_binary"};
static const char *const dist_names[] = {"gaussian", "squashed_gaussian", "categorical",
                                         "multi_categorical", "bernoulli"};
static const char sampler_name[] = "sampler";
/// Deterministic policies, by kind; NULL: there are none.
static const char *const deterministic_names[] = {NULL, "deterministic", "greedy", NULL, NULL};
#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static CelStatus no_memory(void) {
  return cel_fail(CEL_E_MEMORY, "not enough memory for a model's metadata");
}

/// Prints a tree into *out and frees the tree. `complete` is false if memory for a node was
/// missing.
static CelStatus print_json(cJSON *tree, bool complete, char **out) {
  *out = complete ? cJSON_PrintUnformatted(tree) : NULL;
  cJSON_Delete(tree);
  return *out ? CEL_OK : no_memory();
}

/// Index of a name in a list, or -1.
static int find_name(const char *name, const char *const *names, int n) {
  for (int i = 0; i < n; i++) {
    if (strcmp(name, names[i]) == 0) return i;
  }
  return -1;
}

// ---- integers that a JSON number holds exactly

static bool read_int(const cJSON *node, int64_t min, int64_t *out) {
  if (!node || !cJSON_IsNumber(node)) return false;
  double value = node->valuedouble;
  if (!(value >= (double)min && value <= 9007199254740992.0) || floor(value) < value) return false;
  *out = (int64_t)value;
  return true;
}

// ---- bounds

static cJSON *bound_to_json(float value) {
  if (isinf(value)) return cJSON_CreateString(value > 0 ? "inf" : "-inf");
  return cJSON_CreateNumber((double)value);
}

static bool bound_from_json(const cJSON *node, float *out) {
  if (cJSON_IsString(node)) {
    if (strcmp(node->valuestring, "inf") == 0) return *out = INFINITY, true;
    if (strcmp(node->valuestring, "-inf") == 0) return *out = -INFINITY, true;
    return false;
  }
  if (!cJSON_IsNumber(node)) return false;
  *out = (float)node->valuedouble;
  return isfinite(*out);
}

/// Number of entries of low/high that are stored for a part.
static int64_t kept_bounds(const CelSpacePart *part) {
  return part->size > CEL_SPACE_BOUNDS_MAX ? 1 : part->size;
}

static bool add_bounds(cJSON *node, const char *key, const float *bounds, int64_t n) {
  bool same = true;
  for (int64_t i = 1; i < n; i++) same = same && !(bounds[i] < bounds[0] || bounds[i] > bounds[0]);
  if (same && n > 0) return cJSON_AddItemToObject(node, key, bound_to_json(bounds[0]));
  cJSON *list = cJSON_AddArrayToObject(node, key);
  bool ok = list != NULL;
  for (int64_t i = 0; ok && i < n; i++) ok = cJSON_AddItemToArray(list, bound_to_json(bounds[i]));
  return ok;
}

static CelStatus read_bounds(const cJSON *node, const char *key, float *bounds, int64_t n) {
  const cJSON *value = cJSON_GetObjectItemCaseSensitive(node, key);
  if (!value) return cel_fail(CEL_E_FORMAT, "\"%s\" is missing", key);
  if (!cJSON_IsArray(value)) {
    float one;
    if (!bound_from_json(value, &one))
      return cel_fail(CEL_E_FORMAT, "\"%s\" must be a float32 number, \"inf\" or \"-inf\"", key);
    for (int64_t i = 0; i < n; i++) bounds[i] = one;
    return CEL_OK;
  }
  int64_t i = 0;
  const cJSON *item;
  cJSON_ArrayForEach(item, value) {
    if (i == n || !bound_from_json(item, &bounds[i]))
      return cel_fail(CEL_E_FORMAT, "\"%s\" must hold %lld number%s; entry %lld is wrong", key,
                      (long long)n, celi_s(n), (long long)i);
    i++;
  }
  if (i < n)
    return cel_fail(CEL_E_FORMAT, "\"%s\" must hold %lld number%s, not %lld", key, (long long)n,
                    celi_s(n), (long long)i);
  return CEL_OK;
}

// ---- spaces

static bool add_part(cJSON *parts, const CelSpacePart *part) {
  cJSON *node = cJSON_CreateObject();
  if (!cJSON_AddItemToArray(parts, node)) return false;
  bool ok = cJSON_AddStringToObject(node, "name", part->name) &&
            cJSON_AddStringToObject(node, "kind", kind_names[part->kind]) &&
            cJSON_AddStringToObject(node, "type", cel_type_name(part->type));
  cJSON *shape = ok ? cJSON_AddArrayToObject(node, "shape") : NULL;
  ok = shape != NULL;
  for (int d = 0; ok && d < part->ndim; d++)
    ok = cJSON_AddItemToArray(shape, cJSON_CreateNumber((double)part->shape[d]));
  switch (part->kind) {
  case CEL_BOX:
    return ok && add_bounds(node, "low", part->low, kept_bounds(part)) &&
           add_bounds(node, "high", part->high, kept_bounds(part));
  case CEL_DISCRETE: return ok && cJSON_AddNumberToObject(node, "n", (double)part->n);
  case CEL_MULTI_DISCRETE: return ok && add_bounds(node, "high", part->high, kept_bounds(part));
  case CEL_MULTI_BINARY: return ok;
  }
  return false;
}

CelStatus celi_space_to_json(const CelSpace *space, char **out) {
  *out = NULL;
  CelStatus status = cel_space_check(space);
  if (status) return status;
  cJSON *tree = cJSON_CreateObject();
  cJSON *parts = cJSON_AddArrayToObject(tree, "parts");
  bool complete = parts != NULL;
  for (int i = 0; complete && i < space->n_parts; i++) complete = add_part(parts, &space->part[i]);
  return print_json(tree, complete, out);
}

static CelStatus read_shape(CelSpacePart *part, const cJSON *node) {
  const cJSON *shape = cJSON_GetObjectItemCaseSensitive(node, "shape");
  if (!cJSON_IsArray(shape)) return cel_fail(CEL_E_FORMAT, "\"shape\" must be a list of sizes");
  part->ndim = 0;
  part->size = 1;
  const cJSON *item;
  cJSON_ArrayForEach(item, shape) {
    if (part->ndim == CEL_SPACE_DIMS_MAX)
      return cel_fail(CEL_E_FORMAT, "\"shape\" has more than %d sizes", CEL_SPACE_DIMS_MAX);
    int64_t *size = &part->shape[part->ndim++];
    if (!read_int(item, 1, size) || __builtin_mul_overflow(part->size, *size, &part->size))
      return cel_fail(CEL_E_FORMAT, "size %d of \"shape\" must be an integer of at least 1",
                      part->ndim - 1);
  }
  return CEL_OK;
}

static CelStatus read_type(CelSpacePart *part, const cJSON *node) {
  const cJSON *type = cJSON_GetObjectItemCaseSensitive(node, "type");
  for (int t = CEL_F32; cJSON_IsString(type) && t <= CEL_U64; t++) {
    if (strcmp(type->valuestring, cel_type_name((CelType)t)) == 0) {
      part->type = (CelType)t;
      return CEL_OK;
    }
  }
  return cel_fail(CEL_E_FORMAT, "\"type\" must be one of F32, F64, I32, I64, U8, U32, U64");
}

static CelStatus read_part(CelSpacePart *part, const cJSON *node) {
  const cJSON *name = cJSON_GetObjectItemCaseSensitive(node, "name");
  const cJSON *kind = cJSON_GetObjectItemCaseSensitive(node, "kind");
  if (!cJSON_IsString(name) || strlen(name->valuestring) >= sizeof part->name)
    return cel_fail(CEL_E_FORMAT, "\"name\" must be a text of at most %zu bytes",
                    sizeof part->name - 1);
  memcpy(part->name, name->valuestring, strlen(name->valuestring) + 1);
  int k = cJSON_IsString(kind) ? find_name(kind->valuestring, kind_names, COUNT(kind_names)) : -1;
  if (k < 0)
    return cel_fail(CEL_E_FORMAT, "\"kind\" must be box, discrete, multi_discrete or multi_binary");
  part->kind = (CelSpaceKind)k;
  CelStatus status = read_type(part, node);
  if (!status) status = read_shape(part, node);
  if (status) return status;
  switch (part->kind) {
  case CEL_BOX:
    status = read_bounds(node, "low", part->low, kept_bounds(part));
    return status ? status : read_bounds(node, "high", part->high, kept_bounds(part));
  case CEL_DISCRETE:
    if (!read_int(cJSON_GetObjectItemCaseSensitive(node, "n"), 1, &part->n))
      return cel_fail(CEL_E_FORMAT, "\"n\" must be an integer of at least 1");
    return CEL_OK;
  case CEL_MULTI_DISCRETE: return read_bounds(node, "high", part->high, kept_bounds(part));
  case CEL_MULTI_BINARY: return CEL_OK;
  }
  return CEL_OK;
}

CelStatus celi_space_from_json(CelSpace *space, const char *text) {
  memset(space, 0, sizeof *space);
  cJSON *tree = cJSON_Parse(text);
  const cJSON *parts = cJSON_GetObjectItemCaseSensitive(tree, "parts");
  CelStatus status = CEL_OK;
  if (!cJSON_IsArray(parts))
    status = cel_fail(CEL_E_FORMAT, "a space must be JSON of the form {\"parts\": [...]}");
  const cJSON *node;
  cJSON_ArrayForEach(node, parts) {
    if (status) break;
    if (space->n_parts == CEL_SPACE_PARTS_MAX) {
      status = cel_fail(CEL_E_FORMAT, "a space has at most %d parts", CEL_SPACE_PARTS_MAX);
      break;
    }
    status = read_part(&space->part[space->n_parts], node);
    if (status) status = cel_fail_in(status, "part %d of a space: ", space->n_parts);
    space->n_parts++;
  }
  cJSON_Delete(tree);
  return status ? status : cel_space_check(space);
}

// ---- layers

/// Whether a list is the one that the names of its tensors define (model.h).
static bool names_define(const CeliPolicySpec *spec) {
  const CeliLayer *layer = spec->layers, *end = layer + spec->n_layers;
  bool first = true;
  for (const CeliLayer *l = layer; l < end; l++)
    if (l->epsilon < l->kind->epsilon || l->epsilon > l->kind->epsilon) return false;
  for (;; first = false) {
    if (layer < end && layer->kind != &celi_dense && layer->kind->param_name[0]) layer++;
    const bool activation = layer < end && layer->kind == &celi_activation;
    if (!first && activation && layer->activation == spec->activation)
      layer++;
    else if (!first && spec->activation != CELI_IDENTITY)
      return false;
    if (layer == end || layer++->kind != &celi_dense) return false;
    if (layer == end) return true;
  }
}

/// An entry of the list: a name, or an object with settings.
static cJSON *layer_to_json(const CeliLayer *layer) {
  const CeliLayerKind *kind = layer->kind;
  if (kind == &celi_activation) return cJSON_CreateString(celi_activations[layer->activation].name);
  const bool epsilon = layer->epsilon < kind->epsilon || layer->epsilon > kind->epsilon;
  if (!epsilon && !kind->adds) return cJSON_CreateString(kind->name);
  cJSON *entry = cJSON_CreateObject();
  if (cJSON_AddStringToObject(entry, "kind", kind->name) &&
      (!epsilon || cJSON_AddNumberToObject(entry, "epsilon", layer->epsilon)) &&
      (!kind->adds || cJSON_AddNumberToObject(entry, "from", layer->from)))
    return entry;
  cJSON_Delete(entry);
  return NULL;
}

static bool add_layers(cJSON *tree, const CeliPolicySpec *spec) {
  cJSON *list = cJSON_AddArrayToObject(tree, "layers");
  bool ok = list != NULL;
  for (int l = 0; ok && l < spec->n_layers; l++)
    ok = cJSON_AddItemToArray(list, layer_to_json(&spec->layers[l]));
  return ok;
}

/// The activation with this name, or -1.
static int find_activation(const char *name) {
  for (int a = 0; a < CELI_ACTIVATIONS; a++)
    if (strcmp(celi_activations[a].name, name) == 0) return a;
  return -1;
}

static CelStatus read_layer(CeliLayer *layer, const cJSON *node) {
  const cJSON *name = node, *epsilon = NULL, *from = NULL;
  int64_t source = 0;
  if (cJSON_IsObject(node)) {
    name = cJSON_GetObjectItemCaseSensitive(node, "kind");
    epsilon = cJSON_GetObjectItemCaseSensitive(node, "epsilon");
    from = cJSON_GetObjectItemCaseSensitive(node, "from");
  }
  if (!cJSON_IsString(name))
    return cel_fail(CEL_E_FORMAT, "it must be a text, or an object with a text \"kind\"");
  const int activation = find_activation(name->valuestring);
  *layer = celi_layer_activation(activation < 0 ? CELI_IDENTITY : (CeliActivation)activation);
  if (activation >= 0) return CEL_OK;
  for (int i = 0; celi_layer_kinds[i]; i++) {
    const CeliLayer of_kind = {.kind = celi_layer_kinds[i]};
    if (of_kind.kind == &celi_activation || of_kind.kind->training_only ||
        strcmp(of_kind.kind->name, name->valuestring) != 0)
      continue;
    *layer = celi_layer_settled(&of_kind);
    if (epsilon && (!(layer->epsilon > 0) || !cJSON_IsNumber(epsilon) ||
                    !(epsilon->valuedouble > 0 && epsilon->valuedouble <= 1)))
      return cel_fail(CEL_E_FORMAT, "\"epsilon\" must be a number above 0 and at most 1, of a "
                                    "normalization");
    if (epsilon) layer->epsilon = epsilon->valuedouble;
    if (of_kind.kind->adds && (!read_int(from, 0, &source) || source >= CELI_LAYERS_MAX))
      return cel_fail(CEL_E_FORMAT, "\"from\" must be the number of an entry before it");
    layer->from = (int)source;
    return CEL_OK;
  }
  return cel_fail(CEL_E_NAME, "unknown kind \"%.40s\"; the file may be from a newer version",
                  name->valuestring);
}

CelStatus celi_policy_layers_from_json(CeliLayer layers[CELI_LAYERS_MAX], int *n,
                                       const char *text) {
  cJSON *tree = cJSON_Parse(text);
  const cJSON *list = cJSON_GetObjectItemCaseSensitive(tree, "layers"), *node;
  CelStatus status = CEL_OK;
  *n = 0;
  if (list && !cJSON_IsArray(list)) status = cel_fail(CEL_E_FORMAT, "\"layers\" must be a list");
  if (status == CEL_OK && list && cJSON_GetArraySize(list) == 0)
    status = cel_fail(CEL_E_FORMAT, "\"layers\" is empty");
  cJSON_ArrayForEach(node, list) {
    if (status) break;
    if (*n == CELI_LAYERS_MAX) {
      status = cel_fail(CEL_E_FORMAT, "\"layers\" has more than %d entries", CELI_LAYERS_MAX);
      break;
    }
    status = cel_fail_in(read_layer(&layers[*n], node), "entry %d of \"layers\": ", *n);
    ++*n;
  }
  cJSON_Delete(tree);
  return status;
}

// ---- policies

const char *celi_policy_name(const CeliPolicySpec *spec) {
  if (spec->deterministic) return deterministic_names[spec->kind];
  return spec->sampler ? sampler_name : dist_names[spec->kind];
}

CelStatus celi_policy_to_json(const CeliPolicySpec *spec, char **out) {
  *out = NULL;
  if (spec->A < 1)
    return cel_fail(CEL_E_RANGE, "a policy has %lld actions; it must have at least 1",
                    (long long)spec->A);
  cJSON *tree = cJSON_CreateObject();
  bool complete =
      cJSON_AddStringToObject(tree, "kind", celi_policy_name(spec)) &&
      cJSON_AddStringToObject(tree, "activation", celi_activations[spec->activation].name) &&
      cJSON_AddNumberToObject(tree, "action_dim", (double)spec->A);
  if (spec->log_std_min < spec->log_std_max)
    complete = complete && cJSON_AddNumberToObject(tree, "log_std_min", spec->log_std_min) &&
               cJSON_AddNumberToObject(tree, "log_std_max", spec->log_std_max);
  if (spec->logit_scale > 0)
    complete = complete && cJSON_AddNumberToObject(tree, "logit_scale", spec->logit_scale);
  if (spec->clip_mean > 0)
    complete = complete && cJSON_AddNumberToObject(tree, "clip_mean", spec->clip_mean);
  if (spec->layers && !names_define(spec)) complete = complete && add_layers(tree, spec);
  return print_json(tree, complete, out);
}

static bool read_double(const cJSON *node, double *out) {
  if (!node || !cJSON_IsNumber(node) || !isfinite(node->valuedouble)) return false;
  *out = node->valuedouble + 0.0; // not -0, which JSON does not preserve
  return true;
}

/// Reads the optional keys.
static CelStatus read_options(CeliPolicySpec *spec, const cJSON *tree) {
  const cJSON *low = cJSON_GetObjectItemCaseSensitive(tree, "log_std_min");
  const cJSON *high = cJSON_GetObjectItemCaseSensitive(tree, "log_std_max");
  const cJSON *scale = cJSON_GetObjectItemCaseSensitive(tree, "logit_scale");
  const cJSON *clip = cJSON_GetObjectItemCaseSensitive(tree, "clip_mean");
  if ((low || high) &&
      !(read_double(low, &spec->log_std_min) && read_double(high, &spec->log_std_max) &&
        spec->log_std_min < spec->log_std_max))
    return cel_fail(CEL_E_FORMAT, "\"log_std_min\" and \"log_std_max\" must be two numbers, the "
                                  "first below the second");
  if (scale && !(read_double(scale, &spec->logit_scale) && spec->logit_scale > 0 &&
                 spec->logit_scale <= 1e30))
    return cel_fail(CEL_E_FORMAT, "\"logit_scale\" must be a positive number of at most 1e30");
  if (clip &&
      !(read_double(clip, &spec->clip_mean) && spec->clip_mean > 0 && spec->clip_mean <= 1e30))
    return cel_fail(CEL_E_FORMAT, "\"clip_mean\" must be a positive number of at most 1e30");
  return CEL_OK;
}

CelStatus celi_policy_from_json(CeliPolicySpec *spec, const char *text) {
  memset(spec, 0, sizeof *spec);
  cJSON *tree = cJSON_Parse(text);
  const cJSON *kind = cJSON_GetObjectItemCaseSensitive(tree, "kind");
  const cJSON *activation = cJSON_GetObjectItemCaseSensitive(tree, "activation");
  const cJSON *dim = cJSON_GetObjectItemCaseSensitive(tree, "action_dim");
  CelStatus status = CEL_OK;
  if (!cJSON_IsString(kind) || !cJSON_IsString(activation) || !read_int(dim, 1, &spec->A)) {
    status = cel_fail(CEL_E_FORMAT, "a policy must be JSON with the texts \"kind\" and "
                                    "\"activation\" and the integer \"action_dim\"");
  } else {
    spec->sampler = strcmp(kind->valuestring, sampler_name) == 0;
    int k = spec->sampler ? CELI_SQUASHED_GAUSSIAN
                          : find_name(kind->valuestring, dist_names, COUNT(dist_names));
    for (int i = 0; k < 0 && i < COUNT(deterministic_names); i++)
      if (deterministic_names[i] && strcmp(kind->valuestring, deterministic_names[i]) == 0)
        k = i, spec->deterministic = true;
    int a = find_activation(activation->valuestring);
    if (k < 0)
      status = cel_fail(CEL_E_NAME,
                        "unknown policy kind \"%.40s\"; it must be gaussian, "
                        "squashed_gaussian, sampler, deterministic, categorical, greedy, "
                        "multi_categorical or bernoulli",
                        kind->valuestring);
    else if (a < 0)
      status =
          cel_fail(CEL_E_NAME,
                   "unknown activation \"%.40s\"; it must be identity, relu, tanh, silu, gelu or "
                   "leaky_relu",
                   activation->valuestring);
    spec->kind = k < 0 ? CELI_GAUSSIAN : (CeliDistKind)k;
    spec->activation = a < 0 ? CELI_IDENTITY : (CeliActivation)a;
    if (!status) status = read_options(spec, tree);
  }
  cJSON_Delete(tree);
  return status;
}
