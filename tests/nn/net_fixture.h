/// One network with its pass and gradients, and its comparison with the oracle in double.
#ifndef CELSIUS_NET_FIXTURE_H
#define CELSIUS_NET_FIXTURE_H
#include "net_oracle.h"

/// Everything that one test needs of one network.
typedef struct Fixture {
  CelTensors *tensors;
  CeliNet net;
  CeliNetGrad grad;
  CeliPass pass;
  float *X, *dX; // (B,in) ldx; (B,wanted)
  int64_t C;     // wanted columns
  CeliDropout dropout;
} Fixture;

static inline int64_t wanted_columns(const CeliNet *net, int64_t *begin) {
  *begin = net->node[0].dx_begin;
  return net->node[0].dx_end - net->node[0].dx_begin;
}

static inline void fixture_create_layers(Fixture *f, const CeliNetSpec *spec, CeliPassSpec pass,
                                         bool with_dH) {
  int64_t begin;
  memset(f, 0, sizeof *f);
  assert_ok(cel_tensors_create(&f->tensors));
  assert_ok(celi_net_declare(&f->net, f->tensors, "net", CEL_PARAM, spec));
  f->C = wanted_columns(&f->net, &begin);
  const int64_t ldx = spec->in + 2, x[] = {pass.B, ldx}, dx[] = {pass.B, f->C + 1};
  assert_ok(celi_net_declare_grad(&f->grad, f->tensors, "net", CEL_GRAD, &f->net));
  pass.backward = true;
  assert_ok(celi_pass_declare(&f->pass, f->tensors, "pass", &f->net, pass));
  assert_ok(celi_dropout_declare(&f->dropout, f->tensors, "dropout", 7));
  celi_pass_drop(&f->pass, &f->dropout, 3);
  assert_ok(cel_tensors_declare(f->tensors, "x", CEL_F32, CEL_SCRATCH, &f->X, 2, x));
  assert_ok(cel_tensors_declare(f->tensors, "dx", CEL_F32, CEL_SCRATCH, &f->dX, 2, dx));
  const int64_t dh[] = {spec->E, pass.B, celi_net_latent_width(&f->net)};
  if (with_dH)
    assert_ok(cel_tensors_declare(f->tensors, "dh", CEL_F32, CEL_SCRATCH, &f->pass.dH, 3, dh));
  assert_ok(cel_tensors_allocate(f->tensors));
  celi_net_init(&f->net, 1, 0);
  f->pass.X = f->X, f->pass.ldx = ldx;
}

static inline void fixture_create_threads(Fixture *f, const CeliMlpSpec *mlp, int64_t B,
                                          bool with_dH, int threads) {
  const CeliNetSpec spec = celi_mlp_layers(mlp);
  fixture_create_layers(f, &spec, (CeliPassSpec){.B = B, .threads = threads}, with_dH);
}

static inline void fixture_create(Fixture *f, const CeliMlpSpec *spec, int64_t B, bool with_dH) {
  fixture_create_threads(f, spec, B, with_dH, 1);
}

/// Parameters, inputs and the output's gradient from a stream; gains and variances near 1.
static inline void fixture_randomize(Fixture *f, uint64_t seed) {
  CelRng rng = cel_rng(seed, CEL_RNG_USER, 1);
  const CeliNet *net = &f->net;
  const int64_t E = net->E, B = f->pass.B;
  for (int l = 0; l < net->n; l++) {
    const CeliNode *node = &net->node[l];
    const bool dense = node->layer.kind == &celi_dense;
    for (int k = 0; k < CELI_LAYER_PARAMS; k++) {
      const int64_t size = node->param[k] ? E * celi_param_size(node, k) : 0;
      fill_random(node->param[k], size, dense && k == 0 ? 1.7 / sqrt((double)node->in) : 0.5, &rng);
      for (int64_t i = 0; !dense && k == 0 && i < size; i++) node->param[k][i] += 1;
      if (node->state[k]) fill_random(node->state[k], E * node->out, 0.5, &rng);
      for (int64_t i = 0; node->state[k] && k == 1 && i < E * node->out; i++)
        node->state[k][i] += 1;
    }
  }
  fill_random(f->X, B * f->pass.ldx, 1.5, &rng);
  fill_random(celi_pass_d_output(&f->pass), E * B * net->out, 1, &rng);
  if (f->pass.dH) fill_random(f->pass.dH, E * B * celi_net_latent_width(net), 1, &rng);
  celi_net_transpose(&f->net);
}

