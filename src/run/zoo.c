/// RL Zoo files: entries, and what each setting means in Celsius. Contract: celsius/zoo.h.
///
/// The table `keys` names every setting that is not simply a field of the algorithm. All other
/// settings have the name of the field that they set. Settings without a counterpart fail.
#include "celsius/zoo.h"
#include "base/arguments.h"
#include "base/base.h"
#include "base/field.h"
#include "run/config.h"
#include "run/zoo.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX ((size_t)1 << 20)
#define JSON_MAX ((size_t)1 << 20)

struct CelZoo {
  char *name; ///< of the file, for messages
  CeliZooTree tree;
  CeliZooValue *top; ///< a mapping
  CeliText json;
};

/// An entry that is being applied.
typedef struct Apply {
  CelSetup *setup;
  const CeliZooValue *entry;
  const char *key; ///< the setting at hand
  const CeliZooValue *value;
  CeliZooTree literals; ///< of the entry's Python values
} Apply;

static const CelField *field_of(const Apply *apply, const char *name) {
  return cel_fields_find(apply->setup->algo->fields, name);
}

// ---- Failing

static CelStatus fail_type(const char *wanted, const CeliZooValue *value) {
  return cel_fail(CEL_E_TYPE, "the value must be %s, not %s", wanted, celi_zoo_kind_name(value));
}

static CelStatus fail_unsupported(const char *text) {
  return cel_fail(CEL_E_UNSUPPORTED, "%s", text);
}

/// Fails because the algorithm has no field of this name.
static CelStatus fail_field(const Apply *apply, const char *name) {
  return cel_fail_in(celi_fail_unknown(apply->setup->algo->fields, name),
                     "%s: ", apply->setup->algo->name);
}

// ---- Setting fields

/// Writes a list as "[64,64]".
static CelStatus list_text(const CeliZooValue *list, CeliText *text) {
  celi_text_add(text, "[", 1);
  for (size_t i = 0; i < list->n; i++) {
    if (list->item[i]->kind != CELI_ZOO_NUMBER)
      return fail_type("a list of whole numbers", list->item[i]);
    celi_text_format(text, "%s%s", i ? "," : "", list->item[i]->text);
  }
  celi_text_add(text, "]", 1);
  return celi_text_status(text);
}

/// Sets a field of the algorithm.
static CelStatus set(Apply *apply, const char *field, const CeliZooValue *value) {
  const CelAlgoInfo *algo = apply->setup->algo;
  const CelField *row = field_of(apply, field);
  if (!row) return fail_field(apply, field);
  if (value->kind == CELI_ZOO_NULL)
    return cel_fail(CEL_E_TYPE, "the value is missing; remove the key to keep the default");
  if (value->kind == CELI_ZOO_MAP) return fail_type("a single value", value);
  if (value->kind != CELI_ZOO_LIST)
    return cel_fields_set(algo->fields, apply->setup->algo_config, field, value->text);
  if (row->type != CEL_FIELD_INT_LIST) return fail_type("a single value", value);
  CeliText text = {0};
  CelStatus status = list_text(value, &text);
  if (status == CEL_OK)
    status = cel_fields_set(algo->fields, apply->setup->algo_config, field, text.data);
  celi_text_free(&text);
  return status;
}

static CelStatus set_text(Apply *apply, const char *field, const char *text) {
  if (!field_of(apply, field)) return fail_field(apply, field);
  return cel_fields_set(apply->setup->algo->fields, apply->setup->algo_config, field, text);
}

/// Sets a field of the run or of the environment ("env.KEY").
static CelStatus set_outside(Apply *apply, const char *name, const CeliZooValue *value) {
  if (!value->text) return fail_type("a single value", value);
  return cel_setup_set(apply->setup, name, value->text);
}

static CelStatus read_bool(const CeliZooValue *value, bool *out) {
  if (value->kind != CELI_ZOO_BOOL) return fail_type("true or false", value);
  *out = value->text[0] == 't';
  return CEL_OK;
}

static bool is_off(const CeliZooValue *value) {
  return !value || value->kind == CELI_ZOO_NULL ||
         (value->kind == CELI_ZOO_BOOL && value->text[0] == 'f');
}

static bool is_number(const CeliZooValue *value, double wanted) {
  double number;
  return value->kind == CELI_ZOO_NUMBER &&
         celi_parse_double(value->text, &number) == CELI_NUMBER_OK && number >= wanted &&
         number <= wanted;
}

