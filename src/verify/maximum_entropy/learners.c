/// [maximum-entropy, 8.13] in the library's soft actor-critic: targets over several steps, with the
/// entropies of the steps between.
#include "verify/soft_actor_critic.h"
#include <math.h>

enum { N = 3, A = 2 };
static const char *const several_steps[] = {CELI_SAC_SETTINGS, "n_steps", "3", NULL};

/// The target of row b: y = sum_{k<m} gamma^k r_k - sum_{0<k<m} gamma^k alpha log pi(a_k given s_k)
/// + gamma^m V(s_m). m is 3, or less if the episode ends. V is a sample of min_e Q'_e - alpha log
/// pi.
static double target_of(const CeliSac *sac, int b, bool with_entropies) {
  const CeliTransition *t = sac->batch[b], *last = sac->learner.fed + sac->learner.n_fed - 1;
  CeliComplex theta[CELI_CHECK_NET_MAX], a[A];
  double y = 0, weight = 1;
  celi_check_net_theta(&sac->actor, theta);
  for (int k = 0; k < N; k++, t++) {
    if (k > 0 && with_entropies) {
      double eps[A];
      for (int i = 0; i < A; i++)
        eps[i] = celi_learner_at(&sac->learner, "dist.mid.eps",
                                 ((int64_t)(k - 1) * CELI_SAC_B + b) * A + i);
      y -= weight * celi_sac_alpha * creal(celi_sac_sample(sac, theta, t->x, eps, a));
    }
    y += weight * t->r, weight *= celi_sac_gamma;
    if (t->terminated) return y;
    if (t->truncated || t == last || k == N - 1) break;
  }
  return y + weight * celi_sac_value(sac, sac->target, t->next, sac->eps_next + b * A);
}

static CelStatus compare(CeliTrial *trial, bool with_entropies, CeliSac *sac) {
  CELI_TRY(celi_sac_updated(trial, "sac", several_steps, sac));
  for (int b = 0; b < CELI_SAC_B; b++) sac->y[b] = target_of(sac, b, with_entropies);
  for (sac->e = 0; sac->e < CELI_SAC_CRITICS; sac->e++)
    celi_check_net_compare(trial, &sac->Q[sac->e], celi_sac_loss_critic, sac, !with_entropies);
  return CEL_OK;
}

static CelStatus critics(CeliTrial *trial, bool with_entropies) {
  CeliSac sac;
  const CelStatus status = compare(trial, with_entropies, &sac);
  celi_learner_destroy(&sac.learner);
  return status;
}

static CelStatus steps_with_entropies(CeliTrial *trial) {
  return critics(trial, true);
}
static CelStatus steps_without_entropies(CeliTrial *trial) {
  return critics(trial, false);
}

static const CeliClaim claims[] = {
    {"8.13",
     "critic gradient of soft actor-critic over 3 steps, with the entropies of the middle steps in "
     "the target: the library against complex steps",
     "cel_agent_update_n", CEL_CHECK_EQUAL, 1e-5, 32, steps_with_entropies, 0x97d3925e},
    {"8.13",
     "without the entropies of the middle steps the critic gradient over 3 steps is a different "
     "one",
     "cel_agent_update_n", CEL_CHECK_DIFFERS, 1e-4, 32, steps_without_entropies, 0x5ab94ae3},
    {0}};

const CeliSection celi_me_learners = {"src/verify/maximum_entropy/learners.c", claims};
