/// Networks: the forward pass compared with an oracle in double, every backward pass with its
/// central differences, and gradients with PyTorch's. Also the same bits for any number of threads,
/// and invalid specs.
#include "mlp_oracle.h"

#include "nn/optim.h"

/// A network with all buffers that a test needs.
typedef struct Fixture {
  CelTensors *tensors;
  CeliMlp net;
  CeliMlpGrad grad;
  CeliMlpPass pass;
  float *X, *dX; // (B,in) ldx; (B,wanted)
  int64_t C;     // wanted columns
} Fixture;

static int64_t rows_of(const CeliMlpSpec *spec, int64_t *begin) {
  *begin = spec->dx_begin;
  return spec->dx_begin == 0 && spec->dx_end == 0 ? spec->in : spec->dx_end - spec->dx_begin;
}

static void fixture_create_shared(Fixture *f, const CeliMlpSpec *spec, int64_t B, bool with_dH,
                                  int shares) {
  int64_t begin;
  memset(f, 0, sizeof *f);
  f->C = rows_of(spec, &begin);
  const int64_t ldx = spec->in + 2, x[] = {B, ldx}, dx[] = {B, f->C + 1};
  assert_ok(cel_tensors_create(&f->tensors));
  assert_ok(celi_mlp_declare(&f->net, f->tensors, "net", CEL_PARAM, spec));
  assert_ok(celi_mlp_declare_grad(&f->grad, f->tensors, "net", CEL_GRAD, spec));
  assert_ok(celi_mlp_declare_pass_shared(&f->pass, f->tensors, "pass", &f->net, B, true, shares));
  assert_ok(cel_tensors_declare(f->tensors, "x", CEL_F32, CEL_SCRATCH, &f->X, 2, x));
  assert_ok(cel_tensors_declare(f->tensors, "dx", CEL_F32, CEL_SCRATCH, &f->dX, 2, dx));
  const int64_t dh[] = {spec->E, B, f->net.width[f->net.L - 1]};
  if (with_dH)
    assert_ok(cel_tensors_declare(f->tensors, "dh", CEL_F32, CEL_SCRATCH, &f->pass.dH, 3, dh));
  assert_ok(cel_tensors_allocate(f->tensors));
  f->pass.X = f->X, f->pass.ldx = ldx;
}

static void fixture_create(Fixture *f, const CeliMlpSpec *spec, int64_t B, bool with_dH) {
  fixture_create_shared(f, spec, B, with_dH, 1);
}

/// Random parameters, inputs and output gradients; gains are near 1.
static void fixture_randomise(Fixture *f, uint64_t seed) {
  CelRng rng = cel_rng(seed, CEL_RNG_USER, 1);
  const CeliMlp *net = &f->net;
  const int64_t E = net->spec.E, B = f->pass.B;
  for (int l = 0; l < net->L; l++) {
    const int64_t K = net->width[l], N = net->width[l + 1];
    fill_random(net->W[l], E * K * N, 1.7 / sqrt((double)K), &rng);
    fill_random(net->b[l], E * N, 0.5, &rng);
    if (net->g[l] == NULL) continue;
    fill_random(net->g[l], E * N, 0.5, &rng);
    for (int64_t i = 0; i < E * N; i++) net->g[l][i] += 1;
    fill_random(net->h[l], E * N, 0.5, &rng);
  }
  fill_random(f->X, B * f->pass.ldx, 1.5, &rng);
  fill_random(f->pass.dY[net->L - 1], E * B * net->width[net->L], 1, &rng);
  if (f->pass.dH) fill_random(f->pass.dH, E * B * net->width[net->L - 1], 1, &rng);
  celi_mlp_transpose(&f->net);
}

/// Forward pass, backward pass to data and to weights.
static void fixture_run(Fixture *f, int threads) {
  CeliPlan *plan;
  int64_t begin, wanted = rows_of(&f->net.spec, &begin);
  assert_ok(celi_plan_create(&plan));
  celi_mlp_plan_forward(plan, &f->pass);
  if (wanted > 0)
    celi_mlp_plan_backward_data_columns(plan, &f->pass, f->dX, f->C + 1, begin, begin + wanted);
  else
    celi_mlp_plan_backward_data(plan, &f->pass, NULL, 0);
  celi_mlp_plan_backward_weight(plan, &f->pass, &f->grad, false);
  assert_ok(celi_plan_end(plan));
  run_plan(plan, threads);
  celi_plan_destroy(plan);
}

static void describe(char text[160], const char *what, int l, const CeliMlpSpec *s) {
  snprintf(text, 160, "%s of layer %d (activation %d, norm %d, %d hidden, E %d, in %d, out %d)",
           what, l, (int)s->activation, s->layer_norm, s->hidden.n, (int)s->E, (int)s->in,
           (int)s->out);
}

