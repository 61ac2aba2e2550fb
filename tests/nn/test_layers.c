/// Kinds of layers in all orders: outputs and gradients against an oracle in double and against
/// PyTorch, batch norm's running statistics, the same bits for any number of threads.
#include "net_fixture.h"
#include "support/shadow.h"

/// Layers by letter: a digit is a dense layer of that width (times 5). B is batch norm, C batch
/// norm with other settings, R batch renorm, W batch renorm that is warming up, L layer norm, M RMS
/// norm, d dropout. r is ReLU, t tanh, s SiLU, g GELU, l leaky ReLU. A residual sum at ")" adds
/// what came before the "(".
static CeliNetSpec spec_of(const char *text, int64_t E, int64_t in) {
  CeliNetSpec spec = {.E = E, .in = in, .init = CELI_ORTHOGONAL};
  int from = 0;
  for (const char *c = text; *c; c++) {
    static const char acts[] = "irtsgl";
    if (*c >= '1' && *c <= '9')
      spec.layer[spec.n++] = celi_layer_dense(5 * (*c - '0'), 0);
    else if (*c == 'B' || *c == 'L')
      spec.layer[spec.n++] =
          celi_layer_normalization(*c == 'B' ? &celi_batch_norm : &celi_layer_norm);
    else if (*c == 'd')
      spec.layer[spec.n++] = (CeliLayer){.kind = &celi_dropout, .rate = 0.3};
    else if (*c == '(')
      from = spec.n - 1;
    else if (*c == ')')
      spec.layer[spec.n++] = celi_layer_add(from);
    else if (*c == 'M')
      spec.layer[spec.n++] = celi_layer_normalization(&celi_rms_norm);
    else if (*c == 'C')
      spec.layer[spec.n++] =
          (CeliLayer){.kind = &celi_batch_norm, .epsilon = 1e-3, .momentum = 0.01};
    else if (*c == 'R' || *c == 'W')
      spec.layer[spec.n++] = (CeliLayer){.kind = &celi_batch_renorm, .warmup = *c == 'R' ? -1 : 2};
    else
      spec.layer[spec.n++] = celi_layer_activation((CeliActivation)(strchr(acts, *c) - acts));
  }
  return spec;
}

static void test_gradients(void **state) {
  (void)state;
  static const char *const lists[] = {
      "3Br1",       "B3Bs2",      "B1",       "3g2",      "3l2",    "3tL1",
      "3LrB2s1",    "s3t1",       "3rs1",     "L3B1",     "2B3L1",  "3Bi1",
      "B3LgB1",     "3gB",        "t2B",      "3sL",      "C3rC1",  "R3rR1",
      "W3W1",       "3RgB",       "3Mr1",     "M3gM1",    "3tM",    "2(L8r2)(L8r2)L1",
      "2r(B3g2)r1", "2(R3s2)sB1", "3(t3)1",   "2s(M2)s1", "1(3t1)", "2(s2)1",
      "2s()t1",     "3dLr1",      "d9ds3dB1", "3(d3s)1"};
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
    for (int train = 0; train < 2; train++)
      for (int64_t E = 1; E <= 2; E++) {
        const CeliNetSpec spec = spec_of(lists[i], E, 7);
        check_layers(&spec, (CeliPassSpec){.B = 9, .train = train}, i % 3 == 0, 200 + i);
      }
}

/// Only some columns of the gradient through a first batch norm.
static void test_input_columns(void **state) {
  (void)state;
  for (int train = 0; train < 2; train++)
    for (int64_t begin = 0; begin <= 5; begin += 5) {
      CeliNetSpec spec = spec_of("B3Br1", 2, 7);
      spec.dx_begin = begin;
      spec.dx_end = 7 - begin / 5;
      check_layers(&spec, (CeliPassSpec){.B = 6, .train = train}, false, 300);
      spec.dx_begin = spec.dx_end = 7;
      check_layers(&spec, (CeliPassSpec){.B = 6, .train = train}, false, 301);
    }
}

static uint64_t digest_of(const CelTensors *tensors) {
  uint64_t digest[2];
  cel_tensors_digest(tensors, (1u << CEL_GRAD) | (1u << CEL_MODEL) | (1u << CEL_STATE), digest);
  return digest[0] ^ digest[1];
}