/// The value, or what the Python literal in a text means.
static CelStatus python(Apply *apply, const CeliZooValue *value, const CeliZooValue **out) {
  CeliZooValue *parsed;
  *out = value;
  if (value->kind != CELI_ZOO_TEXT) return CEL_OK;
  CELI_TRY(celi_zoo_literal(&apply->literals, value->text, value->line, &parsed));
  *out = parsed;
  return CEL_OK;
}

/// Whether a Python name ends with `last`: "th.nn.ReLU" with "ReLU".
static bool named(const CeliZooValue *value, const char *last) {
  if (value->kind != CELI_ZOO_NAME && value->kind != CELI_ZOO_TEXT) return false;
  const char *dot = strrchr(value->text, '.');
  return strcmp(dot ? dot + 1 : value->text, last) == 0;
}

/// Fails unless the value is missing, false or an empty list or mapping.
static CelStatus put_nothing(Apply *apply, const char *reason) {
  const CeliZooValue *value = apply->value;
  const bool empty = (value->kind == CELI_ZOO_LIST || value->kind == CELI_ZOO_MAP) && value->n == 0;
  return is_off(value) || empty ? CEL_OK : fail_unsupported(reason);
}

// ---- Keyword arguments: mappings whose keys have functions of their own

typedef struct Argument {
  const char *name;
  CelStatus (*put)(Apply *apply, const CeliZooValue *value);
} Argument;

/// Applies each key of a mapping, or of a Python literal of one. `rows` ends with a NULL name.
static CelStatus put_arguments(Apply *apply, const CeliZooValue *value, const Argument *rows) {
  const CeliZooValue *map;
  CELI_TRY(python(apply, value, &map));
  if (map->kind == CELI_ZOO_NULL) return CEL_OK;
  if (map->kind != CELI_ZOO_MAP) return fail_type("a mapping, such as \"dict(key=value)\"", map);
  for (size_t i = 0; i < map->n; i++) {
    CeliNearest nearest = {.wanted = map->key[i]};
    const Argument *row = rows;
    for (; row->name && strcmp(row->name, map->key[i]) != 0; row++)
      (void)celi_nearest_try(&nearest, row->name);
    if (!row->name)
      return cel_fail(CEL_E_UNSUPPORTED, "%s has no counterpart in Celsius%s%s%s", map->key[i],
                      nearest.best ? "; did you mean \"" : "", nearest.best ? nearest.best : "",
                      nearest.best ? "\"?" : "");
    CELI_TRY(cel_fail_in(row->put(apply, map->item[i]), "%s: ", map->key[i]));
  }
  return CEL_OK;
}

// ---- policy_kwargs

static CelStatus put_log_std_init(Apply *apply, const CeliZooValue *value) {
  return set(apply, "log_std_init", value);
}

static CelStatus put_n_critics(Apply *apply, const CeliZooValue *value) {
  return set(apply, "n_critics", value);
}

static bool same_lists(const CeliZooValue *a, const CeliZooValue *b) {
  if (a->kind != CELI_ZOO_LIST || b->kind != CELI_ZOO_LIST || a->n != b->n) return false;
  for (size_t i = 0; i < a->n; i++)
    if (a->item[i]->kind != CELI_ZOO_NUMBER || b->item[i]->kind != CELI_ZOO_NUMBER ||
        strcmp(a->item[i]->text, b->item[i]->text) != 0)
      return false;
  return true;
}

/// [64, 64], dict(pi=[64], vf=[64]), dict(pi=[64], qf=[64]), [dict(pi=[64], vf=[64])].
static CelStatus put_net_arch(Apply *apply, const CeliZooValue *value) {
  if (value->kind == CELI_ZOO_LIST && value->n == 1 && value->item[0]->kind == CELI_ZOO_MAP)
    value = value->item[0];
  if (value->kind == CELI_ZOO_LIST) {
    for (size_t i = 0; i < value->n; i++)
      if (value->item[i]->kind == CELI_ZOO_MAP)
        return fail_unsupported("layers that policy and values share are not supported; give each "
                                "its own, dict(pi=[...], vf=[...])");
    return set(apply, "net_arch", value);
  }
  if (value->kind != CELI_ZOO_MAP) return fail_type("a list or dict(pi=[...], vf=[...])", value);
  const char *other = field_of(apply, "state_dependent_std") ? "vf" : "qf";
  const CeliZooValue *pi = celi_zoo_get(value, "pi"), *critic = celi_zoo_get(value, other);
  if (!pi || !critic || value->n != 2)
    return cel_fail(CEL_E_UNSUPPORTED, "the mapping must have the keys pi and %s", other);
  CELI_TRY(set(apply, "net_arch", pi));
  return same_lists(pi, critic) ? CEL_OK : set(apply, "critic_arch", critic);
}

