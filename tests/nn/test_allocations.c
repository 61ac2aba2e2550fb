/// Running a plan allocates nothing, with networks, optimizers, distributions and exploration
/// noise.
#include "support/allocations.h"

#include "nn_test.h"

#include "nn/dist.h"
#include "nn/net.h"
#include "nn/noise.h"
#include "nn/optim.h"

enum { B = 33, A = 3, O = 5 };

typedef struct Fixture {
  CelTensors *tensors;
  CeliNet net;
  CeliNetGrad grad;
  CeliPass pass;
  CeliAdam adam;
  CeliDist dist;
  CeliGsde gsde;
  CeliNoise noise;
  float *X, *action, *d_action;
  uint64_t *counter;
} Fixture;

static void fixture_declare(Fixture *f) {
  const CeliMlpSpec net = {.E = 2,
                           .in = O,
                           .out = 2 * A,
                           .hidden = {2, {17, 40}},
                           .activation = CELI_SILU,
                           .norm.kind = CELI_NORM_LAYER,
                           .output_gain = 1};
  const CeliDistSpec dist = {.kind = CELI_SQUASHED_GAUSSIAN, .A = A};
  const int64_t x[] = {B, O}, action[] = {B, A}, one = 1;
  CelTensors *t;
  assert_ok(cel_tensors_create(&f->tensors));
  t = f->tensors;
  assert_ok(celi_mlp_declare(&f->net, t, "net", CEL_PARAM, &net));
  assert_ok(celi_net_declare_grad(&f->grad, t, "net", CEL_GRAD, &f->net));
  assert_ok(celi_net_declare_grad(NULL, t, "net", CEL_MOMENT1, &f->net));
  assert_ok(celi_net_declare_grad(NULL, t, "net", CEL_MOMENT2, &f->net));
  assert_ok(
      celi_pass_declare(&f->pass, t, "pass", &f->net, (CeliPassSpec){.B = B, .backward = true}));
  assert_ok(celi_adam_declare(&f->adam, t, "adam"));
  assert_ok(celi_dist_declare(&f->dist, t, "dist", &dist, B, true));
  assert_ok(celi_gsde_declare_param(&f->gsde, t, "gsde", 40, A));
  assert_ok(celi_gsde_declare(&f->gsde, t, "gsde.use", B, true));
  assert_ok(celi_noise_declare(&f->noise, t, "noise", CELI_NOISE_OU, B, A, 0.1, 0.15, 0.1, 3));
  assert_ok(cel_tensors_declare(t, "x", CEL_F32, CEL_SCRATCH, &f->X, 2, x));
  assert_ok(cel_tensors_declare(t, "action", CEL_F32, CEL_SCRATCH, &f->action, 2, action));
  assert_ok(cel_tensors_declare(t, "d_action", CEL_F32, CEL_SCRATCH, &f->d_action, 2, action));
  assert_ok(cel_tensors_declare(t, "counter", CEL_U64, CEL_STATE, &f->counter, 1, &one));
  assert_ok(cel_tensors_allocate(t));
}

static CeliPlan *write_plan(Fixture *f) {
  CeliPlan *plan;
  const float *head = celi_pass_output(&f->pass), *latent = celi_pass_latent(&f->pass);
  assert_ok(celi_plan_create(&plan));
  celi_net_plan_forward(plan, &f->pass);
  celi_gsde_plan_sample(plan, &f->gsde, f->action, A, head, 2 * A, latent, 40, 1, 0, f->counter);
  celi_gsde_plan_backward(plan, &f->gsde, celi_pass_d_output(&f->pass), 2 * A, f->gsde.d_latent2,
                          40, f->d_action, A, f->action, A, latent, 40);
  celi_dist_plan_sample(plan, &f->dist, f->action, A, head, 2 * A, 1, 1, f->counter);
  celi_dist_plan_sample_backward(plan, &f->dist, celi_pass_d_output(&f->pass), 2 * A, f->d_action,
                                 A, f->action, A, head, 2 * A);
  celi_dist_plan_log_prob(plan, &f->dist, f->action, A, head, 2 * A);
  celi_net_plan_backward_data(plan, &f->pass, f->X, O);
  celi_net_plan_backward_weight(plan, &f->pass, &f->grad);
  celi_adam_plan(plan, &f->adam);
  celi_net_plan_transpose(plan, &f->net);
  assert_ok(celi_plan_end(plan));
  return plan;
}

static void test_no_allocation(void **state) {
  (void)state;
  if (!counting_allocations()) skip();
  const CeliAdamConfig config = {
      .learning_rate = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .max_grad_norm = 1};
  Fixture f;
  CeliTeam *team;
  const uint8_t start[B] = {0};
  fixture_declare(&f);
  f.pass.X = f.X, f.pass.ldx = O;
  celi_net_init(&f.net, 1, 0);
  celi_net_transpose(&f.net);
  assert_ok(celi_adam_bind(&f.adam, f.tensors, "net.0.weight", "net.2.bias", &config));
  CeliPlan *plan = write_plan(&f);
  assert_ok(celi_team_create(&team, 2));
  assert_ok(celi_plan_run(plan, team)); // starts the team
  const long long before = allocations();
  for (int i = 0; i < 3; i++) {
    assert_int_equal(celi_plan_run(plan, team), CEL_OK);
    celi_net_forward(&f.pass, 0, B);
    celi_dist_mode(&f.dist.spec, f.action, A, celi_pass_output(&f.pass), 2 * A, 0, B);
    celi_dist_sample_rows(&f.dist.spec, f.action, A, celi_pass_output(&f.pass), 2 * A, f.dist.eps,
                          0, B);
    celi_noise_add(&f.noise, f.action, start);
    celi_gsde_scale(&f.gsde, f.gsde.M);
  }
  const long long made = allocations() - before;
  if (made != 0) fail_msg("%lld allocations in three updates", made);
  void *volatile block = malloc(1); // checks the counter itself
  free(block);
  assert_true(allocations() > before);
  celi_team_destroy(team);
  celi_plan_destroy(plan);
  cel_tensors_destroy(f.tensors);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_no_allocation)};
  return cmocka_run_group_tests_name("nn/allocations", tests, NULL, NULL);
}
