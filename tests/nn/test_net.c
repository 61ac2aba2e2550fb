/// Networks: the forward pass compared with an oracle in double, every backward pass with its
/// central differences and with PyTorch. Also the same bits for any number of threads, and invalid
/// specs.
#include "net_fixture.h"

#include "nn/optim.h"

static void check_spec_case(const CeliMlpSpec *mlp, int64_t B, bool with_dH, uint64_t seed) {
  const CeliNetSpec spec = celi_mlp_layers(mlp);
  check_layers(&spec, (CeliPassSpec){.B = B}, with_dH, seed);
}

static const int32_t widths[] = {1, 3, 17, 23, 100};

/// Every activation, with and without layer norm, depths 0 to 3, ensembles of 1 to 3. Widths vary.
static void test_gradients(void **state) {
  (void)state;
  uint64_t seed = 100;
  int turn = 0;
  for (int act = 0; act < CELI_ACTIVATIONS; act++)
    for (int norm = 0; norm < 2; norm++)
      for (int depth = 0; depth <= 3; depth++)
        for (int64_t E = 1; E <= 3; E++) {
          CeliMlpSpec spec = {.E = E,
                              .in = widths[turn % 5],
                              .out = widths[(turn / 5) % 5],
                              .activation = (CeliActivation)act,
                              .norm.kind = norm ? CELI_NORM_LAYER : CELI_NORM_NONE};
          spec.hidden.n = depth;
          for (int l = 0; l < depth; l++) spec.hidden.v[l] = widths[(turn + 2 * l + 1) % 5];
          check_spec_case(&spec, 1 + turn % 9, false, seed++);
          turn++;
        }
}

/// Only some columns of the input's gradient: in the middle, at the end, none.
static void test_input_columns(void **state) {
  (void)state;
  CeliMlpSpec spec = {.E = 2, .in = 23, .out = 1, .hidden = {2, {17, 23}}, .activation = CELI_TANH};
  static const int64_t ranges[][2] = {{17, 23}, {3, 4}, {0, 5}, {23, 23}, {0, 23}};
  for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
    spec.dx_begin = ranges[i][0], spec.dx_end = ranges[i][1];
    check_spec_case(&spec, 5, false, 40 + i);
  }
}

/// A second user of the last hidden layer.
static void test_second_reader(void **state) {
  (void)state;
  static const CeliActivation acts[] = {CELI_RELU, CELI_TANH, CELI_SILU};
  for (int i = 0; i < 6; i++) {
    CeliMlpSpec spec = {.E = 1 + i % 2,
                        .in = 3,
                        .out = 4,
                        .hidden = {2, {17, 23}},
                        .activation = acts[i % 3],
                        .norm.kind = i >= 3 ? CELI_NORM_LAYER : CELI_NORM_NONE};
    check_spec_case(&spec, 7, true, 60 + (uint64_t)i);
  }
}

static CeliMlpSpec odd_spec(void) {
  return (CeliMlpSpec){.E = 3,
                       .in = 23,
                       .out = 3,
                       .hidden = {3, {100, 17, 41}},
                       .activation = CELI_SILU,
                       .norm.kind = CELI_NORM_LAYER};
}

/// Outputs, input gradients and weight gradients for 1, 2 and 3 threads, and for so many that every
/// stage is split.
static void test_threads_same_bits(void **state) {
  (void)state;
  const CeliMlpSpec spec = odd_spec();
  static const int sizes[] = {1, 2, 3, 40};
  uint64_t expected[2] = {0, 0};
  for (int i = 0; i < 4; i++) {
    const int threads = sizes[i];
    Fixture f;
    uint64_t digest[2];
    fixture_create(&f, &spec, 301, false);
    fixture_randomize(&f, 9);
    fixture_run(&f, threads);
    cel_tensors_digest(f.tensors, (1u << CEL_GRAD) | (1u << CEL_SCRATCH), digest);
    if (threads == 1) memcpy(expected, digest, sizeof digest);
    assert_memory_equal(digest, expected, sizeof digest);
    cel_tensors_destroy(f.tensors);
  }
}