static CelStatus put_activation(Apply *apply, const CeliZooValue *value) {
  static const char *const names[][2] = {{"ReLU", "relu"},
                                         {"Tanh", "tanh"},
                                         {"SiLU", "silu"},
                                         {"GELU", "gelu"},
                                         {"LeakyReLU", "leaky_relu"}};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (named(value, names[i][0])) return set_text(apply, "activation", names[i][1]);
  return cel_fail(CEL_E_UNSUPPORTED,
                  "%s is not supported; nn.ReLU, nn.Tanh, nn.SiLU, nn.GELU and nn.LeakyReLU are",
                  value->text ? value->text : celi_zoo_kind_name(value));
}

static CelStatus put_ortho_init(Apply *apply, const CeliZooValue *value) {
  bool on = false;
  CELI_TRY(read_bool(value, &on));
  if (!field_of(apply, "state_dependent_std"))
    return cel_fail(CEL_E_UNSUPPORTED, "%s has no orthogonal initialization",
                    apply->setup->algo->name);
  return set_text(apply, "init", on ? "orthogonal" : "kaiming_uniform");
}

static CelStatus put_optimizer(Apply *apply, const CeliZooValue *value) {
  const bool rmsprop = named(value, "RMSprop");
  if (!rmsprop && !named(value, "Adam"))
    return cel_fail(CEL_E_UNSUPPORTED,
                    "%s is not supported; th.optim.Adam is, and for a2c th.optim.RMSprop",
                    value->text ? value->text : celi_zoo_kind_name(value));
  if (field_of(apply, "optimizer"))
    return set_text(apply, "optimizer", rmsprop ? "rmsprop" : "adam");
  if (!rmsprop) return CEL_OK;
  return cel_fail(CEL_E_UNSUPPORTED, "%s has Adam only", apply->setup->algo->name);
}

static CelStatus put_epsilon(Apply *apply, const CeliZooValue *value) {
  return set(apply, field_of(apply, "adam_epsilon") ? "adam_epsilon" : "epsilon", value);
}

static CelStatus put_weight_decay(Apply *apply, const CeliZooValue *value) {
  (void)apply;
  if (is_number(value, 0)) return CEL_OK;
  return fail_unsupported("Adam of PyTorch adds the decay to the gradient, and Celsius decouples "
                          "it (AdamW); set the field weight_decay with --weight-decay instead");
}

static CelStatus put_betas(Apply *apply, const CeliZooValue *value) {
  if (value->kind != CELI_ZOO_LIST || value->n != 2) return fail_type("two numbers", value);
  CELI_TRY(set(apply, "adam_beta1", value->item[0]));
  return set(apply, "adam_beta2", value->item[1]);
}

static CelStatus put_alpha(Apply *apply, const CeliZooValue *value) {
  return set(apply, "rms_decay", value);
}

static CelStatus put_optimizer_kwargs(Apply *apply, const CeliZooValue *value) {
  static const Argument rows[] = {{"eps", put_epsilon},
                                  {"weight_decay", put_weight_decay},
                                  {"betas", put_betas},
                                  {"alpha", put_alpha},
                                  {0}};
  return put_arguments(apply, value, rows);
}

static CelStatus need_true(Apply *apply, const CeliZooValue *value) {
  bool on = false;
  (void)apply;
  CELI_TRY(read_bool(value, &on));
  return on ? CEL_OK : fail_unsupported("only True is supported");
}

static CelStatus put_expln(Apply *apply, const CeliZooValue *value) {
  return set(apply, "use_expln", value);
}

static CelStatus put_squash(Apply *apply, const CeliZooValue *value) {
  return set(apply, "squash_output", value);
}

static CelStatus put_clip_mean(Apply *apply, const CeliZooValue *value) {
  return set(apply, "clip_mean", value);
}

/// The extractor of MlpPolicy has no parameters, so it makes no difference whether it is shared.
static CelStatus put_share(Apply *apply, const CeliZooValue *value) {
  bool on = false;
  (void)apply;
  return read_bool(value, &on);
}

static CelStatus put_policy_kwargs(Apply *apply, const char *unused) {
  static const Argument rows[] = {{"net_arch", put_net_arch},
                                  {"activation_fn", put_activation},
                                  {"log_std_init", put_log_std_init},
                                  {"ortho_init", put_ortho_init},
                                  {"n_critics", put_n_critics},
                                  {"optimizer_class", put_optimizer},
                                  {"optimizer_kwargs", put_optimizer_kwargs},
                                  {"share_features_extractor", put_share},
                                  {"use_expln", put_expln},
                                  {"full_std", need_true},
                                  {"squash_output", put_squash},
                                  {"clip_mean", put_clip_mean},
                                  {0}};
  (void)unused;
  return put_arguments(apply, apply->value, rows);
}

