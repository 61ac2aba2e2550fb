/// [policy-guarantees, SAC]: Algorithm 1 line by line: which parameters each gradient uses, how
/// targets follow, and the loss of the temperature.
#include "verify/soft_actor_critic.h"

enum { A = 2 };
static const double tau = .3, target_entropy = -1.5;

#define MOVING CELI_SAC_SETTINGS, "learning_rate", "0.05", "tau", "0.3"
static const char *const moving[] = {MOVING, NULL};
static const char *const learned[] = {CELI_SAC_SETTINGS, "ent_coef", "auto", "ent_coef_init", "0.4",
                                      "target_entropy",  "-1.5",     NULL};

// ---- lines 9-11

/// An update with a learning rate above 0. Afterwards `sac` has the parameters from before the
/// update and its gradients, and `moved` the critics after it.
static CelStatus moving_update(CeliTrial *trial, const char *algo, CeliSac *sac,
                               CeliCheckNet *moved) {
  CELI_TRY(celi_sac_create(trial, algo, A, moving, CELI_SAC_B, sac));
  CELI_TRY(celi_learner_feed(trial, &sac->learner, CELI_LEARNER_STEPS));
  celi_sac_read(sac);
  CeliSac *after = (CeliSac *)(void *)celi_take(trial, sizeof *after / sizeof(double) + 1);
  CELI_TRY(cel_agent_update_n(sac->learner.agent, 1));
  *after = *sac;
  celi_sac_read(after);
  after->actor.theta = sac->actor.theta, after->V.theta = sac->V.theta;
  for (int e = 0; e < CELI_SAC_CRITICS; e++) {
    moved[e] = after->Q[e];
    after->Q[e].theta = sac->Q[e].theta, after->target[e].theta = sac->target[e].theta;
  }
  *sac = *after;
  return CEL_OK;
}

typedef enum Line { VALUE, CRITICS, POLICY, POLICY_EARLY } Line;

static CelStatus compare_line(CeliTrial *trial, const char *algo, Line line, CeliSac *sac) {
  CeliCheckNet moved[CELI_SAC_CRITICS];
  CELI_TRY(moving_update(trial, algo, sac, moved));
  if (line == VALUE) {
    celi_sac_target_of_value(sac);
    celi_check_net_compare(trial, &sac->V, celi_sac_loss_value, sac, false);
  }
  if (line == CRITICS) {
    celi_sac_target_of_critics(sac);
    for (sac->e = 0; sac->e < CELI_SAC_CRITICS; sac->e++)
      celi_check_net_compare(trial, &sac->Q[sac->e], celi_sac_loss_critic, sac, false);
  }
  if (line == POLICY || line == POLICY_EARLY) {
    for (int e = 0; e < CELI_SAC_CRITICS && line == POLICY; e++) sac->Q[e] = moved[e];
    celi_check_net_compare(trial, &sac->actor, celi_sac_loss_policy, sac, line == POLICY_EARLY);
  }
  return CEL_OK;
}

static CelStatus line(CeliTrial *trial, const char *algo, Line which) {
  CeliSac sac;
  const CelStatus status = compare_line(trial, algo, which, &sac);
  celi_learner_destroy(&sac.learner);
  return status;
}

static CelStatus value_line(CeliTrial *trial) {
  return line(trial, "sacv", VALUE);
}
static CelStatus critic_line(CeliTrial *trial) {
  CELI_TRY(line(trial, "sac", CRITICS));
  return line(trial, "sacv", CRITICS);
}
static CelStatus policy_line(CeliTrial *trial) {
  CELI_TRY(line(trial, "sac", POLICY));
  return line(trial, "sacv", POLICY);
}
static CelStatus policy_line_early(CeliTrial *trial) {
  CELI_TRY(line(trial, "sac", POLICY_EARLY));
  return line(trial, "sacv", POLICY_EARLY);
}

// ---- line 12

/// A learner with a target network, and the network that the target follows.
typedef struct Follower {
  const char *algo, *net;
  bool discrete;
  int members;
} Follower;

static const Follower followers[] = {{"sacv", "value", false, 1},
                                     {"sac", "critic", false, 2},
                                     {"dsac", "critic", true, 2},
                                     {"sql", "actor", true, 1},
                                     {"sqlc", "critic", false, 1}};

