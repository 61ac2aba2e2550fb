/// Exports, each used with its target: the C source with a C and a C++ compiler, the ONNX graph
/// with onnxruntime, the state dict with Python.
#include "deploy/export_tools.h"
#include "deploy/model_cases.h"

#include <sys/stat.h>

enum { OBSERVATIONS = 64 };

/// Discrete actions and bits: against the policy, and against the reference if it can decide.
static void check_c_choices(const ModelData *m, CelPolicy *policy, void *library,
                            const char *name) {
  const ModelCase *c = m->shape;
  void (*act)(const float *, int *);
  int (*choose)(const float *);
  CelRng rng = cel_rng(1, CEL_RNG_USER, 5);
  int sure = 0;
  find_function(library, name, &act, sizeof act);
  find_function(library, name, &choose, sizeof choose);
  for (int i = 0; i < OBSERVATIONS; i++) {
    float obs[32];
    int32_t row[8];
    int got[8], want[8], expected[8];
    fill_random(obs, c->O, &rng, -3, 3);
    if (c->kind == CELI_CATEGORICAL)
      got[0] = choose(obs);
    else
      act(obs, got);
    OK(cel_policy_act(policy, obs, row));
    model_row(c, row, want);
    reference_choices(m, obs, expected);
    for (int64_t k = 0; k < model_numbers(c); k++) {
      if (expected[k] < 0) continue;
      sure++;
      if (got[k] != expected[k] || want[k] != expected[k])
        fail_msg("%s, number %d: %d, the policy's %d, not %d", c->name, (int)k, got[k], want[k],
                 expected[k]);
    }
  }
  assert_true(sure > OBSERVATIONS * model_numbers(c) / 2);
}

static void check_c(const ModelData *m, CelPolicy *policy, void *library) {
  const ModelCase *c = m->shape;
  void (*act)(const float *, float *);
  void (*sample)(const float *, const float *, float *);
  char name[80];
  snprintf(name, sizeof name, "%s_act", c->name);
  if (model_discrete(c)) {
    check_c_choices(m, policy, library, name);
    return;
  }
  find_function(library, name, &act, sizeof act);
  find_function(library, name, &sample, sizeof sample);
  CelRng rng = cel_rng(1, CEL_RNG_USER, 5);
  for (int i = 0; i < OBSERVATIONS; i++) {
    float obs[32], noise[16], want[16], got[16];
    fill_random(obs, c->O, &rng, -3, 3);
    fill_random(noise, 16, &rng, -2, 2);
    if (c->sampler) {
      OK(cel_policy_sample_noise(policy, obs, noise, want));
      sample(obs, noise, got);
    } else {
      OK(cel_policy_act(policy, obs, want));
      act(obs, got);
    }
    for (int64_t a = 0; a < c->A; a++)
      if (!(fabsf(got[a] - want[a]) <= 1e-5f))
        fail_msg("%s, action %d: %.9g, not %.9g", c->name, (int)a, (double)got[a], (double)want[a]);
  }
}

static void test_c(void **state) {
  (void)state;
  const char *cc = tool("CELSIUS_CC", "cc"), *cxx = tool("CELSIUS_CXX", "");
  for (int k = 0; k < MODEL_CASES; k++) {
    const char *name = model_cases[k].name;
    char out[64];
    ModelData m = model_create(&model_cases[k], "model.safetensors", (uint64_t)k);
    CelPolicy *policy;
    OK(cel_policy_load("model.safetensors", &policy));
    snprintf(out, sizeof out, "%s%s", name, k % 3 == 0 ? ".c" : k % 3 == 1 ? ".h" : "");
    OK(cel_export("model.safetensors", "c", out, NULL));
    shell("%s -std=c99 " STRICT " -O1 -fPIC -shared '%s.c' -o '%s.so' -lm", cc, name, name);
    if (cxx[0]) {
      shell("%s -x c++ " STRICT " -c '%s.c' -o '%s.o'", cxx, name, name);
      shell("%s -x c++ -std=c++98 " STRICT " -c '%s.c' -o '%s.o'", cxx, name, name);
    }
    char path[128];
    snprintf(path, sizeof path, "./%s.so", name);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) fail_msg("%s", dlerror());
    check_c(&m, policy, library);
    dlclose(library);
    cel_policy_destroy(policy);
    model_destroy(&m);
  }
}