/// Reductions over the batch: rows that lie apart, and any number of threads.
static void test_same_bits(void **state) {
  (void)state;
  enum { B = 301 };
  static const char *const lists[] = {"B3Br4LBs1", "B3Br4LBs1", "R3Wr4LRsM1", "3(L8r3d)(R8s3)dL1"};
  for (int64_t E = 1; E <= 3; E += 2)
    for (int train = 0; train < 4; train++) {
      const CeliNetSpec spec = spec_of(lists[train], E, 23);
      Fixture whole;
      fixture_create_layers(&whole, &spec, (CeliPassSpec){.B = B, .train = train}, false);
      fixture_randomize(&whole, 9);
      fixture_run(&whole, 1);
      for (int threads = 2; threads <= 40; threads += threads < 4 ? 1 : 36)
        for (int gaps = 0; gaps < 2; gaps++) {
          Fixture apart;
          fixture_create_layers(
              &apart, &spec, (CeliPassSpec){.B = B, .train = train, .threads = gaps ? threads : 1},
              false);
          fixture_randomize(&apart, 9);
          fixture_run(&apart, threads);
          assert_same_bits("output", celi_pass_output(&apart.pass), celi_pass_output(&whole.pass),
                           (size_t)(E * B * 5) * sizeof(float));
          assert_same_bits("input's gradient", apart.dX, whole.dX,
                           (size_t)(B * (whole.C + 1)) * sizeof(float));
          assert_true(digest_of(apart.tensors) == digest_of(whole.tensors));
          cel_tensors_destroy(apart.tensors);
        }
      cel_tensors_destroy(whole.tensors);
    }
}

/// Each thread touches what the operations declare, also where layers couple rows.
static void test_declarations(void **state) {
  (void)state;
  static const char *const lists[] = {"3Br1", "B3Bs2", "3LrB2g1", "2tL1",
                                      "s3t1", "R3rR1", "3dMr1",   "2(L8r2d)(R8s2)L1"};
  enum { THREADS = 3, B = 11, CASES = 8 };
  for (size_t i = 0; i < sizeof lists / sizeof *lists * CASES; i++) {
    const CeliNetSpec spec = spec_of(lists[i / CASES], i & 1 ? 2 : 1, 7);
    const CeliPassSpec pass = {.B = B, .train = i & 2, .threads = i & 4 ? THREADS : 1};
    Fixture watched, plain;
    Shadow shadow;
    fixture_create_layers(&watched, &spec, pass, i % 3 == 0);
    fixture_create_layers(&plain, &spec, pass, i % 3 == 0);
    fixture_randomize(&watched, i);
    fixture_randomize(&plain, i);
    fixture_run(&plain, THREADS);
    CeliPlan *plan = fixture_plan(&watched);
    if (i == 2) assert_int_equal(celi_plan_barriers(plan), 5); // two reductions and the weights
    assert_true(shadow_create(&shadow, watched.tensors, THREADS));
    if (shadow_run(&shadow, plan, 1) != CEL_OK)
      fail_msg("%s, case %zu: %s", lists[i / CASES], i % CASES, cel_error());
    assert_true(digest_of(watched.tensors) == digest_of(plain.tensors));
    shadow_free(&shadow);
    celi_plan_destroy(plan);
    cel_tensors_destroy(watched.tensors);
    cel_tensors_destroy(plain.tensors);
  }
}