/// A pass that keeps the rows of each thread apart gives the same outputs, input gradients and
/// weight gradients.
static void test_layout_by_thread_same_bits(void **state) {
  (void)state;
  for (int norm = 0; norm < 2; norm++)
    for (int64_t E = 1; E <= 3; E += 2)
      for (int shares = 2; shares <= 40; shares += shares < 5 ? 1 : 35) {
        CeliMlpSpec spec = odd_spec();
        spec.E = E, spec.norm.kind = norm ? CELI_NORM_LAYER : CELI_NORM_NONE;
        Fixture whole, apart;
        fixture_create(&whole, &spec, 301, true);
        fixture_create_threads(&apart, &spec, 301, true, shares);
        fixture_randomize(&whole, 9);
        fixture_randomize(&apart, 9);
        fixture_run(&whole, 1);
        fixture_run(&apart, shares);
        const int64_t out = E * 301 * whole.net.out;
        assert_same_bits("output", celi_pass_output(&apart.pass), celi_pass_output(&whole.pass),
                         (size_t)out * sizeof(float));
        assert_same_bits("input's gradient", apart.dX, whole.dX,
                         (size_t)(301 * (whole.C + 1)) * sizeof(float));
        uint64_t digest[2][2];
        cel_tensors_digest(whole.tensors, 1u << CEL_GRAD, digest[0]);
        cel_tensors_digest(apart.tensors, 1u << CEL_GRAD, digest[1]);
        assert_memory_equal(digest[0], digest[1], sizeof digest[0]);
        cel_tensors_destroy(whole.tensors);
        cel_tensors_destroy(apart.tensors);
      }
}

/// Passes whose hidden layers keep only the current block of rows give the same output and input
/// gradient as passes that keep all rows.
static void test_block_pass_same_bits(void **state) {
  (void)state;
  enum { B = 801 };
  for (int64_t E = 1; E <= 3; E++)
    for (int shares = 1; shares <= 3; shares++) {
      CeliMlpSpec spec = odd_spec();
      spec.E = E, spec.norm.kind = shares == 2 ? CELI_NORM_LAYER : CELI_NORM_NONE;
      Fixture f;
      fixture_create(&f, &spec, B, true);
      fixture_randomize(&f, 9);
      fixture_run(&f, 1);
      CelTensors *tensors;
      CeliPass pass;
      CeliPlan *plan;
      const size_t out = (size_t)(E * B * f.net.out) * sizeof(float),
                   in = (size_t)(B * (f.C + 1)) * sizeof(float);
      float *dX = zeroed(1, in);
      int64_t begin;
      wanted_columns(&f.net, &begin);
      assert_ok(cel_tensors_create(&tensors));
      assert_ok(celi_pass_declare(
          &pass, tensors, "in hand", &f.net,
          (CeliPassSpec){.B = B, .backward = true, .threads = shares, .blockwise = true}));
      assert_ok(cel_tensors_allocate(tensors));
      if (shares == 1) assert_true(cel_tensors_bytes(tensors) < cel_tensors_bytes(f.tensors) / 2);
      pass.X = f.X, pass.ldx = f.pass.ldx, pass.dH = f.pass.dH;
      memcpy(celi_pass_d_output(&pass), celi_pass_d_output(&f.pass), out);
      assert_ok(celi_plan_create(&plan));
      celi_net_plan_input_gradient(plan, &pass, dX, f.C + 1, begin, begin + f.C);
      assert_ok(celi_plan_end(plan));
      run_plan(plan, shares);
      assert_same_bits("output", celi_pass_output(&pass), celi_pass_output(&f.pass), out);
      assert_same_bits("input's gradient", dX, f.dX, in);
      celi_plan_destroy(plan);
      cel_tensors_destroy(tensors);
      cel_tensors_destroy(f.tensors);
      free(dX);
    }
}