// ---- normalize

static CelStatus put_norm_obs(Apply *apply, const CeliZooValue *value) {
  return set(apply, "normalize_observation", value);
}

static CelStatus put_norm_reward(Apply *apply, const CeliZooValue *value) {
  return set(apply, "normalize_reward", value);
}

static CelStatus put_clip_obs(Apply *apply, const CeliZooValue *value) {
  return set(apply, "clip_observation", value);
}

static CelStatus put_clip_reward(Apply *apply, const CeliZooValue *value) {
  return set(apply, "clip_reward", value);
}

/// RL Zoo replaces this discount by the algorithm's, if the entry has one.
static CelStatus put_norm_gamma(Apply *apply, const CeliZooValue *value) {
  char gamma[CELI_NUMBER_MAX];
  double own;
  if (celi_zoo_get(apply->entry, "gamma")) return CEL_OK;
  cel_fields_get(apply->setup->algo->fields, apply->setup->algo_config, "gamma", gamma,
                 sizeof gamma);
  if (celi_parse_double(gamma, &own) == CELI_NUMBER_OK && is_number(value, own)) return CEL_OK;
  return cel_fail(CEL_E_UNSUPPORTED,
                  "returns are normalized with the discount of the algorithm, %s; set the key "
                  "gamma of the entry",
                  gamma);
}

static CelStatus put_norm_epsilon(Apply *apply, const CeliZooValue *value) {
  (void)apply;
  return is_number(value, 1e-8) ? CEL_OK : fail_unsupported("only 1e-8 is supported");
}

static CelStatus put_normalize(Apply *apply, const char *unused) {
  static const Argument rows[] = {{"norm_obs", put_norm_obs}, {"norm_reward", put_norm_reward},
                                  {"clip_obs", put_clip_obs}, {"clip_reward", put_clip_reward},
                                  {"gamma", put_norm_gamma},  {"epsilon", put_norm_epsilon},
                                  {"training", need_true},    {0}};
  const CeliZooValue *value;
  (void)unused;
  CELI_TRY(python(apply, apply->value, &value));
  const char *on = is_off(value) ? "false" : "true";
  if (value->kind != CELI_ZOO_BOOL && value->kind != CELI_ZOO_MAP && value->kind != CELI_ZOO_NULL)
    return fail_type("true, false or \"dict(norm_obs=..., norm_reward=...)\"", value);
  CELI_TRY(set_text(apply, "normalize_observation", on));
  CELI_TRY(set_text(apply, "normalize_reward", on));
  return value->kind == CELI_ZOO_MAP ? put_arguments(apply, value, rows) : CEL_OK;
}

// ---- Settings of the entry

static CelStatus put_run(Apply *apply, const char *field) {
  return set_outside(apply, field, apply->value);
}

/// None turns the limit off, which is 0 in Celsius.
static CelStatus put_or_zero(Apply *apply, const char *field) {
  if (apply->value->kind == CELI_ZOO_NULL) return set_text(apply, field, "0");
  return set(apply, field, apply->value);
}

static CelStatus put_policy(Apply *apply, const char *unused) {
  (void)unused;
  const CeliZooValue *value = apply->value;
  if (named(value, "MlpPolicy") || named(value, "MultiInputPolicy")) return CEL_OK;
  if (named(value, "CnnPolicy"))
    return fail_unsupported("CnnPolicy is for images, which Celsius does not support");
  return cel_fail(CEL_E_UNSUPPORTED, "%s is not supported; MlpPolicy is",
                  value->text ? value->text : celi_zoo_kind_name(value));
}

static CelStatus put_train_freq(Apply *apply, const char *field) {
  const CeliZooValue *value;
  CELI_TRY(python(apply, apply->value, &value));
  if (value->kind != CELI_ZOO_LIST) return set(apply, field, value);
  if (value->n != 2 || value->item[1]->kind != CELI_ZOO_TEXT)
    return fail_type("a number or [number, \"step\"]", value);
  if (strcmp(value->item[1]->text, "step") == 0) return set(apply, field, value->item[0]);
  if (strcmp(value->item[1]->text, "episode") == 0)
    return fail_unsupported("updates between episodes are not supported; give a number of steps");
  return cel_fail(CEL_E_TYPE, "\"%s\" is not step or episode", value->item[1]->text);
}

