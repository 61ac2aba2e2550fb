/// Networks whose layers a model file lists: CrossQ, XQC, DroQ, SimBa and others. Policies act as
/// the networks did, bit for bit; exports compute the same; bad lists are refused.
#include "celsius/export.h"
#include "celsius/model.h"
#include "celsius/policy.h"
#include "deploy/export_tools.h"
#include "nn/net.h"
#include "rl/model.h"

#include <math.h>

enum { O = 5, A = 3, OBSERVATIONS = 48 };

typedef struct LayerCase {
  const char *name;
  CeliMlpSpec net;    ///< all but the widths at its ends
  const char *layers; ///< its list in the file; NULL: names define it
} LayerCase;

#define LAST_BATCH_NORM "{\"kind\":\"batch_norm\",\"epsilon\":0.001}"
static const LayerCase cases[] = {
    {"crossq",
     {.hidden = {2, {20, 17}},
      .activation = CELI_RELU,
      .norm = {.kind = CELI_NORM_BATCH_RENORM, .place = CELI_NORM_AFTER, .input = true}},
     "[\"batch_renorm\",\"dense\",\"relu\",\"batch_renorm\",\"dense\",\"relu\",\"batch_renorm\","
     "\"dense\"]"},
    {"xqc",
     {.hidden = {2, {20, 17}},
      .activation = CELI_RELU,
      .norm = {.kind = CELI_NORM_BATCH, .input = true, .epsilon = 1e-3, .momentum = 0.01},
      .weight_norm = CELI_MLP_WEIGHT_NORM_ALL,
      .no_bias = true},
     "[" LAST_BATCH_NORM ",\"dense\"," LAST_BATCH_NORM ",\"relu\",\"dense\"," LAST_BATCH_NORM
     ",\"relu\",\"dense\"]"},
    {"droq",
     {.hidden = {2, {20, 17}},
      .activation = CELI_SILU,
      .norm = {.kind = CELI_NORM_LAYER},
      .dropout = 0.2},
     NULL},
    {"renorm_before",
     {.hidden = {1, {20}},
      .activation = CELI_TANH,
      .norm = {.kind = CELI_NORM_BATCH_RENORM, .input = true}},
     NULL},
    {"rms",
     {.hidden = {2, {20, 17}}, .activation = CELI_GELU, .norm = {.kind = CELI_NORM_RMS}},
     NULL},
    {"rms_after",
     {.hidden = {2, {20, 17}},
      .activation = CELI_TANH,
      .norm = {.kind = CELI_NORM_RMS, .place = CELI_NORM_AFTER, .input = true, .epsilon = 0.5}},
     "[{\"kind\":\"rms_norm\",\"epsilon\":0.5},\"dense\",\"tanh\",{\"kind\":\"rms_norm\","
     "\"epsilon\":"
     "0.5},\"dense\",\"tanh\",{\"kind\":\"rms_norm\",\"epsilon\":0.5},\"dense\"]"},
    {"simba",
     {.hidden = {2, {12, 12}},
      .activation = CELI_RELU,
      .norm = {.kind = CELI_NORM_LAYER},
      .dropout = 0.1,
      .residual = true},
     "[\"dense\",\"layer_norm\",\"dense\",\"relu\",\"dense\",{\"kind\":\"add\",\"from\":0},"
     "\"layer_norm\",\"dense\",\"relu\",\"dense\",{\"kind\":\"add\",\"from\":5},\"layer_norm\","
     "\"dense\"]"},
    {"bare_blocks",
     {.hidden = {1, {12}}, .activation = CELI_SILU, .residual = true},
     "[\"dense\",\"dense\",\"silu\",\"dense\",{\"kind\":\"add\",\"from\":0},\"dense\"]"},
};
enum { CASES = sizeof cases / sizeof cases[0], SIMBA = 6 };

typedef struct Trained {
  CelTensors *tensors;
  CeliNet net;
  CeliPass pass;
  CelSpace observation, action;
  float *shift, *scale;
  char *policy; ///< its JSON
} Trained;

static void randomize(const CeliNode *node, CelRng *rng) {
  const bool dense = node->layer.kind == &celi_dense;
  for (int k = 0; k < CELI_LAYER_PARAMS; k++) {
    const int64_t size = node->param[k] ? celi_param_size(node, k) : 0;
    for (int64_t i = 0; !dense && i < size; i++)
      node->param[k][i] = (float)cel_rng_range(rng, k ? -0.5 : 0.5, k ? 0.5 : 1.5);
    for (int64_t i = 0; node->state[k] && i < node->out; i++)
      node->state[k][i] = (float)cel_rng_range(rng, k ? 0.2 : -0.5, k ? 1.5 : 0.5);
  }
}