/// A forward pass gives the same bits for a row in any range of rows.
static void test_rows_same_bits(void **state) {
  (void)state;
  const CeliMlpSpec spec = odd_spec();
  Fixture f;
  fixture_create(&f, &spec, 301, false);
  fixture_randomize(&f, 9);
  const size_t bytes = (size_t)(3 * 301 * 3) * sizeof(float);
  float *Y = celi_pass_output(&f.pass), *whole = zeroed(1, bytes);
  celi_net_forward(&f.pass, 0, 301);
  memcpy(whole, Y, bytes);
  memset(Y, 0, bytes);
  for (int64_t at = 0, step = 1; at < 301; at += step, step = step % 37 + 5)
    celi_net_forward(&f.pass, at, at + step < 301 ? at + step : 301);
  assert_same_bits("forward in pieces", Y, whole, bytes);
  free(whole);
  cel_tensors_destroy(f.tensors);
}

/// A pass without backward keeps less memory and gives the same output.
static void test_forward_only(void **state) {
  (void)state;
  for (int norm = 0; norm < 2; norm++) {
    CeliMlpSpec spec = odd_spec();
    spec.norm.kind = norm ? CELI_NORM_LAYER : CELI_NORM_NONE;
    Fixture f;
    CelTensors *tensors;
    CeliPass lean;
    fixture_create(&f, &spec, 301, false);
    fixture_randomize(&f, 9);
    assert_ok(cel_tensors_create(&tensors));
    assert_ok(celi_pass_declare(&lean, tensors, "lean", &f.net,
                                (CeliPassSpec){.B = 301, .threads = 1 + norm}));
    assert_ok(cel_tensors_allocate(tensors));
    lean.X = f.X, lean.ldx = f.pass.ldx;
    CeliPlan *plan;
    assert_ok(celi_plan_create(&plan));
    celi_net_plan_forward(plan, &lean);
    celi_net_plan_forward(plan, &f.pass);
    assert_ok(celi_plan_end(plan));
    run_plan(plan, 1 + norm);
    celi_plan_destroy(plan);
    assert_same_bits("output", celi_pass_output(&lean), celi_pass_output(&f.pass),
                     3 * 301 * 3 * sizeof(float));
    if (!norm)
      assert_same_bits("last hidden layer of the last member", celi_pass_latent(&lean),
                       celi_pass_latent(&f.pass) + 2 * 301 * 41, 301 * 41 * sizeof(float));
    cel_tensors_destroy(tensors);
    cel_tensors_destroy(f.tensors);
  }
}

/// A NaN in the inputs reaches the outputs of its row, and every weight gradient of the first layer
/// that depends on it. Outputs of other rows are not affected.
static void test_nan_propagates(void **state) {
  (void)state;
  static const CeliActivation acts[] = {CELI_RELU, CELI_TANH, CELI_SILU, CELI_GELU,
                                        CELI_LEAKY_RELU};
  for (int i = 0; i < 10; i++) {
    CeliMlpSpec spec = {.E = 2,
                        .in = 5,
                        .out = 3,
                        .hidden = {2, {17, 9}},
                        .activation = acts[i % 5],
                        .norm.kind = i >= 5 ? CELI_NORM_LAYER : CELI_NORM_NONE};
    Fixture f;
    fixture_create(&f, &spec, 8, false);
    fixture_randomize(&f, 77);
    f.X[3 * f.pass.ldx + 2] = NAN;
    fixture_run(&f, 1);
    for (int64_t r = 0; r < 2 * 8 * 3; r++)
      assert_true(isnan(celi_pass_output(&f.pass)[r]) == (r / 3 % 8 == 3));
    for (int64_t k = 0; k < 2 * 9 * 3; k++) assert_true(isnan(f.grad.param[f.net.n - 1][0][k]));
    cel_tensors_destroy(f.tensors);
  }
}