/// With use_sde, SAC of Stable-Baselines3 has clip_mean 2 unless policy_kwargs say otherwise.
static CelStatus put_use_sde(Apply *apply, const char *unused) {
  (void)unused;
  bool on = false;
  CELI_TRY(read_bool(apply->value, &on));
  const CeliZooValue *noise = celi_zoo_get(apply->entry, "noise_type");
  if (on && noise && !is_off(noise))
    return fail_unsupported("use_sde cannot be combined with noise_type");
  if (on && field_of(apply, "clip_mean")) CELI_TRY(set_text(apply, "clip_mean", "2"));
  return set(apply, "use_sde", apply->value);
}

static CelStatus put_noise_type(Apply *apply, const char *unused) {
  (void)unused;
  const CeliZooValue *value = apply->value, *std = celi_zoo_get(apply->entry, "noise_std");
  if (is_off(value)) return CEL_OK;
  if (value->kind != CELI_ZOO_TEXT) return fail_type("normal or ornstein-uhlenbeck", value);
  if (!std) return cel_fail(CEL_E_ARGUMENT, "the key noise_std is missing");
  if (strstr(value->text, "normal")) return set_text(apply, "noise", "normal");
  if (strstr(value->text, "ornstein-uhlenbeck")) return set_text(apply, "noise", "ou");
  return cel_fail(CEL_E_RANGE, "\"%s\" is not normal or ornstein-uhlenbeck", value->text);
}

static CelStatus put_noise_std(Apply *apply, const char *field) {
  const CeliZooValue *type = celi_zoo_get(apply->entry, "noise_type");
  if (!type || is_off(type)) return fail_unsupported("it has no effect without noise_type");
  return set(apply, field, apply->value);
}

static CelStatus put_rms_prop(Apply *apply, const char *field) {
  bool on = false;
  CELI_TRY(read_bool(apply->value, &on));
  return set_text(apply, field, on ? "rmsprop" : "adam");
}

static CelStatus put_rms_eps(Apply *apply, const char *field) {
  const CeliZooValue *on = celi_zoo_get(apply->entry, "use_rms_prop");
  if (on && is_off(on)) return fail_unsupported("it has no effect without use_rms_prop");
  return set(apply, field, apply->value);
}

static CelStatus put_sub_sampling(Apply *apply, const char *unused) {
  (void)unused;
  if (is_number(apply->value, 1)) return CEL_OK;
  return fail_unsupported("every update uses the whole rollout; only 1 is supported");
}

static CelStatus put_buffer_class(Apply *apply, const char *unused) {
  (void)unused;
  const CeliZooValue *value = apply->value;
  if (is_off(value) || named(value, "ReplayBuffer") || named(value, "RolloutBuffer")) return CEL_OK;
  return cel_fail(CEL_E_UNSUPPORTED, "%s is not supported; ReplayBuffer is",
                  value->text ? value->text : celi_zoo_kind_name(value));
}

static CelStatus put_buffer_kwargs(Apply *apply, const char *unused) {
  static const Argument rows[] = {{"handle_timeout_termination", need_true}, {0}};
  (void)unused;
  return put_arguments(apply, apply->value, rows);
}

/// The replay buffer stores each observation once, with either value.
static CelStatus put_memory(Apply *apply, const char *field) {
  bool on = false;
  if (!field_of(apply, field)) return fail_field(apply, apply->key);
  return read_bool(apply->value, &on);
}

static CelStatus put_frame_stack(Apply *apply, const char *unused) {
  (void)unused;
  if (is_off(apply->value) || is_number(apply->value, 1)) return CEL_OK;
  return fail_unsupported("Celsius does not stack frames; only 1 is supported");
}

/// FrameSkip of RL Zoo repeats each action inside the time limit, as env.action_repeat does.
static CelStatus put_wrapper(Apply *apply, const CeliZooValue *wrapper) {
  const CeliZooValue *arguments = NULL;
  const char *name = wrapper->text;
  if (wrapper->kind == CELI_ZOO_MAP && wrapper->n == 1) {
    name = wrapper->key[0];
    arguments = wrapper->item[0];
  }
  if (!name) return fail_type("the name of a wrapper", wrapper);
  const CeliZooValue text = {.kind = CELI_ZOO_TEXT, .text = (char *)(uintptr_t)name};
  if (!named(&text, "FrameSkip"))
    return cel_fail(CEL_E_UNSUPPORTED,
                    "%s is not supported; FrameSkip is; remove the others if you can train without "
                    "them",
                    name);
  const CeliZooValue *skip = arguments ? celi_zoo_get(arguments, "skip") : NULL;
  if (arguments && (arguments->kind != CELI_ZOO_MAP || arguments->n != (skip != NULL)))
    return cel_fail(CEL_E_UNSUPPORTED, "%s: only the argument skip is supported", name);
  return skip ? set_outside(apply, "env.action_repeat", skip)
              : cel_setup_set(apply->setup, "env.action_repeat", "4");
}