static void write_model(const Trained *t, const char *path, const char *policy) {
  char *observation, *action;
  OK(celi_space_to_json(&t->observation, &observation));
  OK(celi_space_to_json(&t->action, &action));
  const CelMeta meta[] = {{"format", CELI_MODEL_FORMAT}, {"version", "0"},   {"algo", "sac"},
                          {"observation", observation},  {"action", action}, {"policy", policy}};
  OK(cel_safetensors_write(path, t->tensors, CEL_ROLES_MODEL, meta, 6));
  free(observation), free(action);
}

/// A network as learners declare it, and its model file.
static void create(Trained *t, const LayerCase *c) {
  CelRng rng = cel_rng(11, CEL_RNG_USER, 0);
  CeliMlpSpec mlp = c->net;
  CeliLayer layers[CELI_LAYERS_MAX];
  const int64_t shape = A;
  mlp.E = 1, mlp.in = O, mlp.out = 2 * A;
  memset(t, 0, sizeof *t);
  t->observation = cel_space_box(O, -HUGE_VAL, HUGE_VAL);
  t->action = cel_space_box(A, -2, 3);
  OK(cel_tensors_create(&t->tensors));
  OK(celi_mlp_declare(&t->net, t->tensors, "actor", CEL_PARAM, &mlp));
  OK(celi_pass_declare(&t->pass, t->tensors, "act", &t->net, (CeliPassSpec){.B = OBSERVATIONS}));
  OK(cel_tensors_declare(t->tensors, "action_shift", CEL_F32, CEL_MODEL, &t->shift, 1, &shape));
  OK(cel_tensors_declare(t->tensors, "action_scale", CEL_F32, CEL_MODEL, &t->scale, 1, &shape));
  OK(cel_tensors_allocate(t->tensors));
  celi_net_init(&t->net, 3, 0);
  for (int l = 0; l < t->net.n; l++) randomize(&t->net.node[l], &rng);
  for (int a = 0; a < A; a++) t->shift[a] = 0.5f, t->scale[a] = 2.5f;
  const CeliPolicySpec spec = {.kind = CELI_SQUASHED_GAUSSIAN,
                               .activation = mlp.activation,
                               .A = A,
                               .layers = layers,
                               .n_layers = celi_net_layers(&t->net, layers)};
  OK(celi_policy_to_json(&spec, &t->policy));
  write_model(t, "model.safetensors", t->policy);
}

static void destroy(Trained *t) {
  cel_tensors_destroy(t->tensors);
  free(t->policy);
}

static void observe(float obs[OBSERVATIONS * O]) {
  CelRng rng = cel_rng(5, CEL_RNG_USER, 1);
  for (int i = 0; i < OBSERVATIONS * O; i++) obs[i] = (float)cel_rng_range(&rng, -3, 3);
}

/// The policy's actions, which must have the bits of the network's.
static void act(Trained *t, const float *obs, float action[OBSERVATIONS * A]) {
  CelPolicy *policy;
  OK(cel_policy_load("model.safetensors", &policy));
  t->pass.X = obs, t->pass.ldx = O;
  celi_net_forward(&t->pass, 0, OBSERVATIONS);
  for (int i = 0; i < OBSERVATIONS; i++) {
    float want[A];
    celi_ops()->tanh(want, celi_pass_output(&t->pass) + i * 2 * A, A);
    for (int a = 0; a < A; a++) want[a] = t->shift[a] + t->scale[a] * want[a];
    OK(cel_policy_act(policy, obs + i * O, action + i * A));
    assert_memory_equal(action + i * A, want, sizeof want);
  }
  cel_policy_destroy(policy);
}

static void test_act(void **state) {
  (void)state;
  float obs[OBSERVATIONS * O], action[OBSERVATIONS * A];
  observe(obs);
  for (int k = 0; k < CASES; k++) {
    Trained t;
    create(&t, &cases[k]);
    act(&t, obs, action);
    destroy(&t);
  }
}

/// Only lists that names do not define are written.
static void test_lists(void **state) {
  (void)state;
  for (int k = 0; k < CASES; k++) {
    Trained t;
    CelModelInfo info;
    create(&t, &cases[k]);
    const char *list = strstr(t.policy, "\"layers\":");
    if (cases[k].layers == NULL) {
      assert_null(list);
    } else {
      assert_non_null(list);
      assert_int_equal(strncmp(list + 9, cases[k].layers, strlen(cases[k].layers)), 0);
    }
    OK(cel_model_info("model.safetensors", &info));
    CeliLayer layers[CELI_LAYERS_MAX];
    assert_int_equal(info.n, celi_net_layers(&t.net, layers));
    int64_t parameters = 0;
    for (int l = 0; l < t.net.n; l++)
      for (int p = 0; p < CELI_LAYER_PARAMS; p++)
        if (t.net.node[l].param[p]) parameters += celi_param_size(&t.net.node[l], p);
    assert_int_equal(info.parameters, parameters);
    if (k == SIMBA) assert_string_equal(info.layer[5].kind, "add");
    destroy(&t);
  }
}