/// A training pass without backward gives the same output and moves the running statistics; an
/// acting pass uses them, whatever rows it is asked for.
static void test_running_statistics(void **state) {
  (void)state;
  enum { B = 50 };
  const CeliNetSpec spec = spec_of("2Br1", 2, 7);
  Fixture f;
  CelTensors *tensors;
  CeliPass lean, act;
  CeliPlan *plan;
  fixture_create_layers(&f, &spec, (CeliPassSpec){.B = B, .train = true}, false);
  fixture_randomize(&f, 9);
  assert_ok(cel_tensors_create(&tensors));
  assert_ok(celi_pass_declare(&lean, tensors, "lean", &f.net,
                              (CeliPassSpec){.B = B, .train = true, .threads = 2}));
  assert_ok(celi_pass_declare(&act, tensors, "act", &f.net, (CeliPassSpec){.B = B}));
  assert_ok(cel_tensors_allocate(tensors));
  lean.X = act.X = f.X, lean.ldx = act.ldx = f.pass.ldx;
  fixture_run(&f, 1);
  assert_ok(celi_plan_create(&plan));
  celi_net_plan_forward(plan, &lean);
  assert_ok(celi_plan_end(plan));
  run_plan(plan, 2);
  assert_same_bits("training output", celi_pass_output(&lean), celi_pass_output(&f.pass),
                   2 * B * 5 * sizeof(float));
  // Running statistics converge to the batch's, and so does the output.
  for (int i = 0; i < 400; i++) run_plan(plan, 2);
  celi_net_forward(&act, 0, B);
  double mean = 0;
  for (int64_t i = 0; i < B; i++) {
    const float *y = f.pass.use[0].y + i * 10;
    mean += (double)y[3] / B;
  }
  assert_true(fabs((double)f.net.node[1].state[0][3] - mean) < 1e-5);
  for (int64_t i = 0; i < 2 * B * 5; i++) {
    const double apart = (double)celi_pass_output(&act)[i] - (double)celi_pass_output(&lean)[i];
    assert_true(fabs(apart) < 0.1); // the unbiased variance is 2% larger than the batch's
  }
  float whole[2 * B * 5];
  memcpy(whole, celi_pass_output(&act), sizeof whole);
  memset(celi_pass_output(&act), 0, sizeof whole);
  for (int64_t at = 0; at < B; at += 7) celi_net_forward(&act, at, at + 7 < B ? at + 7 : B);
  assert_same_bits("acting in pieces", celi_pass_output(&act), whole, sizeof whole);
  celi_plan_destroy(plan);
  cel_tensors_destroy(tensors);
  cel_tensors_destroy(f.tensors);
}

/// A residual sum adds what its list says: the output before an activation, or behind it.
static void test_sources(void **state) {
  (void)state;
  const CeliNetSpec before = spec_of("2(s2)1", 1, 4), behind = spec_of("2s(2)1", 1, 4);
  CeliLayer layers[CELI_LAYERS_MAX];
  CeliNet net;
  assert_ok(celi_net_compile(&net, "n", &before));
  assert_int_equal(net.n, 5);
  assert_int_equal(net.node[0].act, CELI_IDENTITY);
  assert_int_equal(net.node[3].skip, 0);
  assert_int_equal(celi_net_layers(&net, layers), before.n);
  assert_int_equal(layers[3].from, 0);
  assert_ok(celi_net_compile(&net, "n", &behind));
  assert_int_equal(net.n, 4);
  assert_int_equal(net.node[0].act, CELI_SILU);
  assert_int_equal(net.node[2].skip, 0);
  assert_int_equal(celi_net_layers(&net, layers), behind.n);
  assert_int_equal(layers[3].from, 1);
}

/// Batch renorm is batch norm for the first passes, and then no longer.
static void test_warm_up(void **state) {
  (void)state;
  enum { B = 8 };
  const CeliNetSpec renorm = spec_of("4W1", 2, 7);
  CeliNetSpec batch = renorm;
  batch.layer[1].kind = &celi_batch_norm;
  batch.layer[1].epsilon = celi_batch_renorm.epsilon;
  Fixture f, g;
  fixture_create_layers(&f, &renorm, (CeliPassSpec){.B = B, .train = true}, false);
  fixture_create_layers(&g, &batch, (CeliPassSpec){.B = B, .train = true}, false);
  for (uint64_t step = 0; step < 4; step++) {
    fixture_randomize(&f, 20), fixture_randomize(&g, 20);
    fixture_run(&f, 1 + (int)step % 3), fixture_run(&g, 1);
    const bool same = memcmp(celi_pass_output(&f.pass), celi_pass_output(&g.pass),
                             2 * B * 5 * sizeof(float)) == 0;
    assert_int_equal(same, step < 2);
    for (int64_t i = 0; i < 2 * 2; i++) // two members of 20 columns
      assert_int_equal(f.net.node[1].steps[i], step + 1);
  }
  const CelTensor *steps = cel_tensors_find(f.tensors, "net.0.batch_renorm.steps");
  assert_true(steps != NULL && steps->role == CEL_STATE);
  cel_tensors_destroy(f.tensors), cel_tensors_destroy(g.tensors);
}

