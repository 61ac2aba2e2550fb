/// The policy as C: one header and one source file. Public interface: celsius/export.h.
///
/// Numbers read back to the same bits. Because the text will be compiled, the only parts of the
/// model file in it are numbers and checked names.
#include "base/base.h"
#include "celsius/field.h"
#include "deploy/export_formats.h"
#include <float.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 80 };

/// Adds a float literal of C and C++ with the fewest digits, from 6 to 9, that reads back to the
/// same float. Infinity has no literal and becomes the largest float.
static void add_float(CeliText *text, float value) {
  char digits[40];
  if (isinf(value)) value = value > 0 ? FLT_MAX : -FLT_MAX;
  for (int precision = 6; precision <= 9; precision++) {
    snprintf(digits, sizeof digits, "%.*g", precision, (double)value);
    const float back = strtof(digits, NULL);
    if (back <= value && back >= value) break;
  }
  celi_text_format(text, "%s%sf", digits, strpbrk(digits, ".e") ? "" : ".0");
}

/// Adds static const float NAME[rows * columns]. ld: distance of the matrix's rows.
static void add_array(CeliText *text, const char *name, const char *suffix, int layer,
                      const float *data, int64_t rows, int64_t columns, int64_t ld) {
  char number[16] = "";
  if (layer >= 0) snprintf(number, sizeof number, "%d", layer);
  celi_text_format(text, "static const float %s_%s%s[%" PRId64 "] = {", name, suffix, number,
                   rows * columns);
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < columns; j++) {
      const int64_t k = i * columns + j;
      celi_text_format(text, "%s%s", k ? "," : "", k % 6 ? " " : "\n    ");
      add_float(text, data[i * ld + j]);
    }
  celi_text_format(text, "};\n");
}

/// The number of outputs of layer l that the mode needs. The last layer needs only the first A.
static int64_t layer_outputs(const CeliModel *model, int l) {
  return l < model->n - 1 ? model->layer[l].out : model->policy.A;
}

/// Adds the number of actions of each categorical part.
static void add_choices(CeliText *text, const CeliModel *model, const char *name) {
  celi_text_format(text, "static const int %s_choices[%" PRId64 "] = {", name, model->K);
  for (int64_t k = 0; k < model->K; k++)
    celi_text_format(text, "%s%d", k ? ", " : "", (int)model->choices[k]);
  celi_text_format(text, "};\n");
}

/// Adds the parameters and running statistics of layer l.
static void add_layer_arrays(CeliText *text, const CeliModel *model, int l, const char *name) {
  const CeliModelLayer *layer = &model->layer[l];
  const CeliLayerKind *kind = layer->layer.kind;
  const CeliNode node = {.layer = layer->layer, .in = layer->in, .out = layer->out};
  const int64_t out = layer_outputs(model, l);
  if (kind == &celi_dense)
    celi_text_format(text, "/* Layer %d: weight (%lld, %lld) by input and output, bias. */\n",
                     layer->index, (long long)layer->in, (long long)out);
  for (int k = 0; k < CELI_LAYER_PARAMS; k++) {
    int64_t rows, columns;
    if (!layer->param[k]) continue;
    kind->shape(&node, k, &rows, &columns);
    add_array(text, name, kind->export_name[k], layer->index, layer->param[k], rows ? rows : 1, out,
              layer->out);
  }
  for (int k = 0; k < CELI_LAYER_PARAMS; k++)
    if (layer->state[k])
      add_array(text, name, kind->export_state[k], layer->index, layer->state[k], 1, out, out);
}

static void add_parameters(CeliText *text, const CeliModel *model, const char *name) {
  const int64_t O = model->O, A = model->policy.A;
  if (model->obs_shift) {
    add_array(text, name, "obs_shift", -1, model->obs_shift, 1, O, O);
    add_array(text, name, "obs_scale", -1, model->obs_scale, 1, O, O);
  }
  for (int l = 0; l < model->n; l++) add_layer_arrays(text, model, l, name);
  if (model->choices) add_choices(text, model, name);
  if (model->action_shift) {
    add_array(text, name, "action_shift", -1, model->action_shift, 1, A, A);
    add_array(text, name, "action_scale", -1, model->action_scale, 1, A, A);
  }
  if (model->action_low) {
    add_array(text, name, "action_low", -1, model->action_low, 1, A, A);
    add_array(text, name, "action_high", -1, model->action_high, 1, A, A);
  }
}

