/// Every choice of every learner's enum fields has a public constant with the same number.
#include "celsius/celsius.h"
#include <stddef.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

typedef struct Row {
  const char *algos; ///< separated by blanks
  const char *field, *choices;
  int32_t value[5]; ///< the constants, in the order of `choices`
} Row;

#define OFF "sac sacv dsac sql sqlc td3 dqn"
#define ON "ppo a2c ac reinforce trpo"

static const Row rows[] = {
    {OFF " " ON,
     "activation",
     "relu|tanh|silu|gelu|leaky_relu",
     {CEL_ACTIVATION_RELU, CEL_ACTIVATION_TANH, CEL_ACTIVATION_SILU, CEL_ACTIVATION_GELU,
      CEL_ACTIVATION_LEAKY_RELU}},
    {OFF " " ON,
     "init",
     "kaiming_uniform|orthogonal|xavier_uniform",
     {CEL_INIT_KAIMING_UNIFORM, CEL_INIT_ORTHOGONAL, CEL_INIT_XAVIER_UNIFORM}},
    {"sac sacv dsac td3",
     "critic_reduce",
     "min|mean",
     {CEL_CRITIC_REDUCE_MIN, CEL_CRITIC_REDUCE_MEAN}},
    {"sac",
     "critic",
     "mean|quantile|categorical",
     {CEL_CRITIC_MEAN, CEL_CRITIC_QUANTILE, CEL_CRITIC_CATEGORICAL}},
    {"sac",
     "weight_norm",
     "none|hidden|all",
     {CEL_WEIGHT_NORM_NONE, CEL_WEIGHT_NORM_HIDDEN, CEL_WEIGHT_NORM_ALL}},
    {"sac", "target", "polyak|none", {CEL_TARGET_NETWORK_POLYAK, CEL_TARGET_NETWORK_NONE}},
    {"sac",
     "norm",
     "none|layer|batch|batch_renorm|rms",
     {CEL_NORM_NONE, CEL_NORM_LAYER, CEL_NORM_BATCH, CEL_NORM_BATCH_RENORM, CEL_NORM_RMS}},
    {"sac", "norm_networks", "all|critics", {CEL_NORM_NETWORKS_ALL, CEL_NORM_NETWORKS_CRITICS}},
    {"sac", "norm_place", "before|after", {CEL_NORM_PLACE_BEFORE, CEL_NORM_PLACE_AFTER}},
    {"sac sacv",
     "policy",
     "squashed_gaussian|gaussian",
     {CEL_POLICY_SQUASHED_GAUSSIAN, CEL_POLICY_GAUSSIAN}},
    {"sac",
     "noise",
     "none|normal|ou|gsde",
     {CEL_NOISE_NONE, CEL_NOISE_NORMAL, CEL_NOISE_OU, CEL_NOISE_GSDE}},
    {"td3", "noise", "none|normal|ou", {CEL_NOISE_NONE, CEL_NOISE_NORMAL, CEL_NOISE_OU}},
    {"dqn", "loss", "huber|squared", {CEL_DQN_LOSS_HUBER, CEL_DQN_LOSS_SQUARED}},
    {"sqlc", "value_proposal", "uniform|policy", {CEL_PROPOSAL_UNIFORM, CEL_PROPOSAL_POLICY}},
    {"a2c", "optimizer", "rmsprop|adam", {CEL_A2C_OPTIMIZER_RMSPROP, CEL_A2C_OPTIMIZER_ADAM}},
    {"ac", "optimizer", "adam|sgd", {CEL_AC_OPTIMIZER_ADAM, CEL_AC_OPTIMIZER_SGD}},
    {"ac", "reduction", "mean|sum", {CEL_AC_REDUCTION_MEAN, CEL_AC_REDUCTION_SUM}},
    {"reinforce",
     "reduction",
     "steps|episodes",
     {CEL_REINFORCE_REDUCTION_STEPS, CEL_REINFORCE_REDUCTION_EPISODES}},
    {"reinforce",
     "baseline",
     "none|mean|value",
     {CEL_REINFORCE_BASELINE_NONE, CEL_REINFORCE_BASELINE_MEAN, CEL_REINFORCE_BASELINE_VALUE}},
};
enum { ROWS = sizeof rows / sizeof rows[0] };

static bool names(const char *list, const char *word) {
  const size_t n = strlen(word);
  for (const char *at = strstr(list, word); at; at = strstr(at + 1, word))
    if ((at == list || at[-1] == ' ') && (at[n] == 0 || at[n] == ' ')) return true;
  return false;
}

static const Row *row_of(const char *algo, const char *field) {
  for (int i = 0; i < ROWS; i++)
    if (names(rows[i].algos, algo) && strcmp(rows[i].field, field) == 0) return &rows[i];
  return NULL;
}

/// Sets the field to each choice by name and reads the number that the struct then holds.
static void check_field(const CelAlgoInfo *algo, const CelField *field, const Row *row) {
  _Alignas(max_align_t) char config[4096];
  const char *choice = row->choices;
  assert_true(algo->config_size <= sizeof config);
  cel_fields_default(algo->fields, config);
  for (int k = 0; *choice; k++) {
    char text[CEL_TEXT_MAX];
    const size_t n = strcspn(choice, "|");
    assert_true(k < 5 && n < sizeof text);
    snprintf(text, sizeof text, "%.*s", (int)n, choice);
    assert_int_equal(cel_fields_set(algo->fields, config, field->name, text), CEL_OK);
    int32_t value;
    memcpy(&value, config + field->offset, sizeof value);
    if (value != row->value[k])
      fail_msg("%s: %s %s is %d, but its constant is %d", algo->name, field->name, text, (int)value,
               (int)row->value[k]);
    choice += n + (choice[n] == '|');
  }
}

static void test_constants(void **state) {
  (void)state;
  for (int a = 0; cel_algo_at(a); a++) {
    const CelAlgoInfo *algo = cel_algo_at(a);
    for (const CelField *field = algo->fields; field->name; field++) {
      if (field->type != CEL_FIELD_ENUM) continue;
      const Row *row = row_of(algo->name, field->name);
      if (!row) fail_msg("%s: the enum field %s has no constants here", algo->name, field->name);
      assert_string_equal(field->choices, row->choices);
      check_field(algo, field, row);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_constants)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