/// Weights of each output become unit vectors, against PyTorch, with any number of threads.
static void test_weight_norm(void **state) {
  const CelTensor *W = golden(state, CEL_F64, "weight_norm.weight");
  const CelTensor *b = golden(state, CEL_F64, "weight_norm.bias");
  CeliMlpSpec mlp = {.E = 2, .in = 7, .out = 19, .hidden = {2, {19, 5}}};
  for (int threads = 1; threads <= 3; threads++)
    for (int all = 0; all < 2; all++) {
      CelTensors *tensors;
      CeliNet net;
      CeliPlan *plan;
      mlp.weight_norm = all ? CELI_MLP_WEIGHT_NORM_ALL : CELI_MLP_WEIGHT_NORM_HIDDEN;
      mlp.hidden.n = all ? 0 : 2;
      assert_ok(cel_tensors_create(&tensors));
      assert_ok(celi_mlp_declare(&net, tensors, "n", CEL_PARAM, &mlp));
      assert_ok(cel_tensors_allocate(tensors));
      celi_net_init(&net, 1, 0);
      if (!all) { // after init, with biases, but not the last layer
        double first = 0, last = 0;
        for (int k = 0; k < 7; k++)
          first += (double)net.node[0].param[0][k * 19] * (double)net.node[0].param[0][k * 19];
        first += (double)net.node[0].param[1][0] * (double)net.node[0].param[1][0];
        for (int k = 0; k < 5; k++)
          last += (double)net.node[2].param[0][k * 19] * (double)net.node[2].param[0][k * 19];
        assert_true(fabs(first - 1) < 1e-6 && fabs(last - 1) > 1e-3);
      }
      golden_copy(net.node[0].param[0], W->size, W);
      golden_copy(net.node[0].param[1], b->size, b);
      net.node[net.n - 1].param[1][3] = 2;
      for (int k = 0; !all && k < 19; k++) net.node[1].param[0][k * 5] = 0; // a zero vector stays
      if (!all) net.node[1].param[1][0] = 0;
      assert_ok(celi_plan_create(&plan));
      celi_net_plan_weight_norm(plan, &net);
      assert_ok(celi_plan_end(plan));
      run_plan(plan, threads);
      assert_golden(
          net.node[0].param[0], W->size,
          golden(state, CEL_F64, all ? "weight_norm.projected" : "weight_norm.projected_with_bias"),
          1e-7);
      if (!all) {
        assert_golden(net.node[0].param[1], b->size,
                      golden(state, CEL_F64, "weight_norm.projected_bias"), 1e-7);
        for (int k = 0; k < 19; k++) assert_true(net.node[1].param[0][k * 5] == 0);
      }
      assert_true(net.node[net.n - 1].param[1][3] == 2); // the last bias stays
      celi_plan_destroy(plan);
      cel_tensors_destroy(tensors);
    }
}

/// A layer without bias has a zero bias with a zero gradient.
static void test_no_bias(void **state) {
  (void)state;
  const CeliMlpSpec mlp = {
      .E = 2, .in = 4, .out = 3, .hidden = {1, {20}}, .activation = CELI_TANH, .no_bias = true};
  const CeliNetSpec spec = celi_mlp_layers(&mlp);
  Fixture f;
  fixture_create_layers(&f, &spec, (CeliPassSpec){.B = 9}, false);
  fixture_randomize(&f, 3);
  celi_net_init(&f.net, 1, 0);
  celi_net_transpose(&f.net);
  fixture_run(&f, 2);
  double weights = 0, last = 0;
  for (int i = 0; i < 2 * 20; i++) {
    assert_true(f.net.node[0].param[1][i] == 0 && f.grad.param[0][1][i] == 0);
    weights += fabs((double)f.grad.param[0][0][i]);
  }
  for (int i = 0; i < 2 * 3; i++) last += fabs((double)f.grad.param[1][1][i]);
  assert_true(weights > 0.1 && last > 0.1);
  cel_tensors_destroy(f.tensors);
}