/// The object exports only one function, and it calls only functions of the math library.
static void test_c_symbols(void **state) {
  (void)state;
  ModelData m = model_create(&model_cases[2], "model.safetensors", 3);
  OK(cel_export("model.safetensors", "c", "robot-arm.c", "Arm2"));
  const char *cc = tool("CELSIUS_CC", "cc");
  shell("%s -std=c99 -c -O0 robot-arm.c -o arm.o && $(%s -print-prog-name=nm) arm.o | "
        "grep -v ' [a-zN] ' | sed 's/.* \\([A-Z]\\) /\\1 /' | sort -u | "
        "grep -v _GLOBAL_OFFSET_TABLE_ >symbols",
        cc, cc);
  char *symbols = read_text("symbols");
  assert_string_equal(symbols, "T Arm2_act\nU expf\nU sqrtf\nU tanhf\n");
  free(symbols);
  char *header = read_text("robot-arm.h");
  assert_non_null(
      strstr(header, "void Arm2_act(const float obs[ARM2_OBS], float action[ARM2_ACTION]);"));
  assert_non_null(strstr(header, "action[1] is in [-1.5f, 2.25f]"));
  free(header);
  model_destroy(&m);
}

/// Text in the metadata of a model file cannot become code.
static void test_c_metadata_is_text(void **state) {
  (void)state;
  ModelData m = model_create(&model_cases[0], "model.safetensors", 3);
  CelSafetensors *file;
  OK(cel_safetensors_open("model.safetensors", &file));
  CelTensor list[32];
  const int64_t n = cel_safetensors_count(file);
  for (int64_t i = 0; i < n; i++) list[i] = *cel_safetensors_at(file, i);
  const CelMeta meta[] = {{"format", CELI_MODEL_FORMAT},
                          {"version", "*/ int injected;\n/*"},
                          {"algo", "a\n#error */"},
                          {"observation", cel_safetensors_meta(file, "observation")},
                          {"action", cel_safetensors_meta(file, "action")},
                          {"policy", cel_safetensors_meta(file, "policy")}};
  OK(cel_safetensors_write_list("evil.safetensors", list, n, meta, 6));
  cel_safetensors_close(file);
  OK(cel_export("evil.safetensors", "c", "evil", NULL));
  char *source = read_text("evil.c");
  assert_null(strstr(source, "int injected"));
  assert_null(strstr(source, "#error"));
  free(source);
  shell("%s -std=c99 " STRICT " -c evil.c", tool("CELSIUS_CC", "cc"));
  model_destroy(&m);
}