static CelStatus put_env_wrapper(Apply *apply, const char *unused) {
  (void)unused;
  const CeliZooValue *value = apply->value;
  if (is_off(value)) return CEL_OK;
  if (value->kind != CELI_ZOO_LIST) return put_wrapper(apply, value);
  for (size_t i = 0; i < value->n; i++) CELI_TRY(put_wrapper(apply, value->item[i]));
  return value->n > 1 ? fail_unsupported("only one FrameSkip is supported") : CEL_OK;
}

static CelStatus put_env_kwargs(Apply *apply, const char *unused) {
  (void)unused;
  const CeliZooValue *map;
  CELI_TRY(python(apply, apply->value, &map));
  if (map->kind == CELI_ZOO_NULL) return CEL_OK;
  if (map->kind != CELI_ZOO_MAP) return fail_type("a mapping", map);
  for (size_t i = 0; i < map->n; i++) {
    char name[CEL_TEXT_MAX + 8];
    if (snprintf(name, sizeof name, "env.%s", map->key[i]) >= (int)sizeof name)
      return cel_fail(CEL_E_NAME, "%.80s... is not an argument of the environment", map->key[i]);
    CELI_TRY(set_outside(apply, name, map->item[i]));
  }
  return CEL_OK;
}

static CelStatus put_device(Apply *apply, const char *unused) {
  (void)unused;
  if (named(apply->value, "cpu") || named(apply->value, "auto")) return CEL_OK;
  return fail_unsupported("Celsius runs on the processor; only cpu and auto are supported");
}

typedef struct Key {
  const char *name;
  CelStatus (*put)(Apply *apply, const char *detail);
  const char *detail; ///< a field, or the reason of a refusal
  bool late;          ///< depends on what other keys set
} Key;

static const Key keys[] = {
    {"n_timesteps", put_run, "steps", false},
    {"n_envs", put_run, "n_envs", false},
    {"seed", put_run, "seed", false},
    {"policy", put_policy, NULL, false},
    {"policy_kwargs", put_policy_kwargs, NULL, true},
    {"normalize", put_normalize, NULL, true},
    {"train_freq", put_train_freq, "train_freq", false},
    {"clip_range_vf", put_or_zero, "clip_range_vf", false},
    {"target_kl", put_or_zero, "target_kl", false},
    {"use_sde", put_use_sde, NULL, false},
    {"noise_type", put_noise_type, NULL, false},
    {"noise_std", put_noise_std, "noise_sigma", false},
    {"use_rms_prop", put_rms_prop, "optimizer", false},
    {"rms_prop_eps", put_rms_eps, "epsilon", false},
    {"sub_sampling_factor", put_sub_sampling, NULL, false},
    {"optimize_memory_usage", put_memory, "buffer_size", false},
    {"replay_buffer_class", put_buffer_class, NULL, false},
    {"rollout_buffer_class", put_buffer_class, NULL, false},
    {"replay_buffer_kwargs", put_buffer_kwargs, NULL, false},
    {"frame_stack", put_frame_stack, NULL, false},
    {"env_wrapper", put_env_wrapper, NULL, false},
    {"env_kwargs", put_env_kwargs, NULL, false},
    {"device", put_device, NULL, false},
    {"vec_env_wrapper", put_nothing, "wrappers of vector environments are not supported", false},
    {"callback", put_nothing, "callbacks of Python are not supported", false},
    {"monitor_kwargs", put_nothing, "arguments of Monitor are not supported", false},
};

static const Key *find_key(const char *name) {
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
    if (strcmp(keys[i].name, name) == 0) return &keys[i];
  return NULL;
}

/// The name of a setting must be that of a field; groups and dotted names do not occur.
static CelStatus put_key(Apply *apply, const Key *key) {
  if (key) return key->put(apply, key->detail);
  if (field_of(apply, apply->key) && !strchr(apply->key, '-') && !strchr(apply->key, '.'))
    return set(apply, apply->key, apply->value);
  CeliNearest nearest = {.wanted = apply->key};
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
    (void)celi_nearest_try(&nearest, keys[i].name);
  for (const CelField *field = apply->setup->algo->fields; field->name; field++)
    (void)celi_nearest_try(&nearest, field->name);
  return cel_fail(CEL_E_NAME, "%s has no such setting%s%s%s", apply->setup->algo->name,
                  nearest.best ? "; did you mean \"" : "", nearest.best ? nearest.best : "",
                  nearest.best ? "\"?" : "");
}