/// Dropped numbers are zero, kept ones are scaled so that the mean stays, and the rate is as asked
/// for. Uses, layers and updates have noise of their own. Without noise, dropout is the identity.
static void test_dropout(void **state) {
  (void)state;
  enum { B = 500, N = 45 };
  CeliNetSpec spec = spec_of("d9", 2, N);
  Fixture f;
  CeliPlan *plan;
  fixture_create_layers(&f, &spec, (CeliPassSpec){.B = B}, false);
  fixture_randomize(&f, 3);
  const float *y = f.pass.use[0].y;
  float first[2 * B * N];
  int dropped = 0, same = 0;
  fixture_run(&f, 2);
  memcpy(first, y, sizeof first);
  for (int64_t i = 0; i < 2 * B * N; i++) {
    const float x = f.X[i / N % B * f.pass.ldx + i % N];
    dropped += y[i] == 0;
    if (y[i] != 0) assert_true(fabsf(y[i] * 0.7f - x) <= 1e-6f * fabsf(x));
  }
  const double rate = dropped / (double)(2 * B * N);
  assert_true(fabs(rate - 0.3) < 5 * sqrt(0.3 * 0.7 / (2 * B * N)));
  for (int64_t i = 0; i < B * N; i++) same += (first[i] == 0) == (first[B * N + i] == 0);
  assert_true(fabs(same / (double)(B * N) - 0.58) < 0.02); // two members: .3 .3 + .7 .7
  fixture_run(&f, 1);
  assert_same_bits("the same counter", y, first, sizeof first);
  assert_ok(celi_plan_create(&plan));
  celi_dropout_plan_advance(plan, &f.dropout, celi_pass_dropout_blocks(&f.pass));
  assert_ok(celi_plan_end(plan));
  run_plan(plan, 1);
  celi_plan_destroy(plan);
  assert_int_equal(*f.dropout.counter, 2 * B * 12);
  for (uint32_t use = 2; use < 4; use++) {
    celi_pass_drop(&f.pass, &f.dropout, use);
    fixture_run(&f, 1);
    same = 0;
    for (int64_t i = 0; i < 2 * B * N; i++) same += (y[i] == 0) == (first[i] == 0);
    assert_true(fabs(same / (double)(2 * B * N) - 0.58) < 0.02);
    memcpy(first, y, sizeof first);
  }
  celi_pass_drop(&f.pass, NULL, 0);
  fixture_run(&f, 1);
  for (int64_t i = 0; i < 2 * B * N; i++) assert_true(y[i] == f.X[i / N % B * f.pass.ldx + i % N]);
  cel_tensors_destroy(f.tensors);
  assert_ok(cel_tensors_create(&f.tensors));
  spec.layer[0].rate = 1;
  assert_fails(celi_net_declare(&f.net, f.tensors, "n", CEL_PARAM, &spec), CEL_E_RANGE,
               "probability 1; it must be in [0, 1)");
  cel_tensors_destroy(f.tensors);
}

