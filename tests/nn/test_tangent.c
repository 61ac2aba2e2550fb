/// Fisher-vector products compared with finite differences of the divergence: u'F v = (D(u+v) -
/// D(u-v)) / 2 to third order, where D(w) = mean KL(pi_theta, pi_(theta + w)).
#include "base/base.h"
#include "celsius/rng.h"
#include "nn/tangent.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { B = 12, O = 3, MOST = 512 };

typedef struct Bench {
  CelTensors *tensors;
  CeliTeam *team;
  CeliPlan *policy, *fisher;
  CeliNet net;
  CeliNetGrad grad;
  CeliPass pass;
  CeliTangent tangent;
  CeliDist dist;
  float x[B * O], head[B * 8], log_std[2], direction[MOST];
  uint8_t actions[B * 16];
  int64_t n; ///< parameters of the network, padding included
} Bench;

static void op_fisher(const void *args, int64_t begin, int64_t end) {
  const Bench *b = *(const Bench *const *)args;
  const ptrdiff_t ld = b->net.out;
  celi_dist_fisher_rows(&b->dist, celi_pass_d_output(&b->pass), ld,
                        celi_tangent_output(&b->tangent), ld, 1.0f / B, begin, end);
}

static void plan(Bench *b, const CeliDistSpec *spec) {
  const ptrdiff_t ld = b->net.out;
  assert_int_equal(celi_plan_create(&b->policy), CEL_OK);
  celi_net_plan_forward(b->policy, &b->pass);
  celi_dist_plan_log_prob(b->policy, &b->dist, b->actions,
                          spec->kind == CELI_MULTI_CATEGORICAL ? spec->K : spec->A,
                          celi_pass_output(&b->pass), ld);
  assert_int_equal(celi_plan_end(b->policy), CEL_OK);
  assert_int_equal(celi_plan_create(&b->fisher), CEL_OK);
  celi_net_plan_tangent(b->fisher, &b->tangent, b->direction);
  const Bench *self = b;
  celi_plan_add(b->fisher, "fisher", op_fisher, CELI_ROWS, B, CELI_ROW_GRAIN, &self, sizeof self);
  celi_net_plan_backward_data(b->fisher, &b->pass, NULL, 0);
  celi_net_plan_backward_weight(b->fisher, &b->pass, &b->grad);
  assert_int_equal(celi_plan_end(b->fisher), CEL_OK);
}

static void open(Bench *b, const CeliDistSpec *spec, CeliActivation activation, CeliNormKind norm) {
  const CeliMlpSpec net = {.E = 1,
                           .in = O,
                           .out = celi_dist_head(spec),
                           .hidden = {2, {7, 5}},
                           .activation = activation,
                           .norm.kind = norm,
                           .init = CELI_KAIMING_UNIFORM,
                           .output_gain = 1,
                           .dx_begin = O,
                           .dx_end = O};
  memset(b, 0, sizeof *b);
  assert_int_equal(cel_tensors_create(&b->tensors), CEL_OK);
  assert_int_equal(celi_team_create(&b->team, 1), CEL_OK);
  assert_int_equal(celi_mlp_declare(&b->net, b->tensors, "net", CEL_PARAM, &net), CEL_OK);
  assert_int_equal(celi_net_declare_grad(&b->grad, b->tensors, "net", CEL_GRAD, &b->net), CEL_OK);
  CeliDist param;
  assert_int_equal(celi_dist_declare_param(&param, b->tensors, "dist", spec), CEL_OK);
  assert_int_equal(celi_pass_declare(&b->pass, b->tensors, "pass", &b->net,
                                     (CeliPassSpec){.B = B, .backward = true}),
                   CEL_OK);
  assert_int_equal(celi_dist_declare(&b->dist, b->tensors, "use", spec, B, true), CEL_OK);
  assert_int_equal(celi_tangent_declare(&b->tangent, b->tensors, "tangent", &b->pass), CEL_OK);
  assert_int_equal(cel_tensors_allocate(b->tensors), CEL_OK);
  celi_net_init(&b->net, 3, 0);
  CelRng rng = cel_rng(4, CEL_RNG_USER, 0);
  for (int i = 0; i < B * O; i++) b->x[i] = (float)cel_rng_normal(&rng);
  b->pass.X = b->x, b->pass.ldx = O;
  b->n = b->net.node[b->net.n - 1].param[1] + b->net.out - celi_net_parameters(&b->net);
  assert_true(b->n <= MOST && b->net.out <= 8);
  plan(b, spec);
  celi_net_transpose(&b->net);
  assert_int_equal(celi_plan_run(b->policy, b->team), CEL_OK);
  memcpy(b->head, celi_pass_output(&b->pass), B * (size_t)b->net.out * sizeof(float));
}

static void close(Bench *b) {
  celi_plan_destroy(b->policy);
  celi_plan_destroy(b->fisher);
  celi_team_destroy(b->team);
  cel_tensors_destroy(b->tensors);
}