// ---- functions

/// Whether the policy has a layer of this kind.
static bool has_kind(const CeliModel *model, const CeliLayerKind *kind) {
  for (int l = 0; l < model->n; l++)
    if (model->layer[l].layer.kind == kind) return true;
  return false;
}

/// Adds the functions of the policy's kinds of layers. `$` in their source stands for the policy's
/// name.
static void add_kinds(CeliText *text, const CeliModel *model, const char *name) {
  for (int i = 0; celi_layer_kinds[i]; i++) {
    const CeliLayerKind *kind = celi_layer_kinds[i];
    if (!kind->c_source || !has_kind(model, kind)) continue;
    celi_text_format(text, "\n");
    for (const char *c = kind->c_source; *c; c++) {
      if (*c == '$')
        celi_text_format(text, "%s", name);
      else
        celi_text_add(text, c, 1);
    }
  }
}

static void add_activation(CeliText *text, const char *name, const char *expression) {
  celi_text_format(text,
                   "\nstatic void %s_activation(float *y, int n)\n"
                   "{\n"
                   "    int j;\n"
                   "    for (j = 0; j < n; j++) y[j] = %s;\n"
                   "}\n",
                   name, expression);
}

/// Writes `name` in capitals, for macros.
static const char *upper_case(char upper[NAME_BYTES], const char *name) {
  size_t i = 0;
  for (; i < NAME_BYTES - 1 && name[i]; i++)
    upper[i] = name[i] >= 'a' && name[i] <= 'z' ? (char)(name[i] - 'a' + 'A') : name[i];
  upper[i] = 0;
  return upper;
}

static void add_signature(CeliText *text, const CeliModel *model, const char *name,
                          const char *upper) {
  if (model->policy.kind == CELI_CATEGORICAL)
    celi_text_format(text, "int %s_act(const float obs[%s_OBS])", name, upper);
  else if (model->discrete)
    celi_text_format(text, "void %s_act(const float obs[%s_OBS], int action[%s_ACTION])", name,
                     upper, upper);
  else if (model->policy.sampler)
    celi_text_format(text,
                     "void %s_act(const float obs[%s_OBS], const float noise[%s_NOISE],\n"
                     "    float action[%s_ACTION])",
                     name, upper, upper, upper);
  else
    celi_text_format(text, "void %s_act(const float obs[%s_OBS], float action[%s_ACTION])", name,
                     upper, upper);
}

/// Adds code that writes the normalized observation to x, and a sampler's noise after it.
static void add_input(CeliText *text, const CeliModel *model, const char *name) {
  const long long O = (long long)model->O, noise = (long long)model->noise;
  celi_text_format(text, "    for (i = 0; i < %lld; i++) {\n", O);
  if (model->obs_shift) {
    celi_text_format(text,
                     "        const float z = (obs[i] - %s_obs_shift[i]) * %s_obs_scale[i];\n"
                     "        x[i] = z < -",
                     name, name);
    add_float(text, model->obs_clip);
    celi_text_format(text, " ? -");
    add_float(text, model->obs_clip);
    celi_text_format(text, " : z > ");
    add_float(text, model->obs_clip);
    celi_text_format(text, " ? ");
    add_float(text, model->obs_clip);
    celi_text_format(text, " : z;\n");
  } else {
    celi_text_format(text, "        x[i] = obs[i];\n");
  }
  celi_text_format(text, "    }\n");
  if (noise > 0)
    celi_text_format(text, "    for (i = 0; i < %lld; i++) x[%lld + i] = noise[i];\n", noise, O);
}