static void test_bad_lists(void **state) {
  (void)state;
  CelTensors *tensors;
  CeliNet net;
  assert_ok(cel_tensors_create(&tensors));
  CeliNetSpec spec = spec_of("3r", 1, 4);
  assert_fails(celi_net_declare(&net, tensors, "n", CEL_PARAM, &spec), CEL_E_UNSUPPORTED,
               "last layer is an activation");
  spec = spec_of("", 1, 4);
  assert_fails(celi_net_declare(&net, tensors, "n", CEL_PARAM, &spec), CEL_E_RANGE, "0 layers");
  spec = spec_of("3", 1, 4);
  for (int i = 0; i < CELI_NODES_MAX; i++) spec.layer[spec.n++] = celi_layer_dense(2, 0);
  assert_fails(celi_net_declare(&net, tensors, "n", CEL_PARAM, &spec), CEL_E_RANGE,
               "more than 84 layers");
  spec = spec_of("L3", 1, 4);
  spec.dx_begin = 1, spec.dx_end = 3;
  assert_fails(celi_net_declare(&net, tensors, "n", CEL_PARAM, &spec), CEL_E_UNSUPPORTED,
               "first layer norm");
  spec.dx_begin = 2, spec.dx_end = 4; // to the last column
  assert_fails(celi_net_declare(&net, tensors, "n", CEL_PARAM, &spec), CEL_E_UNSUPPORTED,
               "first layer norm");
  spec = spec_of("3LrLr1", 1, 4);
  assert_fails(celi_net_declare(&net, tensors, "n", CEL_PARAM, &spec), CEL_E_UNSUPPORTED,
               "layer 3 is the second layer_norm");
  static const struct {
    int at, from;
    CelStatus status;
    const char *says;
  } sums[] = {{2, 2, CEL_E_RANGE, "layer 2 adds layer 2, which is not before it"},
              {2, -1, CEL_E_RANGE, "layer 2 adds layer -1"},
              {2, 7, CEL_E_RANGE, "layer 2 adds layer 7"},
              {4, 0, CEL_E_RANGE, "layer 4 adds layer 0, but they have 10 and 15 outputs"},
              {9, 5, CEL_E_UNSUPPORTED, "a layer before another sum"}};
  for (size_t i = 0; i < sizeof sums / sizeof *sums; i++) {
    spec = spec_of("3r(r2r3)3(r)1", 1, 4); // the sums are layers 6 and 9
    spec.layer[sums[i].at] = celi_layer_add(sums[i].from);
    assert_fails(celi_net_declare(&net, tensors, "n", CEL_PARAM, &spec), sums[i].status,
                 sums[i].says);
  }
  spec = spec_of("i(3)1", 1, 15);
  assert_fails(celi_net_declare(&net, tensors, "n", CEL_PARAM, &spec), CEL_E_UNSUPPORTED,
               "the network's input is not supported");
  cel_tensors_destroy(tensors);
}

/// A list may start with a layer that has no parameters, or with a normalization.
static void test_first_and_last_parameters(void **state) {
  (void)state;
  static const char *const names[][3] = {{"t3r1", "n.0.weight", "n.1.bias"},
                                         {"B3r1", "n.input.batch_norm.weight", "n.1.bias"},
                                         {"3rL", "n.0.weight", "n.0.norm.bias"}};
  for (int i = 0; i < 3; i++) {
    const CeliNetSpec spec = spec_of(names[i][0], 2, 4);
    CelTensors *tensors;
    CeliNet net;
    char first[CEL_NAME_MAX], last[CEL_NAME_MAX];
    assert_ok(cel_tensors_create(&tensors));
    assert_ok(celi_net_declare(&net, tensors, "n", CEL_PARAM, &spec));
    assert_ok(cel_tensors_allocate(tensors));
    celi_net_first_parameter(&net, "n", first);
    celi_net_last_parameter(&net, "n", last);
    assert_string_equal(first, names[i][1]);
    assert_string_equal(last, names[i][2]);
    assert_ptr_equal(celi_net_parameters(&net), cel_tensors_find(tensors, first)->data);
    cel_tensors_destroy(tensors);
  }
}

/// The list of a multilayer perceptron, by letter.
static void assert_mlp(const char *list, const CeliMlpSpec *mlp) {
  const CeliNetSpec spec = celi_mlp_layers(mlp);
  char text[CELI_LAYERS_MAX + 1] = "";
  for (int l = 0; l < spec.n; l++) {
    const CeliLayerKind *kind = spec.layer[l].kind;
    text[l] = kind == &celi_dense        ? (char)('0' + spec.layer[l].out / 5)
              : kind == &celi_activation ? "irtsgl"[spec.layer[l].activation]
              : kind == &celi_layer_norm ? 'L'
              : kind == &celi_add        ? '+'
              : kind == &celi_dropout    ? 'd'
                                         : 'B';
    if (text[l] == 'B') {
      assert_true(spec.layer[l].epsilon == mlp->norm.epsilon);
      assert_true(spec.layer[l].momentum == mlp->norm.momentum);
    }
  }
  assert_string_equal(text, list);
}