/// Forward, backward to data and to weights.
static inline CeliPlan *fixture_plan(Fixture *f) {
  CeliPlan *plan;
  int64_t begin, wanted = wanted_columns(&f->net, &begin);
  assert_ok(celi_plan_create(&plan));
  celi_net_plan_forward(plan, &f->pass);
  if (wanted > 0)
    celi_net_plan_backward_data_columns(plan, &f->pass, f->dX, f->C + 1, begin, begin + wanted);
  else
    celi_net_plan_backward_data(plan, &f->pass, NULL, 0);
  celi_net_plan_backward_weight(plan, &f->pass, &f->grad);
  assert_ok(celi_plan_end(plan));
  return plan;
}

static inline void fixture_run(Fixture *f, int threads) {
  CeliPlan *plan = fixture_plan(f);
  run_plan(plan, threads);
  celi_plan_destroy(plan);
}

static inline void describe(char text[160], const char *what, int l, const CeliNet *net) {
  const CeliNode *node = &net->node[l];
  snprintf(text, 160, "%s of node %d of %d (%s, activation %s, E %d, %d to %d)", what, l, net->n,
           node->layer.kind->name, celi_activations[node->act].name, (int)net->E, (int)node->in,
           (int)node->out);
}

/// Absolute error allowed in a gradient. A batch norm in training removes what a bias before it
/// adds: the gradient is zero, and only rounding errors of sums remain.
static inline double gradient_floor(const Fixture *f) {
  return f->pass.train ? 1e-6 : 1e-7;
}

/// Up to `sample` entries of a gradient against central differences of the oracle, to 1e-5 of the
/// tensor's norm plus `floor`.
static inline void check_tensor(const Oracle *o, const char *what, const float *gradient,
                                double *params, int64_t n, int64_t sample, double floor,
                                CelRng *rng) {
  double square = 0;
  for (int64_t i = 0; i < n; i++) square += (double)gradient[i] * (double)gradient[i];
  for (int64_t k = 0; k < sample && k < n; k++) {
    const int64_t i = sample < n ? (int64_t)cel_rng_below(rng, (uint64_t)n) : k;
    const double expected = oracle_difference(o, &params[i]);
    if (!(fabs((double)gradient[i] - expected) <= 1e-5 * sqrt(square) + floor))
      fail_msg("%s: [%lld] is %.9g, expected %.9g (norm %.6g)", what, (long long)i,
               (double)gradient[i], expected, sqrt(square));
  }
}

static inline void check_forward(const Fixture *f, const Oracle *o) {
  const int64_t each = o->B * f->net.out, size = f->net.E * each;
  double *Y = zeroed((size_t)size, sizeof *Y);
  for (int64_t e = 0; e < f->net.E; e++) oracle_member(o, e, Y + e * each, NULL);
  char what[160];
  describe(what, "output", f->net.n - 1, &f->net);
  assert_norm_near(what, celi_pass_output(&f->pass), Y, size, 2e-6);
  free(Y);
}

static inline void check_gradients(const Fixture *f, const Oracle *o) {
  enum { SAMPLE = 12 };
  CelRng rng = cel_rng(5, CEL_RNG_USER, 2);
  char what[160];
  for (int l = 0; l < f->net.n; l++) {
    const CeliNode *node = &f->net.node[l];
    for (int k = 0; k < CELI_LAYER_PARAMS; k++) {
      if (!node->param[k]) continue;
      describe(what, node->layer.kind->param_name[k], l, &f->net);
      check_tensor(o, what, f->grad.param[l][k], o->param[l][k],
                   f->net.E * celi_param_size(node, k), SAMPLE, gradient_floor(f), &rng);
    }
  }
}

static inline void check_input_gradient(const Fixture *f, const Oracle *o) {
  int64_t begin, wanted = wanted_columns(&f->net, &begin);
  double square = 0;
  for (int64_t b = 0; b < o->B; b++)
    for (int64_t c = 0; c < wanted; c++)
      square += (double)f->dX[b * (f->C + 1) + c] * (double)f->dX[b * (f->C + 1) + c];
  for (int64_t k = 0; k < 12 && wanted > 0; k++) {
    const int64_t b = k % o->B, c = (k * 7) % wanted;
    const double expected = oracle_difference(o, &o->X[b * f->net.in + begin + c]);
    const double got = (double)f->dX[b * (f->C + 1) + c];
    if (!(fabs(got - expected) <= 1e-5 * sqrt(square) + gradient_floor(f)))
      fail_msg("dX [%lld,%lld] is %.9g, expected %.9g", (long long)b, (long long)c, got, expected);
  }
}

static inline void check_layers(const CeliNetSpec *spec, CeliPassSpec pass, bool with_dH,
                                uint64_t seed) {
  Fixture f;
  Oracle o;
  fixture_create_layers(&f, spec, pass, with_dH);
  fixture_randomize(&f, seed);
  oracle_create(&o, &f.pass);
  fixture_run(&f, 1);
  check_forward(&f, &o);
  check_gradients(&f, &o);
  check_input_gradient(&f, &o);
  oracle_destroy(&o);
  cel_tensors_destroy(f.tensors);
}

#endif