/// Extreme numbers keep their bits.
static void test_c_literals(void **state) {
  (void)state;
  static const ModelCase one = {
      .name = "one", .kind = CELI_GAUSSIAN, .activation = CELI_IDENTITY, .O = 1, .A = 8};
  static const float values[8] = {0.1f,     -0.0f,   3, 1e-45f, 3.4028235e38f, -1.17549435e-38f,
                                  1.0f / 3, 16777215};
  ModelData m = model_create(&one, NULL, 1);
  memcpy(m.b[0], values, sizeof values);
  const CeliPolicySpec spec = {.kind = CELI_GAUSSIAN, .activation = CELI_IDENTITY, .A = 8};
  char *observation, *action, *policy;
  OK(celi_space_to_json(&m.observation, &observation));
  OK(celi_space_to_json(&m.action, &action));
  OK(celi_policy_to_json(&spec, &policy));
  const CelMeta meta[] = {{"format", CELI_MODEL_FORMAT}, {"version", "1"},   {"algo", "sac"},
                          {"observation", observation},  {"action", action}, {"policy", policy}};
  OK(cel_safetensors_write("one.safetensors", m.tensors, CEL_ROLES_MODEL, meta, 6));
  OK(cel_export("one.safetensors", "c", "one", NULL));
  FILE *probe = fopen("probe.c", "w");
  fputs("#include \"one.c\"\nconst float *bias(void);\nconst float *bias(void) { return one_bias0; "
        "}\n",
        probe);
  fclose(probe);
  shell("%s -std=c99 -fPIC -shared probe.c -o probe.so -lm", tool("CELSIUS_CC", "cc"));
  void *library = dlopen("./probe.so", RTLD_NOW | RTLD_LOCAL);
  if (!library) fail_msg("%s", dlerror());
  const float *(*bias)(void);
  find_function(library, "bias", &bias, sizeof bias);
  assert_memory_equal(bias(), values, sizeof values);
  dlclose(library);
  free(observation), free(action), free(policy);
  model_destroy(&m);
}

/// Writes observations and the policy's actions for Python.
static void write_answers(const ModelData *m, const char *path) {
  const ModelCase *c = m->shape;
  CelTensors *tensors;
  float *obs, *noise, *action;
  int64_t *choice;
  const int64_t obs_shape[2] = {OBSERVATIONS, c->O}, action_shape[2] = {OBSERVATIONS, c->A},
                choice_shape[2] = {OBSERVATIONS, model_numbers(c)};
  OK(cel_tensors_create(&tensors));
  OK(cel_tensors_declare(tensors, "obs", CEL_F32, CEL_STATE, &obs, 2, obs_shape));
  OK(cel_tensors_declare(tensors, "noise", CEL_F32, CEL_STATE, &noise, 2, action_shape));
  OK(cel_tensors_declare(tensors, "action", CEL_F32, CEL_STATE, &action, 2, action_shape));
  float *bound[2];
  for (int k = 0; k < 2; k++)
    OK(cel_tensors_declare(tensors, k ? "high" : "low", CEL_F32, CEL_STATE, &bound[k], 1, &c->A));
  OK(cel_tensors_declare(tensors, "choice", CEL_I64, CEL_STATE, &choice,
                         c->kind == CELI_CATEGORICAL ? 1 : 2, choice_shape));
  OK(cel_tensors_allocate(tensors));
  for (int64_t a = 0; !model_discrete(c) && a < c->A; a++)
    bound[0][a] = m->action.part[0].low[a], bound[1][a] = m->action.part[0].high[a];
  CelRng rng = cel_rng(2, CEL_RNG_USER, 6);
  fill_random(obs, OBSERVATIONS * c->O, &rng, -3, 3);
  fill_random(noise, OBSERVATIONS * c->A, &rng, -2, 2);
  CelPolicy *policy;
  OK(cel_policy_load("model.safetensors", &policy));
  for (int i = 0; i < OBSERVATIONS; i++) {
    int32_t row[8];
    int chosen[8], expected[8];
    if (c->sampler) {
      OK(cel_policy_sample_noise(policy, obs + i * c->O, noise + i * c->A, action + i * c->A));
      continue;
    }
    if (!model_discrete(c)) {
      OK(cel_policy_act(policy, obs + i * c->O, action + i * c->A));
      continue;
    }
    OK(cel_policy_act(policy, obs + i * c->O, row));
    model_row(c, row, chosen);
    reference_choices(m, obs + i * c->O, expected);
    for (int64_t k = 0; k < model_numbers(c); k++)
      choice[i * model_numbers(c) + k] = expected[k] < 0 ? -1 : chosen[k];
  }
  const char *const kinds[] = {"gaussian", "squashed_gaussian", "categorical", "multi_categorical",
                               "bernoulli"};
  const char *const activations[] = {"identity", "relu", "tanh", "silu", "gelu", "leaky_relu"};
  const char *fixed = c->kind == CELI_CATEGORICAL ? "greedy" : "deterministic";
  const char *kind = c->sampler ? "sampler" : c->deterministic ? fixed : kinds[c->kind];
  const CelMeta meta[] = {{"kind", kind}, {"activation", activations[c->activation]}};
  OK(cel_safetensors_write(path, tensors, 1u << CEL_STATE, meta, 2));
  cel_policy_destroy(policy);
  cel_tensors_destroy(tensors);
}