static void test_mlp_lists(void **state) {
  (void)state;
  CeliMlpSpec mlp = {.E = 1, .in = 3, .out = 5, .hidden = {2, {10, 15}}, .activation = CELI_RELU};
  assert_mlp("2r3r1", &mlp);
  mlp.norm.kind = CELI_NORM_LAYER;
  assert_mlp("2Lr3Lr1", &mlp);
  mlp.norm =
      (CeliMlpNorm){.kind = CELI_NORM_BATCH, .input = true, .epsilon = 1e-3, .momentum = 0.01};
  assert_mlp("B2Br3Br1", &mlp); // XQC
  mlp.norm.place = CELI_NORM_AFTER;
  assert_mlp("B2rB3rB1", &mlp); // CrossQ
  mlp.norm.kind = CELI_NORM_BATCH_RENORM;
  assert_true(celi_mlp_layers(&mlp).layer[3].kind == &celi_batch_renorm);
  mlp.norm.kind = CELI_NORM_BATCH;
  mlp.hidden.n = 0;
  assert_mlp("B1", &mlp);
  mlp.norm = (CeliMlpNorm){.kind = CELI_NORM_LAYER};
  mlp.hidden = (CelIntList){2, {10, 10}};
  mlp.residual = true;
  assert_mlp("2L8r2+L8r2+L1", &mlp); // SimBa
  const CeliNetSpec simba = celi_mlp_layers(&mlp);
  assert_int_equal(simba.layer[5].from, 0);
  assert_int_equal(simba.layer[10].from, 5);
  CelTensors *tensors;
  CeliNet net;
  assert_ok(cel_tensors_create(&tensors));
  mlp.hidden.v[1] = 15;
  assert_fails(celi_mlp_declare(&net, tensors, "n", CEL_PARAM, &mlp), CEL_E_RANGE, "all equal");
  mlp.hidden.n = 0;
  assert_fails(celi_mlp_declare(&net, tensors, "n", CEL_PARAM, &mlp), CEL_E_RANGE, "at least one");
  mlp = (CeliMlpSpec){.E = 1, .in = 3, .out = 5, .hidden = {2, {10, 10}}, .dropout = 0.01};
  mlp.activation = CELI_RELU;
  mlp.norm.kind = CELI_NORM_LAYER;
  assert_mlp("2dLr2dLr1", &mlp); // DroQ
  mlp.residual = true;
  assert_mlp("2L8r2d+L8r2d+L1", &mlp);
  // The largest networks fit.
  for (int residual = 0; residual < 2; residual++) {
    mlp = (CeliMlpSpec){.E = 1, .in = 3, .out = 5, .hidden = {.n = CEL_LIST_MAX}};
    for (int l = 0; l < CEL_LIST_MAX; l++) mlp.hidden.v[l] = 2;
    mlp.activation = CELI_TANH;
    mlp.norm =
        (CeliMlpNorm){.kind = CELI_NORM_BATCH_RENORM, .place = CELI_NORM_AFTER, .input = true};
    mlp.residual = residual, mlp.dropout = 0.5;
    assert_ok(celi_mlp_declare(&net, tensors, residual ? "a" : "b", CEL_PARAM, &mlp));
  }
  cel_tensors_destroy(tensors);
}

// ---- PyTorch

/// PyTorch's name of parameter or statistic k of a node: its place in nn.Sequential.
static void torch_name(char name[CEL_NAME_MAX], const CeliNet *net, int l, const char *what) {
  int place = 0;
  for (int i = 0; i < l; i++) place += 1 + (net->node[i].act != CELI_IDENTITY);
  snprintf(name, CEL_NAME_MAX, "%d.%s", place, what);
}

/// To 1e-5 of the tensor's norm. A bias in front of a training batch norm has no gradient but
/// rounding errors.
static void assert_gradient(const float *y, const CelTensor *t) {
  if (norm_of(t->data, t->size) > 1e-9) {
    assert_golden(y, t->size, t, 1e-5);
    return;
  }
  for (int64_t i = 0; i < t->size; i++) assert_true(fabs((double)y[i]) < 1e-5);
}