static void test_bad_specs(void **state) {
  (void)state;
  CelTensors *tensors;
  CeliNet net;
  CeliPass pass;
  const CeliMlpSpec good = {.E = 1, .in = 3, .out = 2, .hidden = {1, {4}}};
  assert_ok(cel_tensors_create(&tensors));
  CeliMlpSpec bad = good;
  bad.E = 0;
  assert_fails(celi_mlp_declare(&net, tensors, "n", CEL_PARAM, &bad), CEL_E_RANGE, "0 members");
  bad = good, bad.in = 0;
  assert_fails(celi_mlp_declare(&net, tensors, "n", CEL_PARAM, &bad), CEL_E_RANGE, "0 inputs");
  bad = good, bad.out = -1;
  assert_fails(celi_mlp_declare(&net, tensors, "n", CEL_PARAM, &bad), CEL_E_RANGE,
               "layer 2 (dense) has -1 outputs");
  bad = good, bad.hidden.v[0] = 0;
  assert_fails(celi_mlp_declare(&net, tensors, "n", CEL_PARAM, &bad), CEL_E_RANGE,
               "layer 0 (dense) has 0 outputs");
  bad = good, bad.hidden.n = 17;
  assert_fails(celi_mlp_declare(&net, tensors, "n", CEL_PARAM, &bad), CEL_E_RANGE,
               "17 hidden layers");
  bad = good, bad.dx_begin = 2, bad.dx_end = 4;
  assert_fails(celi_mlp_declare(&net, tensors, "n", CEL_PARAM, &bad), CEL_E_RANGE,
               "columns 2 to 4");
  char name[CEL_NAME_MAX];
  memset(name, 'a', sizeof name);
  name[sizeof name - 1] = 0;
  assert_fails(celi_mlp_declare(&net, tensors, name, CEL_PARAM, &good), CEL_E_NAME, "longer");
  assert_ok(celi_mlp_declare(&net, tensors, "n", CEL_PARAM, &good));
  assert_fails(
      celi_pass_declare(&pass, tensors, "p", &net, (CeliPassSpec){.B = 0, .backward = true}),
      CEL_E_RANGE, "0 rows");
  cel_tensors_destroy(tensors);
}

/// One network of the golden file: output, and all gradients of mean((Y - T)^2).
static void check_golden(void **state, const char *name, CeliActivation act, bool norm,
                         CelIntList hidden) {
  const CelTensor *x = golden(state, CEL_F64, "mlp.%s.x", name);
  const CelTensor *y = golden(state, CEL_F64, "mlp.%s.y", name);
  const int64_t E = y->shape[0], B = x->shape[0];
  const CeliMlpSpec spec = {.E = E,
                            .in = x->shape[1],
                            .out = y->shape[2],
                            .hidden = hidden,
                            .activation = act,
                            .norm.kind = norm ? CELI_NORM_LAYER : CELI_NORM_NONE};
  Fixture f;
  fixture_create(&f, &spec, B, false);
  f.pass.ldx = spec.in;
  golden_copy(f.X, x->size, x);
  golden_copy(celi_pass_d_output(&f.pass), y->size, golden(state, CEL_F64, "mlp.%s.dy", name));
  for (int64_t i = 0; i < cel_tensors_count(f.tensors); i++) {
    const CelTensor *t = cel_tensors_at(f.tensors, i);
    if (t->role == CEL_PARAM)
      golden_copy(t->data, t->size, golden(state, CEL_F64, "mlp.%s.%s", name, t->name));
  }
  celi_net_transpose(&f.net);
  fixture_run(&f, 2);
  assert_golden(celi_pass_output(&f.pass), y->size, y, 1e-6);
  for (int64_t i = 0; i < cel_tensors_count(f.tensors); i++) {
    const CelTensor *t = cel_tensors_at(f.tensors, i);
    if (t->role == CEL_GRAD)
      assert_golden(t->data, t->size, golden(state, CEL_F64, "mlp.%s.%s", name, t->name), 1e-5);
  }
  const CelTensor *dx = golden(state, CEL_F64, "mlp.%s.dx", name);
  for (int64_t b = 0; b < B; b++)
    memmove(f.dX + b * spec.in, f.dX + b * (f.C + 1), (size_t)spec.in * sizeof(float));
  assert_golden(f.dX, dx->size, dx, 1e-5);
  cel_tensors_destroy(f.tensors);
}

static void test_golden(void **state) {
  check_golden(state, "relu", CELI_RELU, false, (CelIntList){2, {17, 23}});
  check_golden(state, "tanh", CELI_TANH, false, (CelIntList){1, {23}});
  check_golden(state, "silu", CELI_SILU, false, (CelIntList){3, {5, 17, 9}});
  check_golden(state, "relu_norm", CELI_RELU, true, (CelIntList){2, {17, 23}});
  check_golden(state, "silu_norm", CELI_SILU, true, (CelIntList){2, {9, 17}});
  check_golden(state, "linear", CELI_RELU, false, (CelIntList){0, {0}});
}

