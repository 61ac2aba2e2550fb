/// The multi-goal plane, certified: soft Q-learning's sampler reaches all four goals, each in 15 to 35% of 400 episodes; the
/// single Gaussian of soft actor-critic, as long at the same temperature, leaves a goal out, and the same measures show it.
/// Source: Haarnoja et al., "Reinforcement learning with deep energy-based policies", 2017, 5.1.
#include "celsius/certify.h"
#include "run/trained.h"

#include <math.h>

static const char *const goals[CEL_MULTIGOAL_GOALS] = {"goal_east", "goal_west", "goal_north",
                                                       "goal_south"};

static CelCertificate *certified(CelSetup *setup, CelEnvSpec *spec) {
  CelCertificate *certificate;
  const char *seed = getenv("CELSIUS_FIRST_SEED");
  CelAgent *agent = trained(setup, spec, seed ? strtoull(seed, NULL, 10) : 1);
  ok(cel_certify(agent, spec, NULL, &certificate));
  cel_agent_destroy(agent);
  print_message("%s: ", setup->algo->name);
  for (int g = 0; g < CEL_MULTIGOAL_GOALS; g++)
    print_message("%s %.1f%%, ", goals[g],
                  100 * cel_certificate_find(certificate, goals[g])->learned);
  print_message("shortfall %.2f%%, KL %.3f, in the middle %.3f\n",
                100 * cel_certificate_find(certificate, "shortfall_share")->off,
                cel_certificate_find(certificate, "kl_mean")->off,
                cel_certificate_find(certificate, "kl_middle")->off);
  return certificate;
}

static void learned_shares(const CelCertificate *certificate, double *least, double *most) {
  *least = HUGE_VAL, *most = 0;
  for (int g = 0; g < CEL_MULTIGOAL_GOALS; g++) {
    const double share = cel_certificate_find(certificate, goals[g])->learned;
    *least = fmin(*least, share), *most = fmax(*most, share);
  }
}

static void test_modes(void **state) {
  (void)state;
  static const char *const like_sqlc[][2] = {{"ent_coef", "10"},         {"gamma", "0.99"},
                                             {"net_arch", "128,128"},    {"learning_rate", "1e-3"},
                                             {"learning_starts", "500"}, {"batch_size", "64"}};
  CelEnvSpec *spec;
  CelSetup *setup[2] = {preset("sqlc", "MultiGoal-v0"), NULL};
  double least, most;
  ok(cel_env_spec_create(&spec, "MultiGoal-v0", NULL, NULL));
  ok(cel_setup_create(&setup[1], "sac", "MultiGoal-v0"));
  for (size_t i = 0; i < sizeof like_sqlc / sizeof like_sqlc[0]; i++)
    ok(cel_setup_set(setup[1], like_sqlc[i][0], like_sqlc[i][1]));
  setup[1]->run.steps = setup[0]->run.steps;
  CelCertificate *sqlc = certified(setup[0], spec), *sac = certified(setup[1], spec);
  learned_shares(sqlc, &least, &most);
  if (!(least >= 0.15 && most <= 0.35))
    fail_msg("sqlc reaches goals in %.1f to %.1f%% of the episodes", 100 * least, 100 * most);
  learned_shares(sac, &least, &most);
  if (!(least <= 0.05)) fail_msg("sac leaves no goal out: at least %.1f%%", 100 * least);
  const double kl[2] = {cel_certificate_find(sqlc, "kl_middle")->off,
                        cel_certificate_find(sac, "kl_middle")->off};
  if (!(kl[1] > 3 * kl[0])) fail_msg("KL in the middle: sqlc %.3f, sac %.3f", kl[0], kl[1]);
  cel_certificate_destroy(sqlc);
  cel_certificate_destroy(sac);
  for (int k = 0; k < 2; k++) cel_setup_destroy(setup[k]);
  cel_env_spec_destroy(spec);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_modes)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