static CelStatus put_all(Apply *apply, bool late) {
  for (size_t i = 0; i < apply->entry->n; i++) {
    const Key *key = find_key(apply->entry->key[i]);
    if ((key && key->late) != late) continue;
    apply->key = apply->entry->key[i];
    apply->value = apply->entry->item[i];
    CELI_TRY(cel_fail_in(put_key(apply, key), "line %zu: %s: ", apply->value->line, apply->key));
  }
  return CEL_OK;
}

// ---- The file

CelStatus celi_zoo_parse(const char *name, const char *text, size_t size, CelZoo **out) {
  CelZoo *zoo;
  *out = NULL;
  CELI_TRY(celi_calloc(&zoo, 1, sizeof *zoo, "a file of RL Zoo"));
  CelStatus status = celi_alloc(&zoo->name, strlen(name) + 1, 1, "a file's name");
  if (status == CEL_OK) memcpy(zoo->name, name, strlen(name) + 1);
  if (status == CEL_OK) status = celi_zoo_yaml(&zoo->tree, text, size, &zoo->top);
  if (status == CEL_OK) {
    *out = zoo;
    return CEL_OK;
  }
  cel_zoo_close(zoo);
  return cel_fail_in(status, "%s: ", name);
}

CelStatus cel_zoo_open(const char *path, CelZoo **out) {
  CELI_NEED(path);
  CELI_NEED(out);
  CELI_FLOATS(CELI_IEEE);
  char *text;
  size_t size;
  *out = NULL;
  CELI_TRY(celi_file_read(path, FILE_MAX, &text, &size));
  const CelStatus status = celi_zoo_parse(path, text, size, out);
  free(text);
  return status;
}

void cel_zoo_close(CelZoo *zoo) {
  if (!zoo) return;
  celi_zoo_free(&zoo->tree);
  celi_text_free(&zoo->json);
  free(zoo->name);
  free(zoo);
}

const char *cel_zoo_entry(const CelZoo *zoo, int64_t i) {
  CELI_NEED_OR(zoo, NULL);
  return i >= 0 && (uint64_t)i < zoo->top->n ? zoo->top->key[i] : NULL;
}

CelStatus cel_zoo_find(const CelZoo *zoo, const char *name, int64_t *i) {
  CELI_NEED(zoo);
  CELI_NEED(name);
  CELI_NEED(i);
  CeliNearest nearest = {.wanted = name};
  *i = -1;
  for (size_t k = 0; k < zoo->top->n; k++) {
    if (strcmp(zoo->top->key[k], name) == 0) {
      *i = (int64_t)k;
      return CEL_OK;
    }
    if (strcmp(zoo->top->key[k], "default") == 0) *i = (int64_t)k;
    (void)celi_nearest_try(&nearest, zoo->top->key[k]);
  }
  if (*i >= 0) return CEL_OK;
  return cel_fail(CEL_E_NAME, "%s: no entry \"%s\" and no entry \"default\"%s%s%s", zoo->name, name,
                  nearest.best ? "; did you mean \"" : "", nearest.best ? nearest.best : "",
                  nearest.best ? "\"?" : "");
}

static CelStatus entry_at(const CelZoo *zoo, int64_t i, const CeliZooValue **out) {
  if (i < 0 || (uint64_t)i >= zoo->top->n)
    return cel_fail(CEL_E_RANGE, "%s: there is no entry %lld; the file has %zu", zoo->name,
                    (long long)i, zoo->top->n);
  *out = zoo->top->item[i];
  if ((*out)->kind == CELI_ZOO_MAP) return CEL_OK;
  return cel_fail_in(fail_type("a mapping", *out), "%s: line %zu: %s: ", zoo->name, (*out)->line,
                     zoo->top->key[i]);
}

static void copy_fields(CelSetup *to, const CelSetup *from) {
  to->run = from->run;
  memcpy(to->algo_config, from->algo_config, to->algo->config_size);
  memcpy(to->env_args, from->env_args, celi_env_args_offset() + to->env->config_size);
}