/// Five steps of clipped AdamW on a network, compared with PyTorch.
static void test_golden_training(void **state) {
  const CelTensor *x = golden(state, CEL_F64, "train.x");
  const CelTensor *target = golden(state, CEL_F64, "train.target");
  const CeliMlpSpec spec = {
      .E = 1, .in = 4, .out = 2, .hidden = {2, {16, 16}}, .activation = CELI_TANH};
  const CeliAdamConfig config = {.learning_rate = 1e-2,
                                 .beta1 = 0.9,
                                 .beta2 = 0.999,
                                 .epsilon = 1e-8,
                                 .weight_decay = 0.05,
                                 .max_grad_norm = 0.5};
  const int64_t B = x->shape[0];
  CelTensors *tensors;
  CeliNet net;
  CeliNetGrad grad;
  CeliPass pass;
  CeliAdam adam;
  CeliPlan *plan;
  assert_ok(cel_tensors_create(&tensors));
  assert_ok(celi_mlp_declare(&net, tensors, "net", CEL_PARAM, &spec));
  assert_ok(celi_net_declare_grad(&grad, tensors, "net", CEL_GRAD, &net));
  assert_ok(celi_net_declare_grad(NULL, tensors, "net", CEL_MOMENT1, &net));
  assert_ok(celi_net_declare_grad(NULL, tensors, "net", CEL_MOMENT2, &net));
  assert_ok(
      celi_pass_declare(&pass, tensors, "pass", &net, (CeliPassSpec){.B = B, .backward = true}));
  assert_ok(celi_adam_declare(&adam, tensors, "adam"));
  assert_ok(cel_tensors_allocate(tensors));
  assert_ok(celi_adam_bind(&adam, tensors, "net.0.weight", "net.2.bias", &config));
  float *X = zeroed((size_t)x->size, sizeof *X);
  golden_copy(X, x->size, x);
  pass.X = X, pass.ldx = 4;
  for (int64_t i = 0; i < cel_tensors_count(tensors); i++) {
    const CelTensor *t = cel_tensors_at(tensors, i);
    if (t->role == CEL_PARAM)
      golden_copy(t->data, t->size, golden(state, CEL_F64, "train.before.%s", t->name));
  }
  celi_net_transpose(&net);
  assert_ok(celi_plan_create(&plan));
  celi_net_plan_backward_data(plan, &pass, NULL, 0);
  celi_net_plan_backward_weight(plan, &pass, &grad);
  celi_adam_plan(plan, &adam);
  celi_net_plan_transpose(plan, &net);
  assert_ok(celi_plan_end(plan));
  for (int step = 0; step < 5; step++) {
    celi_net_forward(&pass, 0, B);
    for (int64_t i = 0; i < target->size; i++) // d mean((Y - T)^2)
      celi_pass_d_output(&pass)[i] =
          (float)(2 * ((double)celi_pass_output(&pass)[i] - ((const double *)target->data)[i]) /
                  (double)target->size);
    run_plan(plan, 2);
  }
  for (int64_t i = 0; i < cel_tensors_count(tensors); i++) {
    const CelTensor *t = cel_tensors_at(tensors, i);
    if (t->role == CEL_PARAM)
      assert_golden(t->data, t->size, golden(state, CEL_F64, "train.after.%s", t->name), 1e-5);
  }
  celi_plan_destroy(plan);
  free(X);
  cel_tensors_destroy(tensors);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_gradients),
      cmocka_unit_test(test_input_columns),
      cmocka_unit_test(test_second_reader),
      cmocka_unit_test(test_threads_same_bits),
      cmocka_unit_test(test_block_pass_same_bits),
      cmocka_unit_test(test_layout_by_thread_same_bits),
      cmocka_unit_test(test_rows_same_bits),
      cmocka_unit_test(test_forward_only),
      cmocka_unit_test(test_nan_propagates),
      cmocka_unit_test(test_bad_specs),
      cmocka_unit_test(test_golden),
      cmocka_unit_test(test_golden_training),
  };
  return cmocka_run_group_tests_name("nn/net", tests, golden_open, golden_close);
}