static void check_golden(void **state, const char *name, const char *list, bool train) {
  const CelTensor *x = golden(state, CEL_F64, "layers.%s.x", name);
  const CelTensor *y = golden(state, CEL_F64, "layers.%s.y", name);
  static const char *const params[] = {"weight", "bias"}, *const stats[] = {"running_mean",
                                                                            "running_var"};
  CeliNetSpec spec = spec_of(list, y->shape[0], x->shape[1]);
  char place[CEL_NAME_MAX];
  Fixture f;
  for (int l = 0; l < spec.n; l++) // widths are those of the file
    if (spec.layer[l].kind == &celi_dense)
      spec.layer[l].out = golden(state, CEL_F64, "layers.%s.before.%d.bias", name, l)->shape[1];
  fixture_create_layers(&f, &spec, (CeliPassSpec){.B = x->shape[0], .train = train}, false);
  f.pass.ldx = spec.in;
  golden_copy(f.X, x->size, x);
  golden_copy(celi_pass_d_output(&f.pass), y->size, golden(state, CEL_F64, "layers.%s.dy", name));
  for (int l = 0; l < f.net.n; l++)
    for (int k = 0; k < CELI_LAYER_PARAMS; k++) {
      const CeliNode *node = &f.net.node[l];
      torch_name(place, &f.net, l, params[k]);
      if (!node->param[k]) continue;
      const CelTensor *t = golden(state, CEL_F64, "layers.%s.before.%s", name, place);
      golden_copy(node->param[k], t->size, t);
      if (!node->state[k]) continue;
      torch_name(place, &f.net, l, stats[k]);
      t = golden(state, CEL_F64, "layers.%s.before.%s", name, place);
      golden_copy(node->state[k], t->size, t);
    }
  celi_net_transpose(&f.net);
  fixture_run(&f, 2);
  assert_golden(celi_pass_output(&f.pass), y->size, y, 1e-6);
  for (int l = 0; l < f.net.n; l++)
    for (int k = 0; k < CELI_LAYER_PARAMS; k++) {
      torch_name(place, &f.net, l, params[k]);
      if (!f.net.node[l].param[k]) continue;
      const CelTensor *t = golden(state, CEL_F64, "layers.%s.grad.%s", name, place);
      assert_gradient(f.grad.param[l][k], t);
      if (!f.net.node[l].state[k]) continue;
      torch_name(place, &f.net, l, stats[k]);
      t = golden(state, CEL_F64, "layers.%s.after.%s", name, place);
      assert_golden(f.net.node[l].state[k], t->size, t, 1e-6);
    }
  const CelTensor *dx = golden(state, CEL_F64, "layers.%s.dx", name);
  for (int64_t b = 0; b < x->shape[0]; b++)
    memmove(f.dX + b * spec.in, f.dX + b * (f.C + 1), (size_t)spec.in * sizeof(float));
  assert_golden(f.dX, dx->size, dx, 1e-5);
  cel_tensors_destroy(f.tensors);
}

static void test_golden(void **state) {
  check_golden(state, "batch_norm", "1Br1", true);
  check_golden(state, "batch_norm_eval", "1Br1", false);
  check_golden(state, "batch_norm_first", "B1Bs1", true);
  check_golden(state, "batch_norm_first_eval", "B1Bs1", false);
  check_golden(state, "batch_norm_after", "C1rC1", true);
  check_golden(state, "batch_norm_after_eval", "C1rC1", false);
  check_golden(state, "batch_norm_joint", "C1rC1", true);
  check_golden(state, "batch_renorm", "R1rR1", true);
  check_golden(state, "batch_renorm_limits", "R1rR1", true);
  check_golden(state, "batch_renorm_warm_up", "W1rW1", true);
  check_golden(state, "batch_renorm_eval", "R1rR1", false);
  check_golden(state, "batch_renorm_joint", "R1rR1", true);
  check_golden(state, "rms_norm", "M1Ms1", false);
  check_golden(state, "simba", "1(L1r1)(L1r1)L1", false);
  check_golden(state, "gelu", "1g1", false);
  check_golden(state, "leaky_relu", "1l1", false);
  check_golden(state, "norm_last", "1tL1", false);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_declarations),
      cmocka_unit_test(test_gradients),
      cmocka_unit_test(test_input_columns),
      cmocka_unit_test(test_same_bits),
      cmocka_unit_test(test_running_statistics),
      cmocka_unit_test(test_bad_lists),
      cmocka_unit_test(test_first_and_last_parameters),
      cmocka_unit_test(test_mlp_lists),
      cmocka_unit_test(test_sources),
      cmocka_unit_test(test_warm_up),
      cmocka_unit_test(test_weight_norm),
      cmocka_unit_test(test_no_bias),
      cmocka_unit_test(test_dropout),
      cmocka_unit_test(test_golden),
  };
  return cmocka_run_group_tests_name("nn/layers", tests, golden_open, golden_close);
}