static void test_c(void **state) {
  (void)state;
  const char *cc = tool("CELSIUS_CC", "cc");
  float obs[OBSERVATIONS * O], action[OBSERVATIONS * A];
  observe(obs);
  for (int k = 0; k < CASES; k++) {
    Trained t;
    void (*function)(const float *, float *);
    char path[80], name[80];
    create(&t, &cases[k]);
    act(&t, obs, action);
    snprintf(path, sizeof path, "./%s.so", cases[k].name);
    snprintf(name, sizeof name, "%s_act", cases[k].name);
    OK(cel_export("model.safetensors", "c", cases[k].name, NULL));
    shell("%s -std=c99 " STRICT " -O1 -fPIC -shared '%s.c' -o '%s.so' -lm", cc, cases[k].name,
          cases[k].name);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) fail_msg("%s", dlerror());
    find_function(library, name, &function, sizeof function);
    for (int i = 0; i < OBSERVATIONS; i++) {
      float got[A];
      function(obs + i * O, got);
      for (int a = 0; a < A; a++)
        if (!(fabsf(got[a] - action[i * A + a]) <= 2e-5f))
          fail_msg("%s: action %d is %.9g, not %.9g", cases[k].name, a, (double)got[a],
                   (double)action[i * A + a]);
    }
    dlclose(library);
    destroy(&t);
  }
}

/// Writes observations and actions for Python, as check_export.py reads them.
static void write_answers(const float *obs, const float *action) {
  float low[A], high[A];
  int64_t choice[OBSERVATIONS * A] = {0};
  for (int a = 0; a < A; a++) low[a] = -2, high[a] = 3;
  const struct {
    const char *name;
    CelType type;
    int64_t rows, columns;
    const void *data;
  } rows[] = {{"obs", CEL_F32, OBSERVATIONS, O, obs},
              {"noise", CEL_F32, OBSERVATIONS, A, action},
              {"action", CEL_F32, OBSERVATIONS, A, action},
              {"low", CEL_F32, A, 0, low},
              {"high", CEL_F32, A, 0, high},
              {"choice", CEL_I64, OBSERVATIONS, A, choice}};
  CelTensor list[6];
  memset(list, 0, sizeof list);
  for (int i = 0; i < 6; i++) {
    snprintf(list[i].name, sizeof list[i].name, "%s", rows[i].name);
    list[i].type = rows[i].type;
    list[i].ndim = rows[i].columns ? 2 : 1;
    list[i].shape[0] = rows[i].rows, list[i].shape[1] = rows[i].columns;
    list[i].size = rows[i].rows * (rows[i].columns ? rows[i].columns : 1);
    memcpy(&list[i].data, &rows[i].data, sizeof list[i].data);
  }
  const CelMeta meta[] = {{"kind", "squashed_gaussian"}, {"activation", "relu"}};
  OK(cel_safetensors_write_list("answers.safetensors", list, 6, meta, 2));
}

static void check_with_python(const char *format, const char *check) {
  float obs[OBSERVATIONS * O], action[OBSERVATIONS * A];
  observe(obs);
  for (int k = 0; k < CASES; k++) {
    Trained t;
    if (cases[k].layers == NULL && strcmp(check, "onnx") != 0) continue; // names: test_export.c
    create(&t, &cases[k]);
    act(&t, obs, action);
    OK(cel_export("model.safetensors", format, "exported", "net"));
    write_answers(obs, action);
    shell("'%s' '%s/deploy/check_export.py' %s exported answers.safetensors",
          tool("CELSIUS_PYTHON", "python3"), CELSIUS_TEST_DIR, check);
    destroy(&t);
  }
}

static void test_onnx(void **state) {
  (void)state;
  if (!cel_export_format(1)->available) skip();
  if (!has_python("onnxruntime, safetensors, numpy")) skip();
  check_with_python("onnx", "onnx");
}

static void test_state_dict(void **state) {
  (void)state;
  if (!has_python("safetensors, numpy")) skip();
  check_with_python("safetensors", "numpy");
}

static void test_torch_example(void **state) {
  (void)state;
  if (!has_python("torch, safetensors, numpy")) skip();
  check_with_python("safetensors", "torch");
}