static void need_python(const char *modules) {
  if (!has_python(modules)) skip();
}

static void check_with_python(const char *format, const char *check) {
  for (int k = 0; k < MODEL_CASES; k++) {
    ModelData m = model_create(&model_cases[k], "model.safetensors", (uint64_t)k);
    OK(cel_export("model.safetensors", format, "exported", "net"));
    write_answers(&m, "answers.safetensors");
    shell("'%s' '%s/deploy/check_export.py' %s exported answers.safetensors",
          tool("CELSIUS_PYTHON", "python3"), CELSIUS_TEST_DIR, check);
    model_destroy(&m);
  }
}

/// Shift and scale map +-1 to values outside of these bounds, so every export must clip.
static void test_bounds(void **state) {
  (void)state;
  static const double low[] = {-1.7, 0.1, -1e6}, high[] = {3.1, 0.7, 0.3};
  const ModelCase *c = &model_cases[2];
  model_low = low, model_high = high, model_gain = 1e3;
  ModelData m = model_create(c, "model.safetensors", 5);
  model_low = model_high = NULL, model_gain = 1;
  const CelSpacePart *part = &m.action.part[0];
  int beyond = 0;
  for (int64_t a = 0; a < c->A; a++)
    beyond += m.action_shift[a] + m.action_scale[a] > part->high[a] ||
              m.action_shift[a] - m.action_scale[a] < part->low[a];
  assert_true(beyond > 0); // else the test shows nothing
  OK(cel_export("model.safetensors", "c", "edge", NULL));
  shell("%s -std=c99 " STRICT " -O1 -fPIC -shared edge.c -o edge.so -lm", tool("CELSIUS_CC", "cc"));
  void *library = dlopen("./edge.so", RTLD_NOW | RTLD_LOCAL);
  if (!library) fail_msg("%s", dlerror());
  void (*act)(const float *, float *);
  find_function(library, "edge_act", &act, sizeof act);
  CelRng rng = cel_rng(1, CEL_RNG_USER, 5);
  for (int i = 0; i < 500; i++) {
    float obs[32], got[16];
    fill_random(obs, c->O, &rng, -3, 3);
    act(obs, got);
    for (int64_t a = 0; a < c->A; a++)
      if (!(got[a] >= part->low[a] && got[a] <= part->high[a]))
        fail_msg("action %d: %.9g is outside of [%.9g, %.9g]", (int)a, (double)got[a],
                 (double)part->low[a], (double)part->high[a]);
  }
  dlclose(library);
  if (cel_export_format(1)->available) {
    need_python("onnxruntime, safetensors, numpy");
    OK(cel_export("model.safetensors", "onnx", "exported", "net"));
    write_answers(&m, "answers.safetensors");
    shell("'%s' '%s/deploy/check_export.py' onnx exported answers.safetensors",
          tool("CELSIUS_PYTHON", "python3"), CELSIUS_TEST_DIR);
  }
  model_destroy(&m);
}

static void test_onnx(void **state) {
  (void)state;
  if (!cel_export_format(1)->available) {
    ModelData m = model_create(&model_cases[0], "model.safetensors", 1);
    FAILS(cel_export("model.safetensors", "onnx", "x.onnx", NULL), CEL_E_UNSUPPORTED, "protobuf-c");
    model_destroy(&m);
    return;
  }
  need_python("onnxruntime, safetensors, numpy");
  check_with_python("onnx", "onnx");
}