/// Compares the target after an update with tau psi + (1 - tau) psi'. psi' is from before the
/// update, psi from after it, or (`early`) from before.
static CelStatus compare_target(CeliTrial *trial, const Follower *f, bool early,
                                CeliLearner *learner) {
  const CeliLearnerSpec spec = {
      .algo = f->algo, .O = CELI_SAC_O, .A = A, .discrete = f->discrete, .settings = moving};
  CELI_TRY(celi_learner_create(trial, &spec, learner));
  CELI_TRY(celi_learner_feed(trial, learner, CELI_LEARNER_STEPS));
  CeliCheckNet old[2], net[2];
  const int members = f->members;
  for (int e = 0; e < members; e++) {
    old[e] = celi_check_net_read(trial, learner, "target", e);
    net[e] = celi_check_net_read(trial, learner, f->net, e);
  }
  CELI_TRY(cel_agent_update_n(learner->agent, 1));
  for (int e = 0; e < members; e++) {
    const CeliCheckNet now = celi_check_net_read(trial, learner, "target", e);
    if (!early) net[e] = celi_check_net_read(trial, learner, f->net, e);
    double *average = celi_take(trial, now.n);
    for (int i = 0; i < now.n; i++)
      average[i] = tau * net[e].theta[i] + (1 - tau) * old[e].theta[i];
    celi_compare_all(trial, now.theta, average, now.n, 1);
  }
  return CEL_OK;
}

static CelStatus targets(CeliTrial *trial, bool early) {
  for (size_t i = 0; i < sizeof followers / sizeof followers[0]; i++) {
    CeliLearner learner = {0};
    const CelStatus status = compare_target(trial, &followers[i], early, &learner);
    celi_learner_destroy(&learner);
    CELI_TRY(status);
  }
  return CEL_OK;
}

static CelStatus targets_follow(CeliTrial *trial) {
  return targets(trial, false);
}
static CelStatus targets_follow_late(CeliTrial *trial) {
  return targets(trial, true);
}

// ---- the temperature

/// J_alpha = -log alpha (mean log pi + target entropy), with the actions held fixed.
typedef struct Temperature {
  const CeliSac *sac;
  double log_pi; ///< mean over the batch
} Temperature;

static CeliComplex loss_temperature(const void *user, const CeliComplex *log_alpha) {
  const Temperature *t = user;
  return -log_alpha[0] * (t->log_pi + target_entropy);
}

static CelStatus compare_temperature(CeliTrial *trial, const char *algo, CeliSac *sac) {
  CeliComplex theta[CELI_CHECK_NET_MAX], a[A];
  CELI_TRY(celi_sac_updated(trial, algo, learned, sac));
  Temperature t = {sac, 0};
  celi_check_net_theta(&sac->actor, theta);
  for (int b = 0; b < sac->rows; b++)
    t.log_pi +=
        creal(celi_sac_sample(sac, theta, sac->batch[b]->x, sac->eps + b * A, a)) / sac->rows;
  const double log_alpha = celi_learner_at(&sac->learner, "log_ent_coef", 0);
  double exact;
  celi_complex_gradient(trial, loss_temperature, &t, &log_alpha, 1, &exact);
  celi_compare(trial, celi_learner_at(&sac->learner, "grad.log_ent_coef", 0), exact,
               celi_size(&exact, 1));
  return CEL_OK;
}

static CelStatus temperature_gradient(CeliTrial *trial) {
  static const char *const algos[] = {"sac", "sacv"};
  for (int i = 0; i < 2; i++) {
    CeliSac sac;
    const CelStatus status = compare_temperature(trial, algos[i], &sac);
    celi_learner_destroy(&sac.learner);
    CELI_TRY(status);
  }
  return CEL_OK;
}

static const CeliClaim claims[] = {
    {"SAC",
     "line 9: the gradient of V uses critics and policy from before the update: the library "
     "against complex steps",
     "cel_agent_update_n", CEL_CHECK_EQUAL, 1e-5, 16, value_line, 0x4f98c1fc},
    {"SAC",
     "line 10: the critic gradients use target networks from before the update: the library "
     "against complex steps",
     "cel_agent_update_n", CEL_CHECK_EQUAL, 1e-5, 16, critic_line, 0xc62eccbd},
    {"SAC",
     "line 11: the policy gradient uses the critics that line 10 updated: the library against "
     "complex steps",
     "cel_agent_update_n", CEL_CHECK_EQUAL, 1e-5, 16, policy_line, 0xdab3f7a3},
    {"SAC", "line 11: with the critics from before line 10 the policy gradient is a different one",
     "cel_agent_update_n", CEL_CHECK_DIFFERS, 1e-3, 16, policy_line_early, 0x5119a87c},
    {"SAC",
     "line 12: psi' <- tau psi + (1 - tau) psi' with the new psi, in five learners: the library "
     "against the formula",
     "cel_agent_update_n", CEL_CHECK_EQUAL, 1e-6, 16, targets_follow, 0xa9c3ccc7},
    {"SAC", "line 12: with psi from before the update psi' is a different one",
     "cel_agent_update_n", CEL_CHECK_DIFFERS, 1e-3, 16, targets_follow_late, 0xae521fdf},
    {"temperature",
     "gradient of -log alpha (E log pi + target entropy) in log alpha: the library against complex "
     "steps",
     "cel_agent_update_n", CEL_CHECK_EQUAL, 1e-5, 16, temperature_gradient, 0x97cb99a7},
    {0}};

const CeliSection celi_pg_steps = {"src/verify/policy_guarantees/steps.c", claims};