/// Lists that a file must not have.
static void test_bad_lists(void **state) {
  (void)state;
  static const struct {
    const char *layers;
    CelStatus status;
    const char *says;
  } bad[] = {
      {"3", CEL_E_FORMAT, "\"layers\" must be a list"},
      {"[]", CEL_E_FORMAT, "\"layers\" is empty"},
      {"[3]", CEL_E_FORMAT, "entry 0 of \"layers\": it must be a text"},
      {"[{}]", CEL_E_FORMAT, "entry 0 of \"layers\": it must be a text"},
      {"[\"dense\",\"swish\"]", CEL_E_NAME, "entry 1 of \"layers\": unknown kind \"swish\""},
      {"[\"dropout\"]", CEL_E_NAME, "unknown kind \"dropout\""},
      {"[\"activation\"]", CEL_E_NAME, "unknown kind \"activation\""},
      {"[{\"kind\":\"layer_norm\",\"epsilon\":0}]", CEL_E_FORMAT, "\"epsilon\" must be a number"},
      {"[{\"kind\":\"layer_norm\",\"epsilon\":\"1\"}]", CEL_E_FORMAT, "\"epsilon\" must be"},
      {"[{\"kind\":\"dense\",\"epsilon\":0.1}]", CEL_E_FORMAT, "of a normalization"},
      {"[\"dense\",\"add\"]", CEL_E_FORMAT, "\"from\" must be the number of an entry"},
      {"[\"dense\",{\"kind\":\"add\",\"from\":-1}]", CEL_E_FORMAT, "\"from\" must be"},
      {"[\"dense\",{\"kind\":\"add\",\"from\":1e9}]", CEL_E_FORMAT, "\"from\" must be"},
      {"[\"dense\",\"tanh\"]", CEL_E_UNSUPPORTED, "layer 1 is tanh"},
      {"[\"relu\"]", CEL_E_UNSUPPORTED, "last layer"},
      {"[\"dense\",\"batch_norm\"]", CEL_E_FORMAT, "actor.0.batch_norm.weight"},
      {"[\"dense\",\"layer_norm\",\"layer_norm\"]", CEL_E_UNSUPPORTED, "second layer_norm"},
      {"[\"dense\",{\"kind\":\"add\",\"from\":1}]", CEL_E_RANGE, "not before it"},
      {"[\"dense\",\"layer_norm\",\"dense\",\"relu\",{\"kind\":\"add\",\"from\":0}]", CEL_E_RANGE,
       "48 and 12 outputs"},
      {"[\"relu\",{\"kind\":\"add\",\"from\":0},\"dense\",\"layer_norm\"]", CEL_E_UNSUPPORTED,
       "must be dense"},
      {"[\"dense\",\"layer_norm\",\"dense\",\"relu\",\"dense\"]", CEL_E_SHAPE, "12 outputs"},
  };
  Trained t;
  CelPolicy *policy;
  create(&t, &cases[SIMBA]);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    char text[1024];
    snprintf(
        text, sizeof text,
        "{\"kind\":\"squashed_gaussian\",\"activation\":\"relu\",\"action_dim\":3,\"layers\":%s}",
        bad[i].layers);
    write_model(&t, "bad.safetensors", text);
    FAILS(cel_policy_load("bad.safetensors", &policy), bad[i].status, bad[i].says);
  }
  // More entries than networks have, and a list that leaves tensors out.
  char *many = malloc(64 * 1024);
  int n = snprintf(many, 1024,
                   "{\"kind\":\"squashed_gaussian\",\"activation\":\"relu\",\"action_dim\":"
                   "3,\"layers\":[\"dense\"");
  for (int i = 0; i < 2 * CELI_LAYERS_MAX; i++) n += snprintf(many + n, 64, ",\"relu\"");
  snprintf(many + n, 64, "]}");
  write_model(&t, "bad.safetensors", many);
  FAILS(cel_policy_load("bad.safetensors", &policy), CEL_E_FORMAT, "more than 100 entries");
  free(many);
  destroy(&t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_act, enter_folder, leave_folder),
      cmocka_unit_test_setup_teardown(test_lists, enter_folder, leave_folder),
      cmocka_unit_test_setup_teardown(test_c, enter_folder, leave_folder),
      cmocka_unit_test_setup_teardown(test_onnx, enter_folder, leave_folder),
      cmocka_unit_test_setup_teardown(test_state_dict, enter_folder, leave_folder),
      cmocka_unit_test_setup_teardown(test_torch_example, enter_folder, leave_folder),
      cmocka_unit_test_setup_teardown(test_bad_lists, enter_folder, leave_folder),
  };
  return cmocka_run_group_tests_name("deploy/export_layers", tests, NULL, NULL);
}