CelStatus cel_zoo_apply(const CelZoo *zoo, int64_t i, CelSetup *setup) {
  CELI_NEED(zoo);
  CELI_NEED(setup);
  CELI_NEED(setup->algo);
  CELI_FLOATS(CELI_IEEE);
  Apply apply = {0};
  CELI_TRY(entry_at(zoo, i, &apply.entry));
  CELI_TRY(cel_setup_copy(&apply.setup, setup));
  CelStatus status = put_all(&apply, false);
  if (status == CEL_OK) status = put_all(&apply, true);
  if (status == CEL_OK) copy_fields(setup, apply.setup);
  celi_zoo_free(&apply.literals);
  cel_setup_destroy(apply.setup);
  return cel_fail_in(status, "%s: %s: ", zoo->name, zoo->top->key[i]);
}

// ---- JSON

/// Keys whose texts are Python.
static bool is_python(const char *key) {
  static const char *const names[] = {
      "policy_kwargs",  "normalize",  "replay_buffer_class", "replay_buffer_kwargs",
      "monitor_kwargs", "env_kwargs", "rollout_buffer_class"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (strcmp(key, names[i]) == 0) return true;
  return false;
}

static void add_number(CeliText *json, const char *text) {
  double value = 0;
  char number[CELI_NUMBER_MAX];
  if (!strpbrk(text, ".eEni")) { // an integer, of any size
    celi_text_add(json, text, strlen(text));
    return;
  }
  (void)celi_parse_double(text, &value);
  celi_double_text(number, value);
  if (isfinite(value))
    celi_text_format(json, "%s%s", number, strpbrk(number, ".e") ? "" : ".0");
  else
    celi_text_format(json, "%s", isnan(value) ? "NaN" : value < 0 ? "-Infinity" : "Infinity");
}

static CelStatus add_json(CeliText *json, const CeliZooValue *value) {
  if (json->size > JSON_MAX)
    return cel_fail(CEL_E_RANGE, "the entry has more than %zu bytes as JSON, the limit", JSON_MAX);
  switch (value->kind) {
  case CELI_ZOO_NULL: celi_text_add(json, "null", 4); break;
  case CELI_ZOO_BOOL: celi_text_add(json, value->text, strlen(value->text)); break;
  case CELI_ZOO_NUMBER: add_number(json, value->text); break;
  case CELI_ZOO_TEXT:
  case CELI_ZOO_NAME: celi_text_json(json, value->text); break;
  case CELI_ZOO_LIST:
  case CELI_ZOO_MAP: {
    const bool map = value->kind == CELI_ZOO_MAP;
    celi_text_add(json, map ? "{" : "[", 1);
    for (size_t i = 0; i < value->n; i++) {
      if (i) celi_text_add(json, ",", 1);
      if (map) {
        celi_text_json(json, value->key[i]);
        celi_text_add(json, ":", 1);
      }
      CELI_TRY(add_json(json, value->item[i]));
    }
    celi_text_add(json, map ? "}" : "]", 1);
  }
  }
  return CEL_OK;
}

static CelStatus add_setting(CelZoo *zoo, CeliZooTree *literals, const char *key,
                             const CeliZooValue *value) {
  CeliZooValue *parsed;
  celi_text_json(&zoo->json, key);
  celi_text_add(&zoo->json, ":", 1);
  if (value->kind != CELI_ZOO_TEXT || !is_python(key)) return add_json(&zoo->json, value);
  CELI_TRY(celi_zoo_literal(literals, value->text, value->line, &parsed));
  return add_json(&zoo->json, parsed);
}

CelStatus cel_zoo_json(CelZoo *zoo, int64_t i, const char **json) {
  CELI_NEED(zoo);
  CELI_NEED(json);
  CELI_FLOATS(CELI_IEEE);
  const CeliZooValue *entry;
  CeliZooTree literals = {0};
  *json = NULL;
  CELI_TRY(entry_at(zoo, i, &entry));
  celi_text_free(&zoo->json);
  celi_text_add(&zoo->json, "{", 1);
  CelStatus status = CEL_OK;
  for (size_t k = 0; k < entry->n && status == CEL_OK; k++) {
    if (k) celi_text_add(&zoo->json, ",", 1);
    status = cel_fail_in(add_setting(zoo, &literals, entry->key[k], entry->item[k]),
                         "line %zu: %s: ", entry->item[k]->line, entry->key[k]);
  }
  celi_text_add(&zoo->json, "}", 1);
  celi_zoo_free(&literals);
  if (status == CEL_OK) status = celi_text_status(&zoo->json);
  if (status == CEL_OK) *json = zoo->json.data;
  return cel_fail_in(status, "%s: %s: ", zoo->name, zoo->top->key[i]);
}