/// Adds code that clips the mean.
static void add_clip(CeliText *text, float most, long long A, const char *y) {
  const char *const signs[] = {">", "", "<", "-"};
  celi_text_format(text, "    for (i = 0; i < %lld; i++) {\n", A);
  for (int k = 0; k < 4; k += 2) {
    celi_text_format(text, "        if (%s[i] %s %s", y, signs[k], signs[k + 1]);
    add_float(text, most);
    celi_text_format(text, ") %s[i] = %s", y, signs[k + 1]);
    add_float(text, most);
    celi_text_format(text, ";\n");
  }
  celi_text_format(text, "    }\n");
}

static void add_output(CeliText *text, const CeliModel *model, const char *name, const char *y) {
  const long long A = (long long)model->policy.A;
  if (model->policy.kind == CELI_CATEGORICAL) {
    celi_text_format(text,
                     "    best = 0;\n"
                     "    for (i = 1; i < %lld; i++) {\n"
                     "        if (%s[i] > %s[best]) best = i;\n"
                     "    }\n"
                     "    return best;\n",
                     A, y, y);
    return;
  }
  if (model->policy.kind == CELI_MULTI_CATEGORICAL) {
    celi_text_format(text,
                     "    for (k = 0; k < %lld; k++) {\n"
                     "        best = 0;\n"
                     "        for (i = 1; i < %s_choices[k]; i++) {\n"
                     "            if (%s[first + i] > %s[first + best]) best = i;\n"
                     "        }\n"
                     "        action[k] = best;\n"
                     "        first += %s_choices[k];\n"
                     "    }\n",
                     (long long)model->K, name, y, y, name);
    return;
  }
  if (model->policy.kind == CELI_BERNOULLI) {
    celi_text_format(text, "    for (i = 0; i < %lld; i++) action[i] = %s[i] > 0.0f;\n", A, y);
    return;
  }
  const bool squash = model->policy.kind == CELI_SQUASHED_GAUSSIAN;
  if (model->policy.clip_mean > 0) add_clip(text, (float)model->policy.clip_mean, A, y);
  celi_text_format(text,
                   "    for (i = 0; i < %lld; i++) {\n"
                   "        action[i] = %s_action_shift[i] + %s_action_scale[i] * %s%s[i]%s;\n",
                   A, name, name, squash ? "tanhf(" : "", y, squash ? ")" : "");
  if (model->action_low)
    celi_text_format(text,
                     "        if (action[i] < %s_action_low[i]) action[i] = %s_action_low[i];\n"
                     "        if (action[i] > %s_action_high[i]) action[i] = %s_action_high[i];\n",
                     name, name, name, name);
  celi_text_format(text, "    }\n");
}

/// Adds the call of layer l. buffer: its input, 0 for x and 1 for y. Returns the buffer of its
/// output.
static int add_call(CeliText *text, const CeliModel *model, int l, const char *name, int buffer) {
  static const char *const buffers[] = {"x", "y"};
  const CeliModelLayer *layer = &model->layer[l];
  const CeliLayerKind *kind = layer->layer.kind;
  if (kind == &celi_activation && layer->layer.activation == CELI_IDENTITY) return buffer;
  const int to = kind->c_in_place ? buffer : !buffer;
  celi_text_format(text, "    %s_%s(%s", name, kind->name, buffers[to]);
  if (!kind->c_in_place) celi_text_format(text, ", %s", buffers[buffer]);
  char number[16] = ""; // suffix of the arrays; empty before the first dense layer
  if (layer->index >= 0) snprintf(number, sizeof number, "%d", layer->index);
  if (kind->adds) celi_text_format(text, ", s");
  for (int k = 0; k < CELI_LAYER_PARAMS; k++)
    if (layer->param[k]) celi_text_format(text, ", %s_%s%s", name, kind->export_name[k], number);
  for (int k = 0; k < CELI_LAYER_PARAMS; k++)
    if (layer->state[k]) celi_text_format(text, ", %s_%s%s", name, kind->export_state[k], number);
  if (kind->epsilon > 0) {
    celi_text_format(text, ", ");
    add_float(text, (float)layer->layer.epsilon);
  }
  if (!kind->c_in_place) celi_text_format(text, ", %lld", (long long)layer->in);
  celi_text_format(text, ", %lld);\n", (long long)layer_outputs(model, l));
  return to;
}