/// Compares up to `sample` entries of a gradient with central differences of the oracle, to 1e-5 of
/// the tensor's norm.
static void check_tensor(const Oracle *o, const char *what, const float *gradient, double *params,
                         int64_t n, int64_t sample, CelRng *rng) {
  double square = 0;
  for (int64_t i = 0; i < n; i++) square += (double)gradient[i] * (double)gradient[i];
  for (int64_t k = 0; k < sample && k < n; k++) {
    const int64_t i = sample < n ? (int64_t)cel_rng_below(rng, (uint64_t)n) : k;
    const double expected = oracle_difference(o, &params[i]);
    if (!(fabs((double)gradient[i] - expected) <= 1e-5 * sqrt(square) + 1e-7))
      fail_msg("%s: [%lld] is %.9g, expected %.9g (norm %.6g)", what, (long long)i,
               (double)gradient[i], expected, sqrt(square));
  }
}

static void check_forward(const Fixture *f, const Oracle *o) {
  const int64_t N = f->net.width[f->net.L], size = f->net.spec.E * o->B * N;
  double *Y = zeroed((size_t)size, sizeof *Y);
  for (int64_t i = 0; i < size / N; i++) oracle_row(o, i / o->B, i % o->B, Y + i * N, NULL);
  char what[160];
  describe(what, "output", f->net.L - 1, &f->net.spec);
  assert_norm_near(what, f->pass.Y[f->net.L - 1], Y, size, 2e-6);
  free(Y);
}

static void check_gradients(const Fixture *f, const Oracle *o) {
  enum { SAMPLE = 12 };
  const CeliMlpSpec *s = &f->net.spec;
  CelRng rng = cel_rng(5, CEL_RNG_USER, 2);
  char what[160];
  for (int l = 0; l < f->net.L; l++) {
    const int64_t K = f->net.width[l], N = f->net.width[l + 1];
    describe(what, "weight", l, s);
    check_tensor(o, what, f->grad.W[l], o->W[l], s->E * K * N, SAMPLE, &rng);
    describe(what, "bias", l, s);
    check_tensor(o, what, f->grad.b[l], o->b[l], s->E * N, SAMPLE, &rng);
    if (o->g[l] == NULL) continue;
    describe(what, "gain", l, s);
    check_tensor(o, what, f->grad.g[l], o->g[l], s->E * N, SAMPLE, &rng);
    describe(what, "shift", l, s);
    check_tensor(o, what, f->grad.h[l], o->h[l], s->E * N, SAMPLE, &rng);
  }
}

static void check_input_gradient(const Fixture *f, const Oracle *o) {
  const CeliMlpSpec *s = &f->net.spec;
  int64_t begin, wanted = rows_of(s, &begin);
  double square = 0;
  for (int64_t b = 0; b < o->B; b++)
    for (int64_t c = 0; c < wanted; c++)
      square += (double)f->dX[b * (f->C + 1) + c] * (double)f->dX[b * (f->C + 1) + c];
  for (int64_t k = 0; k < 12 && wanted > 0; k++) {
    const int64_t b = k % o->B, c = (k * 7) % wanted;
    const double expected = oracle_difference(o, &o->X[b * s->in + begin + c]);
    const double got = (double)f->dX[b * (f->C + 1) + c];
    if (!(fabs(got - expected) <= 1e-5 * sqrt(square) + 1e-7))
      fail_msg("dX [%lld,%lld] is %.9g, expected %.9g", (long long)b, (long long)c, got, expected);
  }
}

static void check_spec_case(const CeliMlpSpec *spec, int64_t B, bool with_dH, uint64_t seed) {
  Fixture f;
  Oracle o;
  fixture_create(&f, spec, B, with_dH);
  fixture_randomise(&f, seed);
  oracle_create(&o, &f.pass);
  fixture_run(&f, 1);
  check_forward(&f, &o);
  check_gradients(&f, &o);
  check_input_gradient(&f, &o);
  oracle_destroy(&o);
  cel_tensors_destroy(f.tensors);
}

static const int32_t widths[] = {1, 3, 17, 23, 100};

/// Every activation, with and without layer norm, depths 0 to 3, ensembles of 1 to 3. Widths vary.
static void test_gradients(void **state) {
  (void)state;
  static const CeliActivation acts[] = {CELI_IDENTITY, CELI_RELU, CELI_TANH, CELI_SILU};
  uint64_t seed = 100;
  int turn = 0;
  for (int act = 0; act < 4; act++)
    for (int norm = 0; norm < 2; norm++)
      for (int depth = 0; depth <= 3; depth++)
        for (int64_t E = 1; E <= 3; E++) {
          CeliMlpSpec spec = {.E = E,
                              .in = widths[turn % 5],
                              .out = widths[(turn / 5) % 5],
                              .activation = acts[act],
                              .layer_norm = norm};
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
                        .layer_norm = i >= 3};
    check_spec_case(&spec, 7, true, 60 + (uint64_t)i);
  }
}