static void test_state_dict(void **state) {
  (void)state;
  need_python("safetensors, numpy");
  check_with_python("safetensors", "numpy");
}

/// The module of examples/torch loads the export with strict=True.
static void test_torch_example(void **state) {
  (void)state;
  need_python("torch, safetensors, numpy");
  check_with_python("safetensors", "torch");
}

static void test_formats(void **state) {
  (void)state;
  assert_string_equal(cel_export_format(0)->name, "c");
  assert_string_equal(cel_export_format(1)->name, "onnx");
  assert_string_equal(cel_export_format(2)->name, "safetensors");
  assert_null(cel_export_format(3));
  assert_null(cel_export_format(-1));
}

static void test_bad_input(void **state) {
  (void)state;
  ModelData m = model_create(&model_cases[0], "model.safetensors", 1);
  FAILS(cel_export("model.safetensors", "onx", "out", NULL), CEL_E_NAME, "\"onnx\"");
  FAILS(cel_export("model.safetensors", "java", "out", NULL), CEL_E_NAME,
        "c, onnx and safetensors");
  FAILS(cel_export("model.safetensors", "c", "out", "2fast"), CEL_E_NAME, "2fast");
  FAILS(cel_export("model.safetensors", "c", "out", "a b"), CEL_E_NAME, "a b");
  FAILS(cel_export("model.safetensors", "c", "out", ""), CEL_E_NAME, "letter");
  FAILS(cel_export("model.safetensors", "c", "", NULL), CEL_E_ARGUMENT, "file");
  FAILS(cel_export("model.safetensors", "c", "no/such/folder/out.c", NULL), CEL_E_IO,
        "no/such/folder");
  FAILS(cel_export("model.safetensors", "safetensors", "no/out", NULL), CEL_E_IO, "no/out");
  if (cel_export_format(1)->available)
    FAILS(cel_export("model.safetensors", "onnx", "no/out.onnx", NULL), CEL_E_IO, "no/out.onnx");
  FAILS(cel_export("missing.safetensors", "c", "out", NULL), CEL_E_IO, "missing.safetensors");
  OK(cel_export("model.safetensors", "safetensors", "dict.safetensors", NULL));
  FAILS(cel_export("dict.safetensors", "c", "out", NULL), CEL_E_FORMAT, "not a model");
  assert_int_not_equal(access("out.c", F_OK), 0);
  // A file name that is not a C name is converted to one.
  assert_int_equal(mkdir("run", 0700), 0);
  OK(cel_export("model.safetensors", "c", "run/3-legs v2.c", NULL));
  char *header = read_text("run/3-legs v2.h");
  assert_non_null(strstr(header, "policy_3_legs_v2_act("));
  free(header);
  model_destroy(&m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_c, enter_folder, leave_folder),
      cmocka_unit_test_setup_teardown(test_c_symbols, enter_folder, leave_folder),
      cmocka_unit_test_setup_teardown(test_c_metadata_is_text, enter_folder, leave_folder),
      cmocka_unit_test_setup_teardown(test_c_literals, enter_folder, leave_folder),
      cmocka_unit_test_setup_teardown(test_bounds, enter_folder, leave_folder),
      cmocka_unit_test_setup_teardown(test_onnx, enter_folder, leave_folder),
      cmocka_unit_test_setup_teardown(test_state_dict, enter_folder, leave_folder),
      cmocka_unit_test_setup_teardown(test_torch_example, enter_folder, leave_folder),
      cmocka_unit_test_setup_teardown(test_formats, enter_folder, leave_folder),
      cmocka_unit_test_setup_teardown(test_bad_input, enter_folder, leave_folder),
  };
  return cmocka_run_group_tests_name("deploy/export", tests, NULL, NULL);
}