/// Whether a residual sum adds the output of layer l. Sums do not overlap, so one buffer holds what
/// they add.
static bool is_added(const CeliModel *model, int l) {
  for (int k = l + 1; k < model->n; k++)
    if (model->layer[k].layer.kind->adds && model->layer[k].layer.from == l) return true;
  return false;
}

static void add_act(CeliText *text, const CeliModel *model, const char *name) {
  static const char *const more[] = {[CELI_CATEGORICAL] = ", best",
                                     [CELI_MULTI_CATEGORICAL] = ", k, best, first = 0",
                                     [CELI_BERNOULLI] = ""};
  int64_t widest = model->in, added = 0;
  for (int l = 0; l < model->n; l++) {
    if (layer_outputs(model, l) > widest) widest = layer_outputs(model, l);
    if (is_added(model, l) && model->layer[l].out > added) added = model->layer[l].out;
  }
  char upper[NAME_BYTES];
  celi_text_format(text, "\n");
  add_signature(text, model, name, upper_case(upper, name));
  celi_text_format(text, "\n{\n");
  celi_text_format(text, "    float x[%lld], y[%lld];\n    int i%s;\n", (long long)widest,
                   (long long)widest, model->discrete ? more[model->policy.kind] : "");
  if (added > 0) celi_text_format(text, "    float s[%lld];\n", (long long)added);
  add_input(text, model, name);
  int buffer = 0; // 0: x, 1: y, in turn
  for (int l = 0; l < model->n; l++) {
    buffer = add_call(text, model, l, name, buffer);
    if (is_added(model, l))
      celi_text_format(text, "    for (i = 0; i < %lld; i++) s[i] = %s[i];\n",
                       (long long)model->layer[l].out, buffer ? "y" : "x");
  }
  add_output(text, model, name, buffer ? "y" : "x");
  celi_text_format(text, "}\n");
}

// ---- files

static void add_title(CeliText *text, const CeliModel *model, const char *name, const char *what) {
  char algo[64], version[64];
  celi_text_format(text, "/* %s: a policy trained by %s, exported by Celsius %s%s */\n", name,
                   celi_export_plain(algo, model->algo), celi_export_plain(version, model->version),
                   what);
}

static void add_bound(CeliText *text, float bound) {
  if (isinf(bound))
    celi_text_format(text, "%sinfinity", bound < 0 ? "-" : "");
  else
    add_float(text, bound);
}

static void add_bounds(CeliText *text, const CeliModel *model) {
  const CelSpacePart *part = &model->action.part[0];
  if (part->size > 32) return; // more bounds are not readable
  for (int64_t i = 0; i < part->size; i++) {
    celi_text_format(text, " *   action[%lld] is in [", (long long)i);
    add_bound(text, part->low[i]);
    celi_text_format(text, ", ");
    add_bound(text, part->high[i]);
    celi_text_format(text, "]\n");
  }
}