/// Computes D(w) and restores the parameters.
static double divergence(Bench *b, const double *w) {
  float kept[MOST], kl[B], *theta = celi_net_parameters(&b->net);
  double sum = 0;
  memcpy(kept, theta, (size_t)b->n * sizeof(float));
  for (int64_t i = 0; i < b->n; i++) theta[i] = (float)((double)kept[i] + w[i]);
  assert_int_equal(celi_plan_run(b->policy, b->team), CEL_OK);
  memcpy(theta, kept, (size_t)b->n * sizeof(float));
  celi_dist_kl_rows(&b->dist.spec, kl, b->head, b->log_std, celi_pass_output(&b->pass), b->log_std,
                    (ptrdiff_t)b->net.out, 0, B);
  for (int i = 0; i < B; i++) sum += (double)kl[i] / B;
  return sum;
}

static void check(const char *name, const CeliDistSpec *spec, CeliActivation activation,
                  CeliNormKind norm) {
  Bench *b = malloc(sizeof *b);
  double u[MOST], v[MOST], plus[MOST], minus[MOST];
  const double size = norm == CELI_NORM_NONE ? 0.005 : 0.001; // normalizations bend more
  assert_non_null(b);
  open(b, spec, activation, norm);
  for (uint32_t k = 0; k < 6; k++) {
    CelRng rng = cel_rng(6, CEL_RNG_USER, k);
    for (int64_t i = 0; i < b->n; i++) {
      u[i] = size * cel_rng_normal(&rng), v[i] = size * cel_rng_normal(&rng);
      if (k % 2 == 0) u[i] = v[i];
      plus[i] = u[i] + v[i], minus[i] = u[i] - v[i];
      b->direction[i] = (float)v[i];
    }
    // Odd terms of D cancel between w and -w.
    double differences = divergence(b, plus) - divergence(b, minus);
    for (int64_t i = 0; i < b->n; i++) plus[i] = -plus[i], minus[i] = -minus[i];
    differences = (differences + divergence(b, plus) - divergence(b, minus)) / 4;
    memset(u + b->n, 0, sizeof u - (size_t)b->n * sizeof *u);
    const double scale = divergence(b, v) * 2;
    assert_int_equal(celi_plan_run(b->policy, b->team), CEL_OK);
    assert_int_equal(celi_plan_run(b->fisher, b->team), CEL_OK);
    double product = 0;
    for (int64_t i = 0; i < b->n; i++) product += u[i] * (double)b->grad.param[0][0][i];
    if (!(fabs(product - differences) < 0.003 * scale))
      fail_msg("%s: u'F v is %.6g, by differences %.6g (v'F v about %.6g)", name, product,
               differences, scale);
  }
  close(b);
  free(b);
}

static void test_against_differences(void **state) {
  (void)state;
  static const float choices[] = {2, 3};
  const CeliDistSpec gaussian = {.kind = CELI_GAUSSIAN, .A = 2},
                     choice = {.kind = CELI_CATEGORICAL, .A = 4},
                     several = {.kind = CELI_MULTI_CATEGORICAL, .A = 5, .K = 2, .choices = choices},
                     bits = {.kind = CELI_BERNOULLI, .A = 3};
  check("gaussian, tanh", &gaussian, CELI_TANH, CELI_NORM_NONE);
  check("gaussian, silu", &gaussian, CELI_SILU, CELI_NORM_NONE);
  check("choice, tanh", &choice, CELI_TANH, CELI_NORM_NONE);
  check("choices, silu", &several, CELI_SILU, CELI_NORM_NONE);
  check("bits, tanh", &bits, CELI_TANH, CELI_NORM_NONE);
  check("gaussian, tanh, layer norm", &gaussian, CELI_TANH, CELI_NORM_LAYER);
  check("gaussian, silu, rms norm", &gaussian, CELI_SILU, CELI_NORM_RMS);
  check("choice, gelu, layer norm", &choice, CELI_GELU, CELI_NORM_LAYER);
}

/// Divergences compared with closed forms.
static void test_divergence(void **state) {
  (void)state;
  const CeliDistSpec gaussian = {.kind = CELI_GAUSSIAN, .A = 1, .free_log_std = true},
                     choice = {.kind = CELI_CATEGORICAL, .A = 2},
                     bits = {.kind = CELI_BERNOULLI, .A = 1};
  float kl;
  const float zero = 0, one = 1, log_2 = (float)log(2);
  celi_dist_kl_rows(&gaussian, &kl, &zero, &zero, &one, &zero, 1, 0, 1);
  assert_true(fabsf(kl - 0.5f) < 1e-6f);
  celi_dist_kl_rows(&gaussian, &kl, &zero, &zero, &zero, &log_2, 1, 0, 1);
  assert_true(fabs((double)kl - (log(2) + 0.125 - 0.5)) < 1e-6);
  const float even[] = {0, 0}, odd[] = {0, (float)log(3)};
  const double want = 0.5 * log(0.5 / 0.25) + 0.5 * log(0.5 / 0.75);
  celi_dist_kl_rows(&choice, &kl, even, NULL, odd, NULL, 2, 0, 1);
  assert_true(fabs((double)kl - want) < 1e-6);
  celi_dist_kl_rows(&bits, &kl, even, NULL, odd + 1, NULL, 1, 0, 1);
  assert_true(fabs((double)kl - want) < 1e-6);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_against_differences),
      cmocka_unit_test(test_divergence),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
