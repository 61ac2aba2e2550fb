/// [maximum-entropy, 8.21] in the library's quantile critics (TQC): the mean of their target is the
/// soft Bellman backup of the mean of all quantiles, and truncation makes it smaller.
#include "verify/soft_actor_critic.h"
#include <math.h>

enum { A = 2, M = 3 };
static const char *const all_quantiles[] = {CELI_SAC_SETTINGS,
                                            "critic",
                                            "quantile",
                                            "n_quantiles",
                                            "3",
                                            "top_quantiles_to_drop_per_net",
                                            "0",
                                            NULL};
static const char *const truncated[] = {CELI_SAC_SETTINGS,
                                        "critic",
                                        "quantile",
                                        "n_quantiles",
                                        "3",
                                        "top_quantiles_to_drop_per_net",
                                        "1",
                                        NULL};

/// The mean of the quantiles of all target critics at (s', a'), minus alpha log pi(a'|s').
static double soft_value(const CeliSac *sac, const double *x, const double *eps) {
  CeliComplex theta[CELI_CHECK_NET_MAX], a[A];
  const CeliComplex log_pi =
      celi_sac_sample(sac, celi_check_net_theta(&sac->actor, theta), x, eps, a);
  double in[CELI_SAC_O + A], out[M], mean = 0;
  for (int k = 0; k < CELI_SAC_O; k++) in[k] = x[k];
  for (int k = 0; k < A; k++) in[CELI_SAC_O + k] = creal(a[k]);
  for (int e = 0; e < CELI_SAC_CRITICS; e++) {
    celi_check_net_apply(&sac->target[e], in, out);
    for (int j = 0; j < M; j++) mean += out[j] / (CELI_SAC_CRITICS * M);
  }
  return mean - celi_sac_alpha * creal(log_pi);
}

/// Compares the means of the K target quantiles of each row with the soft Bellman backup.
static CelStatus compare(CeliTrial *trial, const char *const *settings, int K, CeliSac *sac) {
  CELI_TRY(celi_sac_updated(trial, "sac", settings, sac));
  for (int b = 0; b < CELI_SAC_B; b++) {
    const CeliTransition *t = sac->batch[b];
    double mean = 0;
    for (int i = 0; i < K; i++)
      mean += celi_learner_at(&sac->learner, "batch.y", (int64_t)b * K + i) / K;
    if (t->terminated && K < CELI_SAC_CRITICS * M) continue; // all quantiles are r
    const double V = t->terminated ? 0 : soft_value(sac, t->next, sac->eps_next + (ptrdiff_t)b * A);
    celi_compare(trial, mean, t->r + celi_sac_gamma * V, 1 + fabs(V));
  }
  return CEL_OK;
}

static CelStatus backup(CeliTrial *trial, const char *const *settings, int K) {
  CeliSac sac;
  const CelStatus status = compare(trial, settings, K, &sac);
  celi_learner_destroy(&sac.learner);
  return status;
}

static CelStatus mean_of_all(CeliTrial *trial) {
  return backup(trial, all_quantiles, CELI_SAC_CRITICS * M);
}
static CelStatus mean_of_smallest(CeliTrial *trial) {
  return backup(trial, truncated, CELI_SAC_CRITICS * (M - 1));
}

static const CeliClaim claims[] = {
    {"8.21",
     "quantile critics without truncation: the mean of the library's target against the soft "
     "Bellman backup of the mean of all quantiles",
     "cel_agent_update_n", CEL_CHECK_EQUAL, 1e-5, 32, mean_of_all, 0x2a6f51b3},
    {"8.21",
     "quantile critics with truncation: the mean of the library's target is not the soft Bellman "
     "backup",
     "cel_agent_update_n", CEL_CHECK_DIFFERS, 1e-4, 32, mean_of_smallest, 0x6c0e19d7},
    {0}};

const CeliSection celi_me_quantiles = {"src/verify/maximum_entropy/quantiles.c", claims};