static void write_header(CeliText *text, const CeliModel *model, const char *name) {
  const bool choice = model->policy.kind == CELI_CATEGORICAL;
  const long long O = (long long)model->O, A = (long long)(choice ? model->policy.A : model->K);
  char upper[NAME_BYTES];
  upper_case(upper, name);
  add_title(
      text, model, name,
      ".\n *\n * The functions allocate nothing and have no state; any thread may call them.");
  celi_text_format(text,
                   "#ifndef %s_H\n#define %s_H\n\n"
                   "#define %s_OBS %lld /* numbers in an observation */\n"
                   "#define %s_ACTION %lld /* %s */\n",
                   upper, upper, upper, O, upper, A,
                   choice ? "number of actions" : "numbers in an action");
  if (model->noise > 0)
    celi_text_format(text, "#define %s_NOISE %lld /* random numbers for one action */\n", upper,
                     (long long)model->noise);
  celi_text_format(text, "\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
  if (choice) {
    celi_text_format(text,
                     "/* The %s action for an observation: 0 to %s_ACTION - 1.\n"
                     " *   obs: observation of the environment, finite numbers */\n",
                     model->policy.deterministic ? "best" : "most probable", upper);
  } else if (model->discrete) {
    celi_text_format(text,
                     "/* The most probable action for an observation.\n"
                     " *   obs: observation of the environment, finite numbers (in)\n"
                     " *   action: %s (out) */\n",
                     model->choices ? "one number per part, from 0" : "bits, 0 or 1");
  } else {
    celi_text_format(text,
                     "/* %s for an observation.\n"
                     " *   obs: observation of the environment, finite numbers (in)\n"
                     "%s"
                     " *   action: action for the environment (out)\n",
                     model->noise > 0              ? "An action drawn from the policy"
                     : model->policy.deterministic ? "The policy's action"
                                                   : "The policy's mode",
                     model->noise > 0 ? " *   noise: independent standard normals, new for each "
                                        "call; zeros for a deterministic action (in)\n"
                                      : "");
    if (model->action_low) add_bounds(text, model);
    celi_text_format(text, " */\n");
  }
  add_signature(text, model, name, upper);
  celi_text_format(text, ";\n\n#ifdef __cplusplus\n}\n#endif\n\n#endif\n");
}

static bool needs_math(const CeliModel *model) {
  for (int l = 0; l < model->n; l++)
    if (model->layer[l].layer.kind->c_math) return true;
  return model->policy.kind == CELI_SQUASHED_GAUSSIAN;
}

static void write_source(CeliText *text, const CeliModel *model, const char *name,
                         const char *header) {
  const CeliActivationInfo *activation = &celi_activations[model->policy.activation];
  const bool activated = activation->c_expr && has_kind(model, &celi_activation);
  add_title(text, model, name, ".");
  celi_text_format(text, "#include \"");
  celi_text_add(text, header, strlen(header));
  celi_text_format(text, "\"\n");
  if (needs_math(model) || (activated && activation->c_math))
    celi_text_format(text, "#include <math.h>\n");
  celi_text_format(text, "\n");
  add_parameters(text, model, name);
  add_kinds(text, model, name);
  if (activated) add_activation(text, name, activation->c_expr);
  add_act(text, model, name);
}

static CelStatus write_both(const CeliModel *model, const char *header_path,
                            const char *source_path, const char *name) {
  CeliText header = {0}, source = {0};
  const char *slash = strrchr(header_path, '/');
  write_header(&header, model, name);
  write_source(&source, model, name, slash ? slash + 1 : header_path);
  CelStatus status = celi_text_status(&header);
  if (!status) status = celi_text_status(&source);
  if (!status) status = celi_file_write(header_path, header.data, header.size);
  if (!status) status = celi_file_write(source_path, source.data, source.size);
  celi_text_free(&header);
  celi_text_free(&source);
  return status;
}

CelStatus celi_export_c(const CeliModel *model, const char *out, const char *name) {
  char header[CEL_PATH_MAX], source[CEL_PATH_MAX];
  size_t stem = strlen(out);
  if (stem > 2 && (strcmp(out + stem - 2, ".c") == 0 || strcmp(out + stem - 2, ".h") == 0))
    stem -= 2;
  if (stem + 3 > CEL_PATH_MAX)
    return cel_fail(CEL_E_IO, "%s: the path is too long; choose a shorter one", out);
  snprintf(header, sizeof header, "%.*s.h", (int)stem, out);
  snprintf(source, sizeof source, "%.*s.c", (int)stem, out);
  const char *slash = strrchr(header, '/'), *base = slash ? slash + 1 : header;
  if (strpbrk(base, "\"\\\n\r"))
    return cel_fail(CEL_E_ARGUMENT, "%s: C cannot include a file of this name; choose another name",
                    header);
  // The C locale, because a decimal comma would not compile.
  locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  if (c == (locale_t)0) return cel_fail(CEL_E_MEMORY, "not enough memory for an export");
  locale_t before = uselocale(c);
  const CelStatus status = write_both(model, header, source, name);
  uselocale(before);
  freelocale(c);
  return status;
}