static CeliMlpSpec odd_spec(void) {
  return (CeliMlpSpec){.E = 3,
                       .in = 23,
                       .out = 3,
                       .hidden = {3, {100, 17, 41}},
                       .activation = CELI_SILU,
                       .layer_norm = true};
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
    fixture_randomise(&f, 9);
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
        spec.E = E, spec.layer_norm = norm;
        Fixture whole, apart;
        fixture_create(&whole, &spec, 301, true);
        fixture_create_shared(&apart, &spec, 301, true, shares);
        fixture_randomise(&whole, 9);
        fixture_randomise(&apart, 9);
        fixture_run(&whole, 1);
        fixture_run(&apart, shares);
        const int64_t last = whole.net.L - 1, out = E * 301 * whole.net.width[last + 1];
        assert_same_bits("output", apart.pass.Y[last], whole.pass.Y[last],
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
      spec.E = E, spec.layer_norm = shares == 2;
      Fixture f;
      fixture_create(&f, &spec, B, true);
      fixture_randomise(&f, 9);
      fixture_run(&f, 1);
      CelTensors *tensors;
      CeliMlpPass pass;
      CeliPlan *plan;
      const int last = f.net.L - 1;
      const size_t out = (size_t)(E * B * f.net.width[last + 1]) * sizeof(float),
                   in = (size_t)(B * (f.C + 1)) * sizeof(float);
      float *dX = zeroed(1, in);
      int64_t begin;
      rows_of(&spec, &begin);
      assert_ok(cel_tensors_create(&tensors));
      assert_ok(celi_mlp_declare_pass_in_hand(&pass, tensors, "in hand", &f.net, B, true, shares));
      assert_ok(cel_tensors_allocate(tensors));
      if (shares == 1) assert_true(cel_tensors_bytes(tensors) < cel_tensors_bytes(f.tensors) / 2);
      pass.X = f.X, pass.ldx = f.pass.ldx, pass.dH = f.pass.dH;
      memcpy(pass.dY[last], f.pass.dY[last], out);
      assert_ok(celi_plan_create(&plan));
      celi_mlp_plan_input_gradient(plan, &pass, dX, f.C + 1, begin, begin + f.C);
      assert_ok(celi_plan_end(plan));
      run_plan(plan, shares);
      assert_same_bits("output", pass.Y[last], f.pass.Y[last], out);
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
  fixture_randomise(&f, 9);
  const size_t bytes = (size_t)(3 * 301 * 3) * sizeof(float);
  float *Y = f.pass.Y[3], *whole = zeroed(1, bytes);
  celi_mlp_forward(&f.pass, 0, 301);
  memcpy(whole, Y, bytes);
  memset(Y, 0, bytes);
  for (int64_t at = 0, step = 1; at < 301; at += step, step = step % 37 + 5)
    celi_mlp_forward(&f.pass, at, at + step < 301 ? at + step : 301);
  assert_same_bits("forward in pieces", Y, whole, bytes);
  free(whole);
  cel_tensors_destroy(f.tensors);
}

/// A pass without backward keeps less memory and gives the same output.
static void test_forward_only(void **state) {
  (void)state;
  for (int norm = 0; norm < 2; norm++) {
    CeliMlpSpec spec = odd_spec();
    spec.layer_norm = norm;
    Fixture f;
    CelTensors *tensors;
    CeliMlpPass lean;
    fixture_create(&f, &spec, 301, false);
    fixture_randomise(&f, 9);
    assert_ok(cel_tensors_create(&tensors));
    assert_ok(celi_mlp_declare_pass_shared(&lean, tensors, "lean", &f.net, 301, false, 1 + norm));
    assert_ok(cel_tensors_allocate(tensors));
    lean.X = f.X, lean.ldx = f.pass.ldx;
    CeliPlan *plan;
    assert_ok(celi_plan_create(&plan));
    celi_mlp_plan_forward(plan, &lean);
    celi_mlp_plan_forward(plan, &f.pass);
    assert_ok(celi_plan_end(plan));
    run_plan(plan, 1 + norm);
    celi_plan_destroy(plan);
    assert_same_bits("output", lean.Y[3], f.pass.Y[3], 3 * 301 * 3 * sizeof(float));
    if (!norm)
      assert_same_bits("last hidden layer of the last member", lean.Y[2],
                       f.pass.Y[2] + 2 * 301 * 41, 301 * 41 * sizeof(float));
    cel_tensors_destroy(tensors);
    cel_tensors_destroy(f.tensors);
  }
}

/// A NaN in the inputs reaches the outputs of its row, and every weight gradient of the first layer
/// that depends on it. Outputs of other rows are not affected.
static void test_nan_propagates(void **state) {
  (void)state;
  static const CeliActivation acts[] = {CELI_RELU, CELI_TANH, CELI_SILU};
  for (int i = 0; i < 6; i++) {
    CeliMlpSpec spec = {.E = 2,
                        .in = 5,
                        .out = 3,
                        .hidden = {2, {17, 9}},
                        .activation = acts[i % 3],
                        .layer_norm = i >= 3};
    Fixture f;
    fixture_create(&f, &spec, 8, false);
    fixture_randomise(&f, 77);
    f.X[3 * f.pass.ldx + 2] = NAN;
    fixture_run(&f, 1);
    for (int64_t r = 0; r < 2 * 8 * 3; r++) assert_true(isnan(f.pass.Y[2][r]) == (r / 3 % 8 == 3));
    for (int64_t k = 0; k < 2 * 9 * 3; k++) assert_true(isnan(f.grad.W[2][k]));
    cel_tensors_destroy(f.tensors);
  }
}

static void test_bad_specs(void **state) {
  (void)state;
  CelTensors *tensors;
  CeliMlp net;
  CeliMlpPass pass;
  const CeliMlpSpec good = {.E = 1, .in = 3, .out = 2, .hidden = {1, {4}}};
  assert_ok(cel_tensors_create(&tensors));
  CeliMlpSpec bad = good;
  bad.E = 0;
  assert_fails(celi_mlp_declare(&net, tensors, "n", CEL_PARAM, &bad), CEL_E_RANGE, "0 members");
  bad = good, bad.in = 0;
  assert_fails(celi_mlp_declare(&net, tensors, "n", CEL_PARAM, &bad), CEL_E_RANGE, "0 inputs");
  bad = good, bad.out = -1;
  assert_fails(celi_mlp_declare(&net, tensors, "n", CEL_PARAM, &bad), CEL_E_RANGE, "-1 outputs");
  bad = good, bad.hidden.v[0] = 0;
  assert_fails(celi_mlp_declare(&net, tensors, "n", CEL_PARAM, &bad), CEL_E_RANGE,
               "hidden layer 0 is 0 wide");
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
  assert_fails(celi_mlp_declare_pass(&pass, tensors, "p", &net, 0, true), CEL_E_RANGE, "0 rows");
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
                            .layer_norm = norm};
  Fixture f;
  fixture_create(&f, &spec, B, false);
  f.pass.ldx = spec.in;
  golden_copy(f.X, x->size, x);
  golden_copy(f.pass.dY[f.net.L - 1], y->size, golden(state, CEL_F64, "mlp.%s.dy", name));
  for (int64_t i = 0; i < cel_tensors_count(f.tensors); i++) {
    const CelTensor *t = cel_tensors_at(f.tensors, i);
    if (t->role == CEL_PARAM)
      golden_copy(t->data, t->size, golden(state, CEL_F64, "mlp.%s.%s", name, t->name));
  }
  celi_mlp_transpose(&f.net);
  fixture_run(&f, 2);
  assert_golden(f.pass.Y[f.net.L - 1], y->size, y, 1e-6);
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
  CeliMlp net;
  CeliMlpGrad grad;
  CeliMlpPass pass;
  CeliAdam adam;
  CeliPlan *plan;
  assert_ok(cel_tensors_create(&tensors));
  assert_ok(celi_mlp_declare(&net, tensors, "net", CEL_PARAM, &spec));
  assert_ok(celi_mlp_declare_grad(&grad, tensors, "net", CEL_GRAD, &spec));
  assert_ok(celi_mlp_declare_grad(NULL, tensors, "net", CEL_MOMENT1, &spec));
  assert_ok(celi_mlp_declare_grad(NULL, tensors, "net", CEL_MOMENT2, &spec));
  assert_ok(celi_mlp_declare_pass(&pass, tensors, "pass", &net, B, true));
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
  celi_mlp_transpose(&net);
  assert_ok(celi_plan_create(&plan));
  celi_mlp_plan_backward_data(plan, &pass, NULL, 0);
  celi_mlp_plan_backward_weight(plan, &pass, &grad, false);
  celi_adam_plan(plan, &adam);
  celi_mlp_plan_transpose(plan, &net, false);
  assert_ok(celi_plan_end(plan));
  for (int step = 0; step < 5; step++) {
    celi_mlp_forward(&pass, 0, B);
    for (int64_t i = 0; i < target->size; i++) // d mean((Y - T)^2)
      pass.dY[2][i] = (float)(2 * ((double)pass.Y[2][i] - ((const double *)target->data)[i]) /
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
  return cmocka_run_group_tests_name("nn/mlp", tests, golden_open, golden_close);
}
